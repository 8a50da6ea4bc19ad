//! Who may do what.

use serde_json::{Value, json};

use crate::base::{of_kind, only, pod};

#[test]
fn the_namespace_enforces_the_restricted_pod_security_level() {
    let namespace = only("Namespace");
    for mode in ["enforce", "audit", "warn"] {
        let label = format!("pod-security.kubernetes.io/{mode}");
        assert_eq!(namespace["metadata"]["labels"][&label], "restricted");
    }
}

/// Whether a rule changes what belongs to our own certificates, and nothing else.
fn certifies(rule: &Value, verb: &str) -> bool {
    match verb {
        "update" => {
            rule["resources"] == json!(["secrets"]) && rule["resourceNames"] == json!(["regcred-authority"])
        }
        "patch" => {
            rule["apiGroups"] == json!(["admissionregistration.k8s.io"])
                && rule["resourceNames"] == json!(["regcred"])
        }
        _ => false,
    }
}

#[test]
fn the_roles_hold_no_wildcard_change_nothing_but_our_own_and_are_aggregated_nowhere() {
    for role in of_kind("ClusterRole").into_iter().chain(of_kind("Role")) {
        let labels = role["metadata"]["labels"].to_string();
        assert!(!labels.contains("aggregate-to"), "{labels}");
        assert_eq!(role["aggregationRule"], Value::Null);
        for rule in role["rules"].as_array().unwrap() {
            assert!(!rule.to_string().contains('*'), "{rule}");
            for verb in rule["verbs"].as_array().unwrap() {
                let verb = verb.as_str().unwrap();
                // No update: what exists is changed only by patches that test the version.
                let carries =
                    ["create", "patch", "delete"].contains(&verb) && rule["resources"] == json!(["secrets"]);
                let elects = role["kind"] == "Role" && rule["resources"] == json!(["leases"]);
                let tells = rule["resources"] == json!(["events"]) && ["create", "patch"].contains(&verb);
                let reports = rule["resources"] == json!(["registrycredentials/status"]) && verb == "patch";
                // Nothing is stored by these: the API server answers them.
                let questions = [json!(["subjectaccessreviews"]), json!(["selfsubjectreviews"])];
                let asks = verb == "create" && questions.contains(&rule["resources"]);
                assert!(
                    certifies(rule, verb)
                        || asks
                        || carries
                        || elects
                        || tells
                        || reports
                        || ["get", "list", "watch"].contains(&verb),
                    "{verb} in {rule}"
                );
            }
        }
    }
}

#[test]
fn of_the_webhook_configurations_only_our_own_can_be_seen_and_none_made() {
    for rule in only("ClusterRole")["rules"].as_array().unwrap() {
        if rule["apiGroups"] == json!(["admissionregistration.k8s.io"]) {
            assert_eq!(rule["resourceNames"], json!(["regcred"]));
            assert_eq!(rule["verbs"], json!(["get", "list", "watch", "patch"]));
        }
    }
}

#[test]
fn of_leases_only_our_own_can_be_read_and_changed() {
    let role = only("Role");
    assert_eq!(role["metadata"]["namespace"], "regcred-system");
    let about_leases = |rule: &&Value| rule["resources"] == json!(["leases"]);
    for rule in role["rules"].as_array().unwrap().iter().filter(about_leases) {
        if rule["verbs"] == json!(["create"]) {
            // The API server knows no name of what is to be created.
            assert_eq!(rule["resourceNames"], Value::Null);
        } else {
            assert_eq!(rule["resourceNames"], json!(["regcred"]));
            assert_eq!(rule["verbs"], json!(["get", "update"]));
        }
    }
    assert!(!of_kind("ClusterRole").iter().any(|role| role.to_string().contains("leases")));
}

#[test]
fn the_token_is_mounted_only_by_the_deployment() {
    assert_eq!(only("ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(pod()["automountServiceAccountToken"], true);
    assert_eq!(pod()["serviceAccountName"], "regcred");
    let subject = json!({"kind": "ServiceAccount", "name": "regcred", "namespace": "regcred-system"});
    for binding in ["ClusterRoleBinding", "RoleBinding"] {
        assert_eq!(only(binding)["subjects"], json!([subject]), "{binding}");
    }
}

#[test]
fn who_writes_a_credential_must_be_able_to_read_its_secret() {
    let policy = only("ValidatingAdmissionPolicy");
    let specification = &policy["spec"];
    assert_eq!(specification["failurePolicy"], "Fail");
    let rule = &specification["matchConstraints"]["resourceRules"][0];
    assert_eq!(rule["resources"], json!(["registrycredentials"]));
    assert_eq!(rule["operations"], json!(["CREATE", "UPDATE"]));
    for way_around in ["namespaceSelector", "objectSelector", "excludeResourceRules"] {
        assert_eq!(specification["matchConstraints"][way_around], Value::Null);
    }
    assert_eq!(specification["validations"][0]["reason"], "Forbidden");
    assert!(specification["validations"].to_string().contains("check('update')"));
    assert_eq!(specification["validations"][1]["reason"], "Forbidden");
    assert_eq!(specification["validations"].as_array().unwrap().len(), 2);
    let binding = only("ValidatingAdmissionPolicyBinding");
    assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    assert_eq!(binding["spec"]["matchResources"], Value::Null);
}

#[test]
fn our_own_calls_do_not_queue_behind_those_that_wait_for_them() {
    let specification = &only("FlowSchema")["spec"];
    assert_eq!(specification["priorityLevelConfiguration"]["name"], "workload-high");
    // The schema `service-accounts` has 9000; the smaller number is matched first.
    assert!(specification["matchingPrecedence"].as_u64().unwrap() < 9000);
    let account = json!({"name": "regcred", "namespace": "regcred-system"});
    assert_eq!(specification["rules"][0]["subjects"][0]["serviceAccount"], account);
}
