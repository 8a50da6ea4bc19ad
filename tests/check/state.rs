//! What stands for the cluster.

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{Files, Run, cluster, files, pod};

/// Judges a pod in the cluster with more in it.
fn check_with(more: &str) -> Run {
    let files = files(&pod("ghcr.io/team/app"));
    files.add("more.yaml", more);
    files.check(&["-f", "object.yaml", "--state", "state.yaml", "--state", "more.yaml", "-o", "json"])
}

fn secret(labels: &Value, annotations: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "regcred-ghcr", "namespace": "team-a", "labels": labels, "annotations": annotations},
    })
    .to_string()
}

fn copy(credential_uid: &str) -> String {
    let origin = json!({
        "credential": "ghcr", "credentialUid": credential_uid, "source": "registries/ghcr", "sourceUid": "s",
        "sourceResourceVersion": "1", "copy": "team-a/regcred-ghcr",
    });
    secret(&json!({"regcred.dev/copy": "true"}), &json!({"regcred.dev/origin": origin.to_string()}))
}

#[test]
fn a_copy_that_is_there_is_not_created() {
    let verdict = check_with(&copy("uid-of-ghcr")).line();
    assert_eq!(verdict["patch"][0]["value"][0]["name"], "regcred-ghcr");
    assert_eq!((&verdict["effects"], &verdict["warnings"]), (&json!([]), &json!([])));
}

#[test]
fn a_credential_that_never_was_in_a_cluster_is_the_one_its_copies_are_of() {
    let files = Files::with("state.yaml", cluster().replace(", uid: uid-of-ghcr", ""));
    files.add("copy.json", copy("some-uid"));
    files.add("object.yaml", pod("ghcr.io/team/app"));
    let verdict = files
        .check(&["-f", "object.yaml", "--state", "state.yaml", "--state", "copy.json", "-o", "json"])
        .line();
    assert_eq!((&verdict["effects"], &verdict["warnings"]), (&json!([]), &json!([])));
}

#[test]
fn a_foreign_secret_of_the_copys_name_is_left_and_not_named() {
    let verdict = check_with(&secret(&json!({}), &json!({}))).line();
    assert_eq!((&verdict["patch"], &verdict["effects"]), (&Value::Null, &json!([])));
    assert!(verdict["warnings"][0].as_str().unwrap().contains("is not regcred's"), "{verdict}");
}

#[test]
fn a_copy_of_a_former_credential_is_waited_for() {
    let verdict = check_with(&copy("another-uid")).line();
    assert_eq!(verdict["patch"][0]["value"][0]["name"], "regcred-ghcr");
    assert!(verdict["warnings"][0].as_str().unwrap().contains("will be created later"), "{verdict}");
}

#[rstest]
#[case::missing("kubernetes.io/dockerconfigjson", "Opaque", "is missing or no registry Secret", 1)]
#[case::undecodable("\"auths\":{", "\"auths\":[", "is broken", 0)]
fn the_source_decides(#[case] from: &str, #[case] to: &str, #[case] says: &str, #[case] names: usize) {
    let files = Files::with("state.yaml", cluster().replace(from, to));
    // Without keys nobody can tell whether it is needed; a pod that names no image of it is left in peace.
    files.add("object.yaml", pod("ghcr.io/team/app"));
    let verdict = files.check(&["-f", "object.yaml", "--state", "state.yaml", "-o", "json"]).line();
    assert_eq!(verdict["patch"].as_array().map_or(0, Vec::len), names, "{verdict}");
    assert!(verdict["warnings"][0].as_str().unwrap().contains(says), "{verdict}");
}

#[test]
fn a_namespace_that_opts_out_is_left() {
    let files = files(&pod("ghcr.io/team/app").replace("team-a", "team-out"));
    let run = files.check(&["-f", "object.yaml", "--state", "state.yaml", "-o", "json"]);
    assert_eq!(run.line()["patch"], Value::Null);
    assert_eq!(run.errors, "");
}

#[test]
fn a_namespace_that_is_not_there_is_taken_to_be_and_a_note_says_so() {
    let files = files(&pod("ghcr.io/team/app").replace("team-a", "team-new"));
    let run = files.check(&["-f", "object.yaml", "-f", "object.yaml", "--state", "state.yaml", "-o", "json"]);
    assert_eq!(run.code, 0);
    assert_eq!(run.lines()[0]["patch"][0]["value"][0]["name"], "regcred-ghcr");
    assert_eq!(run.errors.matches("namespace team-new").count(), 1, "{}", run.errors);
}

/// The API server gives every namespace a label with its name.
#[rstest]
#[case::there("team-a")]
#[case::not_there("team-new")]
fn a_selector_by_name_selects(#[case] namespace: &str) {
    let selector =
        format!("namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}");
    let files = Files::with("state.yaml", cluster().replace("namespaces: [\"team-*\"]", &selector));
    files.add("object.yaml", pod("ghcr.io/team/app").replace("team-a", namespace));
    let verdict = files.check(&["-f", "object.yaml", "--state", "state.yaml", "-o", "json"]).line();
    assert_eq!(verdict["patch"][0]["value"][0]["name"], "regcred-ghcr");
}

#[test]
fn a_service_account_that_limits_its_pods_is_minded() {
    let verdict = check_with(
        "apiVersion: v1\nkind: ServiceAccount\n\
         metadata: {name: default, namespace: team-a, annotations: {kubernetes.io/enforce-mountable-secrets: 'true'}}\n",
    )
    .line();
    assert_eq!(verdict["patch"], Value::Null);
    assert!(verdict["warnings"][0].as_str().unwrap().contains("ServiceAccount default"), "{verdict}");
}

#[test]
fn what_decides_nothing_is_passed_over_and_the_order_is_free() {
    let mut documents: Vec<String> = cluster().split("---\n").map(str::to_owned).collect();
    documents.reverse();
    documents.push("apiVersion: apps/v1\nkind: Deployment\nmetadata: 7\n".to_owned());
    let files = Files::with("state/a.yaml", documents.join("\n---\n"));
    files.add("object.yaml", pod("ghcr.io/team/app"));
    let run = files.check(&["-f", "object.yaml", "--state", "state", "-o", "json"]);
    assert_eq!((run.code, &run.line()["effects"][0]["name"]), (0, &json!("regcred-ghcr")));
}

#[test]
fn a_credential_that_cannot_be_compiled_is_told_and_the_rest_is_judged() {
    let run = check_with(
        "# c\napiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {name: wrong}\n\
         spec: {secretRef: {namespace: a, name: b}, namespaces: ['*'], images: [a b]}\n",
    );
    assert_eq!(run.code, 2);
    let says = "more.yaml:2: RegistryCredential wrong cannot be used: spec.images holds \"a b\": an image pattern has no blank";
    assert!(run.errors.contains(says), "{}", run.errors);
    assert_eq!(run.line()["patch"][0]["value"][0]["name"], "regcred-ghcr");
}

#[rstest]
#[case::as_installed_by_the_manifests(&[], true)]
#[case::elsewhere(&["--regcred-namespace", "elsewhere"], true)]
#[case::in_the_namespace_of_the_pod(&["--regcred-namespace", "team-a"], false)]
fn the_namespace_that_regcred_runs_in_is_given_nothing(#[case] arguments: &[&str], #[case] is_given: bool) {
    let files = files(&pod("ghcr.io/team/app"));
    let state = ["-f", "object.yaml", "--state", "state.yaml", "-o", "json"];
    let verdict = files.check(&[&state, arguments].concat()).line();
    assert_eq!(verdict["patch"].is_array(), is_given, "{verdict}");
}
