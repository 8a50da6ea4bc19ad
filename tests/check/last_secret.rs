//! The last Secret that modules are pulled with.

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{CANARY, Files, Run};

const KEY: &str = "operator.kyma-project.io/oci-registry-cred";
const DENY: &str =
    "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\nmodules: {findings: {lastSecret: Deny}}\n";
const REMEDY: &str =
    "give another one with such credentials these labels: operator.kyma-project.io/oci-registry-cred=modules";

fn secret(name: &str, registry: &str) -> Value {
    let document = json!({"auths": {registry: {"username": "robot", "password": CANARY}}});
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {
            "namespace": "kcp-system", "name": name,
            "labels": {KEY: "modules", "operator.kyma-project.io/managed-by": "lifecycle-manager"},
        },
        "stringData": {".dockerconfigjson": document.to_string()},
    })
}

fn template() -> Value {
    json!({
        "apiVersion": "operator.kyma-project.io/v1beta2", "kind": "ModuleTemplate",
        "metadata": {"namespace": "kyma-system", "name": "sample-1.0.0"},
        "spec": {"descriptor": {"component": {
            "name": "k.io/m", "repositoryContexts": [{"baseUrl": "ghcr.io/org"}],
            "resources": [{
                "name": "raw-manifest", "access": {"type": "localBlob"},
                "labels": [{"name": "oci-registry-cred", "value": {KEY: "modules"}}],
            }],
        }}},
    })
}

/// It names no namespace, like an object that is written into one.
fn manifest() -> Value {
    json!({
        "apiVersion": "operator.kyma-project.io/v1beta2", "kind": "Manifest", "metadata": {"name": "installed"},
        "spec": {"install": {"name": "raw-manifest", "source": {
            "repo": "ghcr.io/org", "name": "m", "credSecretSelector": {"matchLabels": {KEY: "modules"}},
        }}},
    })
}

fn delete(secret: &Value, state: &[Value], more: &[&str]) -> Run {
    let files = Files::with("object.json", secret.to_string());
    let list = json!({"apiVersion": "v1", "kind": "List", "items": state});
    files.add("state.json", list.to_string());
    files.add("deny.yaml", DENY);
    let delete = ["-f", "object.json", "--state", "state.json", "-o", "json", "--operation", "delete"];
    files.check(&[&delete[..], more].concat())
}

#[rstest]
#[case::needed_by_a_module(vec![template()], &["no other Secret has credentials for ModuleTemplate kyma-system/sample-1.0.0", REMEDY])]
#[case::needed_by_a_manifest_alone(
    vec![manifest()], &["no other Secret has credentials for Manifest default/installed", REMEDY]
)]
#[case::needed_by_both(
    vec![manifest(), template()],
    &["no other Secret has credentials for 2 objects: ModuleTemplate kyma-system/sample-1.0.0, Manifest default/installed", REMEDY]
)]
#[case::with_another_beside_it(vec![template(), secret("other", "ghcr.io")], &[])]
#[case::with_one_for_another_registry_beside_it(
    vec![template(), secret("other", "quay.io")],
    &["no other Secret has credentials for ModuleTemplate kyma-system/sample-1.0.0", REMEDY]
)]
#[case::needed_by_nobody(vec![], &[])]
fn whoever_deletes_the_last_secret_is_warned_by_what_is_in_the_state(
    #[case] state: Vec<Value>,
    #[case] expected: &[&str],
) {
    let last = secret("modules", "ghcr.io");
    let run = delete(&last, &[state, vec![last.clone()]].concat(), &[]);
    assert_eq!((run.code, &run.line()["warnings"]), (0, &json!(expected)), "{run:?}");
}

#[test]
fn it_is_refused_where_that_is_configured() {
    let last = secret("modules", "ghcr.io");
    let run = delete(&last, &[template(), last.clone()], &["--config", "deny.yaml"]);
    let verdict = run.line();
    assert_eq!((run.code, &verdict["warnings"]), (1, &json!([])), "{run:?}");
    assert_eq!(
        verdict["message"],
        "Secret kcp-system/modules is the last one that Lifecycle Manager can pull these with: ModuleTemplate \
         kyma-system/sample-1.0.0 (spec.descriptor.component.resources[0].labels, for \
         ghcr.io/org/component-descriptors/k.io/m); first give another Secret with such credentials the labels \
         operator.kyma-project.io/oci-registry-cred=modules"
    );
    let of_another_registry = secret("modules", "quay.io");
    let run =
        delete(&of_another_registry, &[template(), of_another_registry.clone()], &["--config", "deny.yaml"]);
    assert_eq!((run.code, &run.line()["warnings"]), (0, &json!([])), "{run:?}");
}

#[test]
fn to_take_its_label_off_counts_alike() {
    let last = secret("modules", "ghcr.io");
    let mut without = last.clone();
    without["metadata"]["labels"] = json!({"a": "b"});
    let files = Files::with("new.json", without.to_string());
    files.add("old.json", last.to_string());
    files.add("state/secret.json", last.to_string());
    files.add("state/template.json", template().to_string());
    let update =
        ["-f", "new.json", "--operation", "update", "--old", "old.json", "--state", "state", "-o", "json"];
    let run = files.check(&update);
    let expected = ["no other Secret has credentials for ModuleTemplate kyma-system/sample-1.0.0", REMEDY];
    assert_eq!((run.code, &run.line()["warnings"]), (0, &json!(expected)), "{run:?}");
}
