//! What the API server sends to the webhooks.

use regcred::policy::Rule;
use serde_json::{Value, json};

use crate::base::{only, webhook, webhooks};

#[test]
fn each_webhook_looks_at_its_one_resource() {
    let expected = [
        (
            "inject-pull-secrets.regcred.dev",
            "/mutate/pods",
            ("", "v1", "pods"),
            json!(["CREATE"]),
            "NoneOnDryRun",
        ),
        (
            "module-labels.regcred.dev",
            "/mutate/module-templates",
            ("operator.kyma-project.io", "*", "moduletemplates"),
            json!(["CREATE", "UPDATE"]),
            "None",
        ),
        (
            "ephemeral-containers.regcred.dev",
            "/validate/ephemeral-containers",
            ("", "v1", "pods/ephemeralcontainers"),
            json!(["UPDATE"]),
            "None",
        ),
        (
            "module-templates.regcred.dev",
            "/validate/module-templates",
            ("operator.kyma-project.io", "*", "moduletemplates"),
            json!(["CREATE", "UPDATE"]),
            "None",
        ),
        (
            "module-secrets.regcred.dev",
            "/validate/module-secrets",
            ("", "v1", "secrets"),
            json!(["CREATE", "UPDATE"]),
            "None",
        ),
    ];
    assert_eq!(webhooks().len(), expected.len());
    for rule in Rule::ALL {
        let entry = webhook(rule.webhook());
        assert_eq!(entry["clientConfig"]["service"]["path"], rule.path());
        assert!(only(rule.configuration_kind())["webhooks"].as_array().unwrap().contains(&entry));
    }
    for (name, path, (group, version, resource), operations, side_effects) in expected {
        let webhook = webhook(name);
        let rule = json!({
            "apiGroups": [group], "apiVersions": [version], "operations": operations,
            "resources": [resource], "scope": "Namespaced",
        });
        assert_eq!(webhook["rules"], json!([rule]), "{name}");
        assert_eq!(webhook["clientConfig"]["service"]["path"], path);
        assert_eq!(webhook["sideEffects"], side_effects);
    }
    for changes in ["inject-pull-secrets.regcred.dev", "module-labels.regcred.dev"] {
        assert_eq!(webhook(changes)["reinvocationPolicy"], "IfNeeded");
    }
}

pub(crate) fn is_about_pods(webhook: &Value) -> bool {
    webhook["rules"][0]["resources"][0].as_str().unwrap().starts_with("pods")
}

#[test]
fn what_judges_modules_fails_closed_and_everything_else_open_and_soon() {
    for webhook in webhooks() {
        let name = &webhook["name"];
        let judges_modules = name == "module-templates.regcred.dev";
        let (policy, most) = if judges_modules { ("Fail", 10) } else { ("Ignore", 3) };
        assert_eq!(webhook["failurePolicy"], policy, "{name}");
        assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= most, "{name}");
        assert_eq!(webhook["matchPolicy"], "Equivalent", "{name}");
        assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]), "{name}");
    }
}

#[test]
fn of_secrets_only_those_are_sent_that_modules_are_pulled_with() {
    let entry = webhook("module-secrets.regcred.dev");
    let labelled = json!({"key": "operator.kyma-project.io/oci-registry-cred", "operator": "Exists"});
    assert_eq!(entry["objectSelector"], json!({"matchExpressions": [labelled]}));
    let pods = webhook("inject-pull-secrets.regcred.dev");
    let system = &pods["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(entry["namespaceSelector"], json!({"matchExpressions": [system]}));
}

#[test]
fn modules_are_labelled_just_where_they_are_judged() {
    let (labels, judges) = (webhook("module-labels.regcred.dev"), webhook("module-templates.regcred.dev"));
    for field in ["rules", "matchConditions", "namespaceSelector", "objectSelector", "matchPolicy"] {
        assert_eq!(labels[field], judges[field], "{field}");
    }
    assert_eq!(labels["matchConditions"].as_array().unwrap().len(), 2);
}

#[test]
fn no_webhook_sees_pods_of_the_systems_namespaces_of_our_own_or_that_opted_out() {
    let opted_out = json!({"key": "regcred.dev/inject", "operator": "NotIn", "values": ["disabled"]});
    for webhook in webhooks().into_iter().filter(is_about_pods) {
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
