//! What the API server sends to the webhooks.

use regcred::model::protection::{IN_USE_LABEL, PROTECTING_FINALIZERS, RESERVATION_PREFIX};
use regcred::policy::Rule;
use serde_json::{Value, json};

use crate::base::{only, webhook, webhooks};

/// Path, groups with version and resources, operations, side effects.
type Expected =
    (&'static str, &'static [(&'static str, &'static str, &'static [&'static str])], Value, &'static str);

fn expected(name: &str) -> Expected {
    let modules: &[_] = &[("operator.kyma-project.io", "*", &["moduletemplates"] as &[_])];
    let secrets: &[_] = &[("", "v1", &["secrets"] as &[_])];
    match name {
        "inject-pull-secrets" => {
            ("/mutate/pods", &[("", "v1", &["pods"])], json!(["CREATE"]), "NoneOnDryRun")
        }
        "module-labels" => ("/mutate/module-templates", modules, json!(["CREATE", "UPDATE"]), "None"),
        "secret-marks" => ("/mutate/secrets", secrets, json!(["CREATE", "UPDATE"]), "None"),
        "ephemeral-containers" => (
            "/validate/ephemeral-containers",
            &[("", "v1", &["pods/ephemeralcontainers"])],
            json!(["UPDATE"]),
            "None",
        ),
        "module-templates" => ("/validate/module-templates", modules, json!(["CREATE", "UPDATE"]), "None"),
        "module-secrets" => {
            ("/validate/module-secrets", secrets, json!(["CREATE", "UPDATE", "DELETE"]), "None")
        }
        "secret-references" => (
            "/validate/secret-references",
            &[
                ("core.gardener.cloud", "*", &["shoots", "secretbindings"]),
                ("security.gardener.cloud", "*", &["credentialsbindings"]),
                ("core.kyma-project.io", "*", &["registrycacheconfigs"]),
            ],
            json!(["CREATE", "UPDATE"]),
            "NoneOnDryRun",
        ),
        "secrets-in-use" => ("/validate/secrets-in-use", secrets, json!(["UPDATE", "DELETE"]), "None"),
        "secret-deletions" => ("/validate/secret-deletions", secrets, json!(["DELETE"]), "None"),
        other => panic!("{other} is expected nowhere"),
    }
}

#[test]
fn each_webhook_looks_at_its_own_resources() {
    assert_eq!(webhooks().len(), Rule::ALL.len());
    for rule in Rule::ALL {
        let entry = webhook(rule.webhook());
        let (path, resources, operations, side_effects) =
            expected(rule.webhook().strip_suffix(".regcred.dev").unwrap());
        let rules: Vec<Value> = resources
            .iter()
            .map(|(group, version, resources)| {
                json!({
                    "apiGroups": [group], "apiVersions": [version], "operations": operations,
                    "resources": resources, "scope": "Namespaced",
                })
            })
            .collect();
        assert!(only(rule.configuration_kind())["webhooks"].as_array().unwrap().contains(&entry));
        assert_eq!(entry["rules"], Value::from(rules), "{}", rule.webhook());
        assert_eq!((rule.path(), &entry["clientConfig"]["service"]["path"]), (path, &json!(path)));
        assert_eq!(entry["sideEffects"], side_effects, "{}", rule.webhook());
        if rule.configuration_kind().starts_with("Mutating") {
            assert_eq!(entry["reinvocationPolicy"], "IfNeeded", "{}", rule.webhook());
        }
    }
}

pub(crate) fn is_about_pods(webhook: &Value) -> bool {
    webhook["rules"][0]["resources"][0].as_str().unwrap().starts_with("pods")
}

#[test]
fn what_judges_modules_and_keeps_secrets_in_use_fails_closed_and_everything_else_open_and_soon() {
    for webhook in webhooks() {
        let name = webhook["name"].as_str().unwrap().strip_suffix(".regcred.dev").unwrap();
        let (policy, most) = match name {
            "module-templates" | "secret-references" | "secrets-in-use" => ("Fail", 10),
            // What asks the API server about what points to a Secret, or which others there are.
            "secret-deletions" | "module-secrets" => ("Ignore", 10),
            _ => ("Ignore", 3),
        };
        assert_eq!(webhook["failurePolicy"], policy, "{name}");
        assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= most, "{name}");
        assert_eq!(webhook["matchPolicy"], "Equivalent", "{name}");
        assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]), "{name}");
    }
}

#[test]
fn of_what_modules_are_pulled_with_only_labelled_secrets_are_sent() {
    let entry = webhook("module-secrets.regcred.dev");
    let labelled = json!({"key": "operator.kyma-project.io/oci-registry-cred", "operator": "Exists"});
    assert_eq!(entry["objectSelector"], json!({"matchExpressions": [labelled]}));
    let pods = webhook("inject-pull-secrets.regcred.dev");
    let system = &pods["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(entry["namespaceSelector"], json!({"matchExpressions": [system]}));
}

#[test]
fn a_deletion_of_a_secret_is_asked_about_once_and_fails_closed_only_for_those_in_use() {
    let with = |operator: &str| json!({"matchExpressions": [{"key": IN_USE_LABEL, "operator": operator}]});
    assert_eq!(webhook("secrets-in-use.regcred.dev")["objectSelector"], with("Exists"));
    assert_eq!(webhook("secret-deletions.regcred.dev")["objectSelector"], with("DoesNotExist"));
}

/// Else the copies that pods need would wait for servers that hang.
#[test]
fn regcreds_own_writes_of_secrets_are_not_asked_about() {
    for name in ["secret-marks", "module-secrets", "secrets-in-use", "secret-deletions"] {
        let name = &format!("{name}.regcred.dev");
        let own = json!({
            "name": "is-not-by-regcred",
            "expression": "request.userInfo.username != 'system:serviceaccount:regcred-system:regcred'",
        });
        assert!(webhook(name)["matchConditions"].as_array().unwrap().contains(&own), "{name}");
    }
}

#[test]
fn the_conditions_name_the_marks_and_finalizers_that_the_rules_know() {
    let conditions = |name: &str| webhook(name)["matchConditions"].to_string();
    for name in ["secrets-in-use.regcred.dev", "secret-marks.regcred.dev"] {
        let conditions = conditions(name);
        assert!(conditions.contains(&format!("'{IN_USE_LABEL}'")), "{conditions}");
        assert!(conditions.contains(&format!("'{RESERVATION_PREFIX}'")), "{conditions}");
    }
    for finalizer in PROTECTING_FINALIZERS {
        assert!(conditions("secrets-in-use.regcred.dev").contains(&format!("'{finalizer}'")), "{finalizer}");
    }
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
