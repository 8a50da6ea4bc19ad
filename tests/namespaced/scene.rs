//! An installation that is limited to some namespaces.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, raw_secret, registry_credential, registry_secret};
use crate::harness::kubectl::Output;
use crate::harness::modules::{know_modules, label, labelled, layer, registered, template, v2};
use crate::harness::{ControlPlane, Installation, User, background};

/// Where sources are, where pods are, and one that goes.
pub(crate) const LISTED: [&str; 3] = ["registries", "team-a", "team-b"];
/// What takes a moment on an idle machine may take this long on a busy one.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two looks.
const POLL: Duration = Duration::from_millis(100);

pub(crate) struct Scene {
    pub(crate) installation: &'static Installation,
    /// Name of the credential, and of its source.
    pub(crate) name: String,
}

impl Scene {
    pub(crate) async fn enter(prefix: &str) -> Self {
        static SHARED: OnceCell<Result<Installation, String>> = OnceCell::const_new();
        let started = SHARED
            .get_or_init(|| async {
                let start = async { Installation::start_namespaced(&LISTED, &[]).await };
                background::spawn(start).await.map_err(|error| error.to_string())
            })
            .await;
        let installation = started.as_ref().unwrap_or_else(|problem| panic!("no installation: {problem}"));
        Self { installation, name: unique(prefix) }
    }

    pub(crate) fn control_plane(&self) -> &'static ControlPlane {
        self.installation.control_plane()
    }

    /// An image that the credential answers for.
    pub(crate) fn image(&self) -> String {
        format!("{}.example/app:1", self.name)
    }

    /// The name of its copies.
    pub(crate) fn copy(&self) -> String {
        format!("regcred-{}", self.name)
    }

    fn document(&self, password: &str) -> String {
        let registry = format!("{}.example", self.name);
        json!({"auths": {registry: {"username": "u", "password": password}}}).to_string()
    }

    /// Writes the source with this password.
    pub(crate) async fn set_source(&self, namespace: &str, password: &str) {
        let secret = raw_secret(namespace, &self.name, &self.document(password));
        self.control_plane().apply(&secret.to_string()).await;
    }

    /// A credential whose source is in this namespace.
    pub(crate) async fn offer(&self, source_namespace: &str, spec: Value) {
        let credential = registry_credential(&self.name, (source_namespace, &self.name), spec);
        self.control_plane().apply(&credential.to_string()).await;
    }

    /// Creates a pod, and returns its pull Secrets.
    pub(crate) async fn pod(&self, namespace: &str) -> Vec<String> {
        let name = unique("pod");
        let pod = pod(namespace, &name, &[&self.image()]);
        self.control_plane().apply_as(User::Developer, &pod.to_string()).await.succeeded();
        let get = ["get", "pod", &name, "--namespace", namespace, "-o", "json"];
        let stored = self.control_plane().kubectl(&get).await.json();
        let names = stored["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
        names.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Creates pods until one has the pull Secret.
    pub(crate) async fn pod_with_secret(&self, namespace: &str) {
        let what = format!("a pod in {namespace} with the pull Secret");
        self.until(&what, async || (self.pod(namespace).await == [self.copy()]).then_some(())).await;
    }

    /// Waits until the copy in a namespace has this password; returns its uid.
    pub(crate) async fn copy_holds(&self, namespace: &str, password: &str) -> String {
        let expected = BASE64_STANDARD.encode(self.document(password));
        let what = format!("a copy in {namespace} with the password {password:?}");
        self.until(&what, async || {
            let copy = self.secret(namespace).await?;
            let uid = copy["metadata"]["uid"].as_str().unwrap().to_owned();
            (copy["data"][".dockerconfigjson"] == *expected).then_some(uid)
        })
        .await
    }

    /// What is there under the copy's name.
    pub(crate) async fn secret(&self, namespace: &str) -> Option<Value> {
        let get =
            ["get", "secret", &self.copy(), "--namespace", namespace, "-o", "json", "--ignore-not-found"];
        let output = self.control_plane().kubectl(&get).await.succeeded();
        (!output.trim().is_empty()).then(|| serde_json::from_str(&output).unwrap())
    }

    /// Writes a Secret that modules are pulled with, and a module that names it; returns what is said of the module.
    pub(crate) async fn module_with_secret_in(&self, namespace: &str) -> Output {
        static KNOWN: OnceCell<()> = OnceCell::const_new();
        let control_plane = self.control_plane();
        let known = || async {
            know_modules(control_plane).await;
            registered(control_plane).await;
        };
        KNOWN.get_or_init(known).await;
        let secret = labelled(registry_secret(namespace, &self.name, &["ghcr.io"]));
        control_plane.apply(&secret.to_string()).await;
        let descriptor = v2(json!([layer("raw-manifest", json!([label(&self.name)]))]));
        let template = template(&unique("sample"), &descriptor);
        control_plane.apply_as(User::Admin, &template.to_string()).await
    }

    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(Instant::now() < deadline, "{}: {what} is not seen after {PATIENCE:?}", self.name);
            tokio::time::sleep(POLL).await;
        }
    }
}
