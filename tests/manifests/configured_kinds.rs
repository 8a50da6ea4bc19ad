//! The rights on kinds that a configuration describes.

use std::process::Command;

use serde_json::{Value, json};

fn printed(configuration: &str, more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("regcred.yaml");
    let header = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n";
    std::fs::write(&file, format!("{header}{configuration}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
    let command = command.args(["manifests", "protection-rbac", "--config"]).arg(&file).args(more);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Option<Value>> = serde_saphyr::from_multiple(&text).unwrap();
    objects.into_iter().flatten().collect()
}

const CONFIGURATION: &str = "protection: {imagePullSecretsOf: [Pod], kinds: [{group: example.com, version: v1, resource: \
                             things, kind: Thing, secrets: [{name: $.a}]}]}";

#[test]
fn what_is_watched_may_be_read_and_what_is_listed_may_be_listed() {
    let [role, binding] = printed(CONFIGURATION, &[]).try_into().unwrap();
    assert_eq!(
        role["rules"],
        json!([
            {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        ])
    );
    assert_eq!((&role["kind"], &binding["kind"]), (&json!("ClusterRole"), &json!("ClusterRoleBinding")));
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": "regcred", "namespace": "regcred-system"}])
    );
}

#[test]
fn where_regcred_is_limited_it_gets_them_there_alone() {
    let objects = printed(CONFIGURATION, &["--namespaces=a,b"]);
    let told: Vec<_> =
        objects.iter().map(|object| (&object["kind"], &object["metadata"]["namespace"])).collect();
    let [role, binding, a, b] = [json!("Role"), json!("RoleBinding"), json!("a"), json!("b")];
    assert_eq!(told, [(&role, &a), (&binding, &a), (&role, &b), (&binding, &b)]);
}

#[test]
fn where_nothing_is_described_nothing_is_needed() {
    assert_eq!(printed("", &[]), Vec::<Value>::new());
}
