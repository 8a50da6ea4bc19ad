//! A cluster that is files.

use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{refs, refs_in};
use crate::harness::credentials::registry_secret;
use crate::harness::gardener::{credentials_binding, secret_binding, shoot};
use crate::harness::modules::{label, layer, manifest, template, v2};

/// Shoots that use Secrets in every way.
fn cluster() -> Vec<Value> {
    let mut b = shoot("garden-dev", "b", &["other", "creds"]);
    b["spec"]["extensions"] = json!([{"type": "registry-cache", "providerConfig": {
        "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig",
        "caches": [{"upstream": "docker.io", "secretReferenceName": "creds"}],
    }}]);
    b["spec"]["secretBindingName"] = "account".into();
    vec![
        b,
        shoot("garden-dev", "a", &["creds"]),
        shoot("garden-other", "c", &["creds"]),
        secret_binding("garden-dev", "account", ("garden-core", "account")),
        credentials_binding("garden-other", "unused", ("garden-core", "account")),
        json!({
            "apiVersion": "core.kyma-project.io/v1beta1", "kind": "RegistryCacheConfig",
            "metadata": {"namespace": "garden-dev", "name": "docker"},
            "spec": {"upstream": "docker.io", "secretReferenceName": "creds"},
        }),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "garden-dev", "name": "creds"}}),
    ]
}

#[test]
fn who_uses_a_secret_is_told_with_the_fields_that_name_it() {
    let run = refs_in(&cluster(), &["garden-dev/creds"]);
    assert_eq!((run.code, &*run.errors), (1, ""));
    assert_eq!(
        run.output,
        "Secret garden-dev/creds is in use:\n  \
         Shoot garden-dev/a (spec.resources[0])\n  \
         Shoot garden-dev/b (spec.resources[1], registry-cache upstream docker.io)\n  \
         RegistryCacheConfig garden-dev/docker (spec.secretReferenceName)\n"
    );
    let run = refs_in(&cluster(), &["account", "-n", "garden-core"]);
    assert_eq!(
        run.output,
        "Secret garden-core/account is in use:\n  \
         SecretBinding garden-dev/account (secretRef), named by Shoot garden-dev/b (spec.secretBindingName)\n  \
         CredentialsBinding garden-other/unused (credentialsRef)\n"
    );
}

#[test]
fn a_secret_that_nobody_uses_is_told_by_the_exit_code_too() {
    let run = refs_in(&cluster(), &["garden-core/creds"]);
    assert_eq!(
        (run.code, &*run.output),
        (0, "Secret garden-core/creds: nothing that regcred knows of points to it\n")
    );
}

#[test]
fn json_has_the_same() {
    let run = refs_in(&cluster(), &["garden-core/account", "-o", "json"]);
    let answer: Value = serde_json::from_str(&run.output).unwrap();
    assert_eq!(
        answer,
        json!({
            "secret": "garden-core/account", "isUsed": true,
            "referrers": [
                {
                    "kind": "SecretBinding", "namespace": "garden-dev", "name": "account", "fields": [{"path": "secretRef", "purposes": []}],
                    "reserves": true,
                    "users": [
                        {"kind": "Shoot", "namespace": "garden-dev", "name": "b", "field": "spec.secretBindingName"},
                    ],
                },
                {
                    "kind": "CredentialsBinding", "namespace": "garden-other", "name": "unused",
                    "fields": [{"path": "credentialsRef", "purposes": []}], "reserves": true, "users": [],
                },
            ],
        })
    );
    let unused = refs_in(&cluster(), &["creds", "-o", "json"]);
    let answer: Value = serde_json::from_str(&unused.output).unwrap();
    assert_eq!(
        (unused.code, &answer["secret"], &answer["isUsed"]),
        (0, &json!("default/creds"), &json!(false))
    );
}

#[test]
fn kinds_of_the_configuration_are_told_of_with_what_they_do_not_promise() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "garden-dev", "name": "pulls"},
        "spec": {"imagePullSecrets": [{"name": "pull"}]},
    });
    let run = refs_in(std::slice::from_ref(&pod), &["garden-dev/pull"]);
    assert_eq!(run.code, 0, "{run:?}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protection/configurations/pull-secrets.yaml");
    let run = refs_in(std::slice::from_ref(&pod), &["garden-dev/pull", "--config", file]);
    assert_eq!((run.code, &*run.errors), (1, ""));
    assert_eq!(
        run.output,
        "Secret garden-dev/pull is in use:\n  Pod garden-dev/pulls (spec.imagePullSecrets[0].name), without a reservation\n"
    );
    let run = refs_in(&[pod], &["garden-dev/pull", "--config", "/nonexistent"]);
    assert!(run.code == 2 && run.errors.contains("/nonexistent cannot be read"), "{run:?}");
}

