//! Kinds that keep their Secrets because the configuration says so.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Installation;
use crate::harness::control_plane::Options;
use crate::scene::{Kubectl, SOON, is_marked, mutable, start};

const NONE: &str = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n";
const SHIPPED: &str = include_str!("configurations/pull-secrets.yaml");
const WIDGETS: &str = include_str!("configurations/widgets.yaml");

/// What the configuration needs, as the operator would grant it.
async fn grant(installation: &Installation, file: &Path) {
    let printed = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["manifests", "protection-rbac", "--config"])
        .arg(file)
        .output()
        .unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let roles: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(printed.stdout).unwrap()).unwrap();
    let control_plane = installation.control_plane();
    let list =
        control_plane.manifest(&json!({"apiVersion": "v1", "kind": "List", "items": roles}).to_string());
    control_plane.kubectl(&["apply", "-f", &list]).await.succeeded();
}

fn write(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn account(kubectl: &Kubectl<'_>, secret: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": kubectl.namespace, "name": "puller"},
        "imagePullSecrets": [{"name": secret}],
    })
}

fn pod(kubectl: &Kubectl<'_>, secret: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": kubectl.namespace, "name": "pulls"},
        "spec": {"containers": [{"name": "a", "image": "registry.example.com/a"}], "imagePullSecrets": [{"name": secret}]},
    })
}

/// A ServiceAccount that names `of-account`, and a pod that names `of-pod`.
async fn pull_secrets(kubectl: &Kubectl<'_>) {
    for name in ["of-account", "of-pod"] {
        kubectl.apply(&mutable(&kubectl.namespace, name)).await.succeeded();
    }
    kubectl.apply(&account(kubectl, "of-account")).await.succeeded();
    kubectl.apply(&pod(kubectl, "of-pod")).await.succeeded();
}

/// Waits until a deletion would be refused, or would not.
async fn until_deletion(kubectl: &Kubectl<'_>, secret: &str, is_refused: bool) {
    let begun = Instant::now();
    loop {
        let output = kubectl.run(&["delete", "secret", secret, "--dry-run=server"]).await;
        if (output.code != 0) == is_refused {
            return;
        }
        assert!(begun.elapsed() < SOON, "{secret}: {} {}", output.code, output.stderr);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_secrets_of_accounts_and_pods_stay_where_that_is_configured_and_as_long_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("regcred.yaml");
    write(&file, NONE);
    let installation = start(Options::default(), &[&format!("--config={}", file.display())]).await;
    let kubectl = Kubectl::new(installation.control_plane(), "kinds").await;
    pull_secrets(&kubectl).await;
    for secret in ["of-account", "of-pod"] {
        kubectl.delete_secret(secret).await.succeeded();
        kubectl.apply(&mutable(&kubectl.namespace, secret)).await.succeeded();
    }

    write(&file, SHIPPED);
    grant(&installation, &file).await;
    for secret in ["of-account", "of-pod"] {
        until_deletion(&kubectl, secret, true).await;
    }
    let namespace = &kubectl.namespace;
    let told = kubectl.delete_secret("of-account").await.failed();
    let expected = format!(
        "Secret {namespace}/of-account is still used by ServiceAccount {namespace}/puller (imagePullSecrets[0].name); \
         point the ServiceAccount at another Secret first"
    );
    assert!(told.contains(&expected), "{told}");
    let told = kubectl.delete_secret("of-pod").await.failed();
    let expected = format!("used by Pod {namespace}/pulls (spec.imagePullSecrets[0].name)");
    assert!(told.contains(&expected), "{told}");
    // What is watched is marked, so that it stays also while nobody answers. Pods are only listed.
    kubectl.until("of-account", "marked", is_marked).await;
    kubectl.delete_secret("of-account").await.failed();
    assert!(!is_marked(&kubectl.secret("of-pod").await.unwrap()));
    // As of now, not of when a watch has told.
    kubectl.apply(&account(&kubectl, "another")).await.succeeded();
    kubectl.delete_secret("of-account").await.succeeded();
    kubectl.patch("pod", "pulls", &json!({"metadata": {"labels": {"a": "b"}}})).await.succeeded();
    kubectl.delete_secret("of-pod").await.failed();
    let done = json!({"status": {"phase": "Succeeded"}}).to_string();
    kubectl
        .run(&["patch", "pod", "pulls", "--subresource=status", "--type=merge", "-p", &done])
        .await
        .succeeded();
    kubectl.delete_secret("of-pod").await.succeeded();

    kubectl.apply(&mutable(namespace, "another")).await.succeeded();
    kubectl.until("another", "marked", is_marked).await;
    write(&file, NONE);
    kubectl.until("another", "not marked any more", |secret| !is_marked(secret)).await;
    until_deletion(&kubectl, "another", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_later_keeps_secrets_of_the_namespaces_that_it_names_while_it_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("regcred.yaml");
    write(&file, WIDGETS);
    let installation = start(Options::default(), &[&format!("--config={}", file.display())]).await;
    let control_plane = installation.control_plane();
    let kubectl = Kubectl::new(control_plane, "widgets").await;
    let elsewhere = control_plane.namespace("widgets-elsewhere").await;
    grant(&installation, &file).await;
    kubectl.apply(&mutable(&kubectl.namespace, "used")).await.succeeded();
    let free = mutable(&kubectl.namespace, "free");
    kubectl.apply(&free).await.succeeded();
    kubectl.delete_secret("free").await.succeeded();

    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version =
        json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "versions": [version],
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        },
    });
    kubectl.apply(&definition).await.succeeded();
    let established = ["wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=60s"];
    control_plane.kubectl(&established).await.succeeded();
    let mut widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"namespace": elsewhere, "name": "one"},
        "spec": {"active": true, "refs": [{"name": "none"}, {"name": "used", "namespace": kubectl.namespace}]},
    });
    kubectl.apply(&widget).await.succeeded();
    // It is looked for at times.
    let begun = Instant::now();
    while !is_marked(&kubectl.secret("used").await.unwrap()) {
        assert!(begun.elapsed() < Duration::from_secs(90), "not marked");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let told = kubectl.delete_secret("used").await.failed();
    let by = format!("used by Widget {elsewhere}/one (spec.refs[1].name)");
    assert!(told.contains(&by), "{told}");
    widget["spec"]["active"] = false.into();
    kubectl.apply(&widget).await.succeeded();
    kubectl.delete_secret("used").await.succeeded();
}
