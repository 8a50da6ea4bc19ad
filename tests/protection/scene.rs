//! An installation in a cluster that knows Gardener's kinds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::control_plane::Options;
use crate::harness::gardener::know_shoots;
use crate::harness::kubectl::Output;
use crate::harness::{ControlPlane, Installation, User};

/// What comes by a watch, or by the leader, comes within a moment; a busy machine takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The installation of the tests that do not disturb it.
pub(crate) async fn installation() -> &'static Installation {
    static INSTALLED: OnceCell<Installation> = OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            crate::harness::background::spawn(async { start(Options::default(), &[]).await }).await.unwrap()
        })
        .await
}

/// A new one.
pub(crate) async fn start(options: Options, more: &[&str]) -> Installation {
    let installation = Installation::install_on(options, more).await;
    know_shoots(installation.control_plane()).await;
    installation.add_replicas().await;
    installation.registered().await;
    guarded(&installation).await;
    installation
}

/// Waits until the API server asks about Shoots, which it does at about the same time as about pods.
async fn guarded(installation: &Installation) {
    let control_plane = installation.control_plane();
    let namespace = control_plane.namespace("guarded").await;
    let shoot = crate::harness::gardener::shoot(&namespace, "probe", &["missing"]);
    let file = control_plane.manifest(&shoot.to_string());
    let begun = Instant::now();
    loop {
        let answer = control_plane.kubectl(&["create", "--dry-run=server", "-f", &file]).await;
        if answer.code != 0 && answer.stderr.contains("does not exist") {
            return;
        }
        assert!(begun.elapsed() < SOON, "Shoots are not asked about: {} {}", answer.code, answer.stderr);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The finalizer by which Gardener holds the Secrets of Shoots.
pub(crate) const HELD: &str = "gardener.cloud/reference-protection";

/// Looks until it is so.
pub(crate) async fn eventually(what: &str, limit: Duration, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < limit, "not so after {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An immutable Secret with the credentials of an upstream.
pub(crate) fn credentials(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name, "labels": {"team": "a"}},
        "type": "Opaque", "immutable": true, "stringData": {"username": "john", "password": "swordfish"},
    })
}

/// A Secret that can be changed.
pub(crate) fn mutable(namespace: &str, name: &str) -> Value {
    let mut secret = credentials(namespace, name);
    secret["immutable"] = false.into();
    secret
}

/// A Shoot with a cache for docker.io whose credentials are in this Secret.
pub(crate) fn caching(namespace: &str, name: &str, secret: &str) -> Value {
    let mut shoot = crate::harness::gardener::shoot(namespace, name, &[secret]);
    shoot["spec"]["resources"][0]["name"] = "docker-creds".into();
    shoot["spec"]["extensions"] = json!([{
        "type": "registry-cache",
        "providerConfig": {
            "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig",
            "caches": [{"upstream": "docker.io", "secretReferenceName": "docker-creds"}],
        },
    }]);
    shoot["spec"]["provider"] = json!({"workers": [{"name": "worker", "cri": {"name": "containerd"}}]});
    shoot
}

/// kubectl in one namespace, as the admin.
pub(crate) struct Kubectl<'a> {
    pub(crate) control_plane: &'a ControlPlane,
    pub(crate) namespace: String,
}

impl<'a> Kubectl<'a> {
    /// In a new namespace.
    pub(crate) async fn new(control_plane: &'a ControlPlane, prefix: &str) -> Self {
        let namespace = control_plane.namespace(prefix).await;
        Self { control_plane, namespace }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let namespace = format!("--namespace={}", self.namespace);
        let arguments = [&[namespace.as_str()], arguments].concat();
        self.control_plane.kubectl_as(User::Admin, &arguments).await
    }

    /// Applies an object.
    pub(crate) async fn apply(&self, object: &Value) -> Output {
        self.control_plane.apply_as(User::Admin, &object.to_string()).await
    }

    /// Does something with the object of a file, such as `create` or `replace`.
    pub(crate) async fn with(&self, command: &[&str], object: &Value) -> Output {
        let file = self.control_plane.manifest(&object.to_string());
        self.run(&[command, &["-f", &file]].concat()).await
    }

    pub(crate) async fn delete_secret(&self, name: &str) -> Output {
        self.run(&["delete", "secret", name, "--wait=false"]).await
    }

    pub(crate) async fn secret(&self, name: &str) -> Option<Value> {
        let output = self.run(&["get", "secret", name, "-o", "json", "--ignore-not-found"]).await.succeeded();
        (!output.trim().is_empty()).then(|| serde_json::from_str(&output).unwrap())
    }

    /// A merge patch.
    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Output {
        self.run(&["patch", kind, name, "--type=merge", "--patch", &patch.to_string()]).await
    }

    /// A merge patch of a Secret by Gardener's controller manager.
    pub(crate) async fn patch_as_controller(&self, name: &str, patch: &Value) -> Output {
        let patch = patch.to_string();
        let by = "--as=system:serviceaccount:kube-system:gardener-controller-manager";
        let command =
            ["patch", "secret", name, "--type=merge", "--patch", &patch, by, "--as-group=system:masters"];
        self.run(&command).await
    }

    /// Waits until the Secret is so.
    pub(crate) async fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let secret = self.secret(name).await.unwrap_or_default();
            if is_so(&secret) {
                return secret;
            }
            assert!(begun.elapsed() < SOON, "{name} is not {what} after {SOON:?}: {secret}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub(crate) fn is_marked(secret: &Value) -> bool {
    secret["metadata"]["labels"]["regcred.dev/in-use"] == "true"
}

/// The names of its reservations.
pub(crate) fn reservations(secret: &Value) -> Vec<String> {
    let annotations = secret["metadata"]["annotations"].as_object();
    let names = annotations.into_iter().flat_map(|all| all.keys());
    names.filter(|name| name.starts_with("reservation.regcred.dev/")).cloned().collect()
}
