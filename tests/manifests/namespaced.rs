//! The shape that has rights in some namespaces alone.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use regcred::model::reference::ReferrerKind;
use serde_json::{Value, json};

use crate::base::{documents, folder, only, webhook};
use crate::rendering::rendered;

/// Those that the folder is shipped for.
const SHIPPED: &str = "registries,team-a";

fn generated(part: &str, namespaces: &str, more: &[&str]) -> String {
    let list = format!("--namespaces={namespaces}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
    let output = command.args(["manifests", part, &list]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_shipped_is_what_is_generated() {
    for (part, file) in [("rbac", "roles.yaml"), ("limits", "limits.yaml")] {
        let shipped = fs::read_to_string(folder().join("namespaced").join(file)).unwrap();
        assert_eq!(shipped, generated(part, SHIPPED, &[]), "run `make namespaced NAMESPACES={SHIPPED}`");
    }
}

#[test]
fn a_list_that_names_no_namespace_or_regcreds_own_is_refused() {
    for list in ["", "team-*", "team-a,", "Team", "team-a,regcred-system"] {
        let list = format!("--namespaces={list}");
        let output =
            Command::new(env!("CARGO_BIN_EXE_regcred")).args(["manifests", "rbac", &list]).output().unwrap();
        assert!(!output.status.success(), "{list}");
    }
}

/// Group, resource, names and verb of each right.
fn rights(role: &Value) -> BTreeSet<[String; 4]> {
    let texts = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap_or_default();
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let names = texts(&rule["resourceNames"]).join(",");
                    rights.insert([group.clone(), resource.clone(), names, verb]);
                }
            }
        }
    }
    rights
}

#[test]
fn both_shapes_give_the_same_rights_but_those_on_what_is_in_namespaces_in_the_listed_ones_alone() {
    let cluster_role = &documents("namespaced/cluster-role.yaml")[0];
    assert_eq!(cluster_role["metadata"]["name"], only("ClusterRole")["metadata"]["name"]);
    let of_cluster = rights(cluster_role);
    let of_namespaces: Vec<Value> =
        documents("namespaced/roles.yaml").into_iter().filter(|object| object["kind"] == "Role").collect();
    assert_eq!(of_namespaces.len(), SHIPPED.split(',').count());
    for role in of_namespaces {
        let both: BTreeSet<_> = rights(&role).union(&of_cluster).cloned().collect();
        assert_eq!(both, rights(&only("ClusterRole")));
    }
    let kinds = ReferrerKind::ALL;
    let limited =
        [vec!["secrets", "pods", "serviceaccounts"], kinds.iter().map(ReferrerKind::resource).collect()]
            .concat();
    assert!(of_cluster.iter().all(|[_, resource, ..]| !limited.contains(&&**resource)));
}

#[test]
fn the_right_to_evict_can_be_had_in_the_listed_namespaces_alone() {
    let objects = |part: &str, more: &[&str]| -> Vec<Value> {
        serde_saphyr::from_multiple(&generated(part, SHIPPED, more)).unwrap()
    };
    let (without, with) = (objects("rbac", &[]), objects("rbac", &["--evict-failing-pods"]));
    assert_eq!(without.len(), with.len());
    let eviction = ["", "pods/eviction", "", "create"].map(str::to_owned);
    for (without, with) in without.iter().zip(&with) {
        if with["kind"] == "Role" {
            let more: Vec<_> = rights(with).difference(&rights(without)).cloned().collect();
            assert_eq!(more, std::slice::from_ref(&eviction));
        } else {
            assert_eq!((with, &with["kind"]), (without, &json!("RoleBinding")));
        }
    }
    let component = rights(&documents("components/evict-failing-pods/rbac.yaml")[0]);
    assert_eq!(component, [eviction].into());

    let container =
        objects("limits", &["--evict-failing-pods"])[0]["spec"]["template"]["spec"]["containers"][0].clone();
    let told = json!({"name": "REGCRED_EVICT_FAILING_PODS", "value": "true"});
    assert!(container["env"].as_array().unwrap().contains(&told), "{container}");
}

#[test]
fn no_right_is_granted_twice() {
    for role in [
        &only("ClusterRole"),
        &documents("namespaced/cluster-role.yaml")[0],
        &documents("namespaced/roles.yaml")[0],
    ] {
        let texts = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap_or_default();
        let count = |rule: &Value| {
            texts(&rule["apiGroups"]).len() * texts(&rule["resources"]).len() * texts(&rule["verbs"]).len()
        };
        let granted: usize = role["rules"].as_array().unwrap().iter().map(count).sum();
        assert_eq!(granted, rights(role).len(), "{role}");
    }
}

/// A review of a Secret has its content in it, which regcred may read in the listed namespaces alone, as what points to one there.
fn is_limited(webhook: &Value) -> bool {
    webhook["rules"][0]["resources"][0] != "moduletemplates"
}

#[test]
fn the_component_takes_every_right_on_secrets_of_all_namespaces_away_and_limits_the_webhooks_alike() {
    let temporary = tempfile::tempdir_in(folder().join("..")).unwrap();
    let kustomization = "resources: [../manifests]\ncomponents: [../manifests/namespaced]\n";
    fs::write(temporary.path().join("kustomization.yaml"), kustomization).unwrap();
    let Some(overlay) = rendered(temporary.path()) else {
        return;
    };
    let objects: Vec<Value> = serde_saphyr::from_multiple(&overlay).unwrap();
    let of_kind = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of_kind("ClusterRole").len(), 1);
    assert!(!of_kind("ClusterRole")[0].to_string().contains("secrets"));
    let container = &of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let variable = json!({"name": "REGCRED_NAMESPACES", "value": SHIPPED});
    assert!(container["env"].as_array().unwrap().contains(&variable));
    assert_eq!(
        container["env"].as_array().unwrap().len(),
        1 + only("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().len()
    );
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let webhooks = of_kind(kind)[0]["webhooks"].as_array().unwrap().iter().filter(|one| is_limited(one));
        let webhooks: Vec<&Value> = webhooks.collect();
        assert_eq!(webhooks.len(), if kind.starts_with("Validating") { 5 } else { 2 });
        for limited in webhooks {
            let base = webhook(limited["name"].as_str().unwrap());
            assert_eq!(limited["failurePolicy"], base["failurePolicy"]);
            let expressions = limited["namespaceSelector"]["matchExpressions"].as_array().unwrap();
            let listed = json!({
                "key": "kubernetes.io/metadata.name", "operator": "In", "values": ["registries", "team-a"],
            });
            assert_eq!(expressions[0], listed);
            assert_eq!(
                expressions[1..],
                base["namespaceSelector"]["matchExpressions"].as_array().unwrap()[..]
            );
        }
    }
}