#[test]
fn what_selects_a_secret_is_told_of_with_the_labels_and_what_it_is_for() {
    const KEY: &str = "operator.kyma-project.io/oci-registry-cred";
    let mut secret = registry_secret("kcp-system", "modules", &["ghcr.io"]);
    secret["metadata"]["labels"] = json!({KEY: "modules", "a": "b"});
    let labels = json!([label("modules")]);
    let state = [
        secret,
        manifest("kcp-system", "installed", "modules"),
        manifest("kcp-system", "other", "others"),
        template("sample", &v2(json!([layer("config", json!([])), layer("raw-manifest", labels)]))),
    ];
    let run = refs_in(&state, &["kcp-system/modules"]);
    let pulled = "ghcr.io/org/component-descriptors/example.io/module/sample";
    assert_eq!(
        (run.code, &*run.output, &*run.errors),
        (
            1,
            &*format!(
                "Secret kcp-system/modules is in use:\n  \
                 ModuleTemplate kyma-system/sample (spec.descriptor.component.resources[1].labels, selects {KEY}=modules, for \
                 {pulled}), without a reservation\n  \
                 Manifest kcp-system/installed (spec.install.source.credSecretSelector, selects {KEY}=modules, for {pulled}), \
                 without a reservation\n"
            ),
            ""
        )
    );
    let run = refs_in(&state, &["kcp-system/modules", "-o", "json"]);
    let answer: Value = serde_json::from_str(&run.output).unwrap();
    assert_eq!(
        answer["referrers"][1],
        json!({
            "kind": "Manifest", "namespace": "kcp-system", "name": "installed", "reserves": false, "users": [],
            "fields": [{
                "path": "spec.install.source.credSecretSelector",
                "purposes": [format!("selects {KEY}=modules"), format!("for {pulled}")],
            }],
        })
    );
    assert_eq!(refs_in(&state, &["kcp-system/other"]).code, 0);
    assert_eq!(refs_in(&state[1..], &["kcp-system/modules"]).code, 0, "its labels are not known");
    let folder = tempfile::tempdir().unwrap();
    for ignoring in ["findings: {lastSecret: Ignore}", "secretNamespaces: [istio-system]"] {
        let file = folder.path().join("regcred.yaml");
        let header = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration";
        std::fs::write(&file, format!("{header}\nmodules: {{{ignoring}}}")).unwrap();
        let run = refs_in(&state, &["kcp-system/modules", "--config", file.to_str().unwrap()]);
        assert_eq!((run.code, &*run.errors), (0, ""), "{ignoring}: {run:?}");
    }
}

#[test]
fn what_cannot_be_read_leaves_it_open_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "kind: [").unwrap();
    let state = folder.path().to_str().unwrap();
    let run = refs(Path::new("/nonexistent"), &["garden-dev/creds", "--state", state]);
    assert_eq!((run.code, &*run.output), (2, ""));
    assert!(run.errors.contains("broken.yaml"), "{}", run.errors);
}

#[test]
fn what_uses_it_is_certain_whatever_else_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "kind: [").unwrap();
    let used = shoot("garden-dev", "a", &["creds"]).to_string();
    std::fs::write(folder.path().join("shoot.json"), used).unwrap();
    let state = folder.path().to_str().unwrap();
    let run = refs(Path::new("/nonexistent"), &["garden-dev/creds", "--state", state]);
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("broken.yaml") && run.output.contains("is in use"), "{run:?}");
}

#[rstest]
#[case::empty("")]
#[case::no_name("garden-dev/")]
#[case::no_namespace("/creds")]
#[case::three_parts("garden-dev/creds/x")]
fn what_is_no_name_is_refused_with_what_is_meant(#[case] name: &str) {
    let run = refs_in(&cluster(), &[name]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("as in garden-dev/docker-creds-v1"), "{}", run.errors);
}

#[test]
fn without_a_cluster_and_files_it_says_what_to_give() {
    let run = refs(Path::new("/nonexistent"), &["garden-dev/creds"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("give the cluster's objects as files by --state"), "{}", run.errors);
}
