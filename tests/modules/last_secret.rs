//! The last Secret that modules are pulled with, and whoever takes it away.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::both_ways::Verdict;
use crate::configuration::{taken_up, write};
use crate::harness::control_plane::Options;
use crate::harness::credentials::registry_secret;
use crate::harness::kubectl::Output;
use crate::harness::modules::{know_manifests, labelled, manifest};
use crate::harness::{Installation, User};
use crate::scene::{KEY, know_modules, label, layer, registered, template, v2};

/// What comes by a watch comes within a moment; a busy machine takes longer.
const SOON: Duration = Duration::from_secs(30);

/// An installation in a cluster that knows modules and what comes of them.
struct Scene {
    installation: Installation,
    configuration: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regcred.yaml");
        write(&file, configuration);
        let more = format!("--config={}", file.display());
        let installation = Installation::install_on(Options::default(), &[&more]).await;
        let control_plane = installation.control_plane();
        know_modules(control_plane).await;
        know_manifests(control_plane).await;
        control_plane.kubectl(&["create", "namespace", "kcp-system"]).await.succeeded();
        installation.add_replicas().await;
        installation.registered().await;
        registered(installation.control_plane()).await;
        Self { installation, configuration: file, _folder: folder }
    }

    async fn kubectl(&self, arguments: &[&str]) -> Output {
        let arguments = [&["--namespace=kcp-system"], arguments].concat();
        self.installation.control_plane().kubectl_as(User::Admin, &arguments).await
    }

    async fn apply(&self, object: &Value) {
        self.installation.control_plane().apply_as(User::Admin, &object.to_string()).await.succeeded();
    }

    async fn delete(&self, secret: &str) -> Output {
        self.kubectl(&["delete", "secret", secret]).await
    }

    /// Waits until a deletion would be answered so.
    async fn until_deletion(&self, secret: &str, is_so: impl Fn(&Output) -> bool) {
        let begun = Instant::now();
        loop {
            let output = self.kubectl(&["delete", "secret", secret, "--dry-run=server"]).await;
            if is_so(&output) {
                return;
            }
            assert!(begun.elapsed() < SOON, "{secret}: {} {}", output.code, output.stderr);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Everything that counts, as it is stored.
    async fn state(&self) -> Vec<Value> {
        let get = ["get", "secrets,moduletemplates,manifests", "--all-namespaces", "-o", "json"];
        let mut list = self.installation.control_plane().kubectl(&get).await.json();
        serde_json::from_value(list["items"].take()).unwrap()
    }
}

/// A Secret for a registry that has this value of the conventional label.
fn secret(name: &str, value: &str, registry: &str) -> Value {
    let mut secret = labelled(registry_secret("kcp-system", name, &[registry]));
    secret["metadata"]["labels"][KEY] = value.into();
    secret
}

fn module(name: &str, value: &str) -> Value {
    template(name, &v2(json!([layer("raw-manifest", json!([label(value)]))])))
}

/// What is said of the last Secret of an object.
fn told(of: &str, value: &str) -> Vec<String> {
    vec![
        format!("no other Secret has credentials for {of}"),
        format!("give another one with such credentials these labels: {KEY}={value}"),
    ]
}

fn warnings(output: &Output) -> Vec<String> {
    assert_eq!(output.code, 0, "{}", output.stderr);
    let lines = output.stderr.lines().filter_map(|line| line.strip_prefix("Warning: "));
    lines.map(str::to_owned).collect()
}

/// Modules with one Secret, with two, and one that is only installed yet; and Secrets that nobody needs.
async fn set_up(scene: &Scene) {
    for (name, value, registry) in [
        ("alone", "alone", "ghcr.io"),
        ("elsewhere", "alone", "quay.io"),
        ("one", "pair", "ghcr.io"),
        ("another", "pair", "ghcr.io/org"),
        ("of-manifest", "manifest", "ghcr.io"),
        ("unneeded", "unneeded", "ghcr.io"),
    ] {
        scene.apply(&secret(name, value, registry)).await;
    }
    scene.apply(&module("single", "alone")).await;
    scene.apply(&module("paired", "pair")).await;
    scene.apply(&manifest("kcp-system", "installed", "manifest")).await;
}

const SINGLE: &str = "ModuleTemplate kyma-system/single";
const PAIRED: &str = "ModuleTemplate kyma-system/paired";
const INSTALLED: &str = "Manifest kcp-system/installed";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_last_secret_away_is_told_by_the_server_and_offline_alike() {
    let scene = Scene::set("").await;
    set_up(&scene).await;
    for secret in ["alone", "of-manifest"] {
        scene.until_deletion(secret, |output| !warnings(output).is_empty()).await;
    }

    let state = scene.state().await;
    let stored = |name: &str| {
        let is_named = |item: &&Value| item["kind"] == "Secret" && item["metadata"]["name"] == name;
        state.iter().find(is_named).unwrap().clone()
    };
    let relabelled = |name: &str, labels: Value| {
        let mut secret = stored(name);
        secret["metadata"]["labels"] = labels;
        secret
    };
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": state});
    std::fs::write(&old, list.to_string()).unwrap();
    let as_update = ["--operation=update", "--old", old.to_str().unwrap()];
    let rows = [
        ("delete", stored("alone"), told(SINGLE, "alone")),
        ("delete", stored("elsewhere"), vec![]),
        ("delete", stored("one"), vec![]),
        ("delete", stored("of-manifest"), told(INSTALLED, "manifest")),
        ("delete", stored("unneeded"), vec![]),
        ("replace", relabelled("alone", json!({"a": "b"})), told(SINGLE, "alone")),
        ("replace", relabelled("alone", json!({KEY: "alone"})), {
            vec!["Lifecycle Manager before 2024 wants label operator.kyma-project.io/managed-by: lifecycle-manager".into()]
        }),
        ("replace", relabelled("another", json!({})), vec![]),
    ];
    for (verb, object, expected) in rows {
        let server = Verdict::of_server(scene.installation.control_plane(), verb, &object).await;
        assert_eq!((server.allowed, &server.warnings), (true, &expected), "{verb} {object}");
        let more: &[&str] = if verb == "delete" { &["--operation=delete"] } else { &as_update };
        let offline = Verdict::offline(&[object], &state, more).into_values().next();
        let descriptor = Value::Null;
        assert_eq!(offline, Some(Verdict { descriptor, ..server }));
    }

    let unlabel = scene.kubectl(&["label", "secret", "alone", &format!("{KEY}-")]).await;
    assert_eq!(warnings(&unlabel), told(SINGLE, "alone"));
    assert_eq!(warnings(&scene.delete("alone").await), [""; 0], "it is needed no more than any other");
    assert_eq!(warnings(&scene.delete("one").await), [""; 0]);
    assert_eq!(warnings(&scene.delete("another").await), told(PAIRED, "pair"), "now it is the last");
    // Of many that are deleted at once the API server names none.
    let all = "/api/v1/namespaces/kcp-system/secrets?labelSelector=operator.kyma-project.io%2Foci-registry-cred%3Dmanifest";
    let deleted = scene.installation.control_plane().kubectl_as(User::Admin, &["delete", "--raw", all]).await;
    assert_eq!(warnings(&deleted), told(INSTALLED, "manifest"));
    let mut counted = 0.0;
    for replica in scene.installation.replicas() {
        let labels = [("finding", "last_secret")];
        counted += replica.metrics().await.sum("regcred_module_findings_total", &labels);
    }
    assert!(counted >= 3.0, "{counted}");
}

/// What is written into the configuration, and how many files there have been.
async fn configure(scene: &Scene, action: &str, files: u32) {
    let path: &Path = &scene.configuration;
    write(path, &format!("modules: {{findings: {{lastSecret: {action}}}}}"));
    taken_up(&scene.installation, files).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_refused_where_that_is_configured_as_long_as_it_is_needed_and_not_looked_at_where_it_is_ignored()
 {
    let scene = Scene::set("modules: {findings: {lastSecret: Deny}}").await;
    set_up(&scene).await;
    for secret in ["alone", "of-manifest"] {
        scene.until_deletion(secret, |output| output.code != 0).await;
    }
    let refused = scene.delete("alone").await.failed();
    let expected = format!(
        "admission webhook \"module-secrets.regcred.dev\" denied the request: Secret kcp-system/alone is the last one that \
         Lifecycle Manager can pull these with: {SINGLE} (spec.descriptor.component.resources[0].labels, for \
         ghcr.io/org/component-descriptors/example.io/module/sample); first give another Secret with such credentials the \
         labels {KEY}=alone"
    );
    assert!(refused.contains(&expected), "{refused}");
    let unlabel = ["label", "secret", "of-manifest", &format!("{KEY}-")];
    let refused = scene.kubectl(&unlabel).await.failed();
    assert!(
        refused.contains(&format!("{INSTALLED} (spec.install.source.credSecretSelector, for ")),
        "{refused}"
    );
    for free in ["one", "elsewhere", "unneeded"] {
        assert_eq!(warnings(&scene.delete(free).await), [""; 0], "{free}");
    }
    scene.delete("another").await.failed();

    // As of now, not of when a watch has told.
    scene.kubectl(&["delete", "manifest", "installed"]).await.succeeded();
    assert_eq!(warnings(&scene.kubectl(&unlabel).await), [""; 0]);
    scene.apply(&secret("instead", "alone", "ghcr.io")).await;
    assert_eq!(warnings(&scene.delete("alone").await), [""; 0]);

    configure(&scene, "Ignore", 2).await;
    assert_eq!(warnings(&scene.delete("instead").await), [""; 0]);
    configure(&scene, "Warn", 3).await;
    scene.until_deletion("another", |output| warnings(output) == told(PAIRED, "pair")).await;
}
