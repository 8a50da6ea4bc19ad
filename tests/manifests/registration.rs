//! What the API server sends to the webhooks.

use serde_json::json;

use crate::base::{webhook, webhooks};

#[test]
fn each_webhook_looks_at_its_one_resource_and_operation() {
    let expected = [
        ("inject-pull-secrets.regcred.dev", "/mutate/pods", "pods", "CREATE", "NoneOnDryRun"),
        (
            "ephemeral-containers.regcred.dev",
            "/validate/ephemeral-containers",
            "pods/ephemeralcontainers",
            "UPDATE",
            "None",
        ),
    ];
    assert_eq!(webhooks().len(), expected.len());
    for (name, path, resource, operation, side_effects) in expected {
        let webhook = webhook(name);
        let rule = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "operations": [operation],
            "resources": [resource], "scope": "Namespaced",
        });
        assert_eq!(webhook["rules"], json!([rule]), "{name}");
        assert_eq!(webhook["clientConfig"]["service"]["path"], path);
        assert_eq!(webhook["sideEffects"], side_effects);
    }
    assert_eq!(webhook("inject-pull-secrets.regcred.dev")["reinvocationPolicy"], "IfNeeded");
}

#[test]
fn every_webhook_fails_open_and_soon() {
    for webhook in webhooks() {
        let name = &webhook["name"];
        assert_eq!(webhook["failurePolicy"], "Ignore", "{name}");
        assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= 3, "{name}");
        assert_eq!(webhook["matchPolicy"], "Equivalent", "{name}");
        assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]), "{name}");
    }
}

#[test]
fn no_webhook_sees_the_systems_namespaces_our_own_or_what_opted_out() {
    let opted_out = json!({"key": "regcred.dev/inject", "operator": "NotIn", "values": ["disabled"]});
    for webhook in webhooks() {
        let excluded = json!({
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["kube-system", "kube-public", "kube-node-lease", "regcred-system"],
        });
        let namespaces = json!({"matchExpressions": [excluded, opted_out]});
        assert_eq!(webhook["namespaceSelector"], namespaces, "{}", webhook["name"]);
        assert_eq!(webhook["objectSelector"], json!({"matchExpressions": [opted_out]}));
    }
}
