//! A credential of the test's own, in an installation that no other test uses meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::audit::Event;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{raw_secret, registry_credential, registry_secret};
use crate::harness::{ControlPlane, Installation};

/// What takes a second on an idle machine may take this long on a busy one.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The same for kubectl.
pub(super) const TIMEOUT: &str = "--timeout=60s";

static TURN: Mutex<()> = Mutex::const_new(());

pub(super) struct Scene {
    _turn: MutexGuard<'static, ()>,
    installation: &'static Installation,
    /// The name of the credential, of its source, and of the label that its namespaces carry.
    pub(super) name: String,
    sources: String,
}

impl Scene {
    /// Nothing is there yet but the namespace for the source.
    pub(super) async fn set(prefix: &str) -> Self {
        let turn = TURN.lock().await;
        let installation = Installation::shared().await;
        let sources = installation.control_plane().namespace("sources").await;
        Self { _turn: turn, installation, name: unique(prefix), sources }
    }

    pub(super) fn control_plane(&self) -> &'static ControlPlane {
        self.installation.control_plane()
    }

    /// Offers the credential to all namespaces that carry its label, with more members of the spec.
    pub(super) async fn offer(&self, more: Value) {
        let mut spec = json!({"namespaceSelector": {"matchLabels": {"status": self.name}}});
        spec.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        self.apply(&registry_credential(&self.name, (&self.sources, &self.name), spec)).await;
    }

    /// Gives the source an entry for each of these registries.
    pub(super) async fn bring_source(&self, registries: &[&str]) {
        self.apply(&registry_secret(&self.sources, &self.name, registries)).await;
    }

    /// The source with an entry for each of these registries.
    pub(super) fn source_of(&self, registries: &[&str]) -> Value {
        registry_secret(&self.sources, &self.name, registries)
    }

    /// Replaces the source as a pipeline does, and returns its version.
    pub(super) async fn replace_source(&self, registries: &[&str]) -> String {
        let file = self.control_plane().manifest(&self.source_of(registries).to_string());
        self.kubectl(&["replace", "-f", &file, "-o", "jsonpath={.metadata.resourceVersion}"]).await
    }

    /// Gives the source a content that the API server takes and the kubelet could not decode.
    pub(super) async fn break_source(&self) {
        let broken = r#"{"auths":{"broken.example":{"auth":"hunter2"}}}"#;
        self.apply(&raw_secret(&self.sources, &self.name, broken)).await;
    }

    pub(super) fn source(&self) -> String {
        format!("{}/{}", self.sources, self.name)
    }

    /// A namespace that is offered the credential.
    pub(super) async fn namespace(&self, prefix: &str) -> String {
        let name = unique(prefix);
        let labels = json!({"status": self.name});
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.apply(&object).await;
        name
    }

    pub(super) async fn apply(&self, object: &Value) {
        self.control_plane().apply(&object.to_string()).await;
    }

    pub(super) async fn kubectl(&self, arguments: &[&str]) -> String {
        self.control_plane().kubectl(arguments).await.succeeded()
    }

    /// Waits for a condition as a user does.
    pub(super) async fn wait_for(&self, condition: &str) {
        let object = format!("regcred/{}", self.name);
        self.kubectl(&["wait", &format!("--for=condition={condition}"), &object, TIMEOUT]).await;
    }

    pub(super) async fn object(&self) -> Value {
        self.control_plane().kubectl(&["get", "regcred", &self.name, "-o", "json"]).await.json()
    }

    pub(super) async fn status(&self) -> Value {
        self.object().await["status"].take()
    }

    /// Waits until the status is as it should be, and returns it.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status().await;
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "not {what}: {status:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The reasons of the Events on an object, in a namespace or in `default`.
    pub(super) async fn events(&self, namespace: &str, name: &str) -> Vec<String> {
        let field = format!("--field-selector=involvedObject.name={name}");
        let get = ["get", "events", "--namespace", namespace, &field, "-o", "json"];
        let events = self.control_plane().kubectl(&get).await.json();
        let reason = |event: &Value| event["reason"].as_str().unwrap().to_owned();
        events["items"].as_array().unwrap().iter().map(reason).collect()
    }

    /// Waits until there are Events for all these reasons.
    pub(super) async fn told(&self, namespace: &str, name: &str, reasons: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.events(namespace, name).await;
            if reasons.iter().all(|reason| told.iter().any(|one| one == reason)) {
                return;
            }
            assert!(Instant::now() < deadline, "{told:?} lacks one of {reasons:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The calls of our own servers since a position of the audit log, but the watches, each of which ends after a minute
    /// and begins again.
    pub(super) async fn calls(&self, since: usize) -> Vec<Event> {
        let replicas = self.installation.replicas();
        let made = |call: &Event| call.verb != "watch" && replicas.iter().any(|replica| replica.made(call));
        self.control_plane().audit().since(since, made).await
    }

    /// The writes of the credential's status since then.
    pub(super) async fn writes(&self, since: usize) -> Vec<Event> {
        let mut calls = self.calls(since).await;
        calls.retain(|call| call.subresource == "status" && call.name == self.name);
        calls
    }

    /// The sum over all servers of a metric.
    pub(super) async fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let mut sum = 0.0;
        for replica in self.installation.replicas() {
            sum += replica.metrics().await.sum(metric, labels);
        }
        sum
    }
}

/// The status and reason of a condition, as `True Usable`.
pub(super) fn condition(status: &Value, type_: &str) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == type_).unwrap_or_default();
    format!(
        "{} {}",
        found["status"].as_str().unwrap_or_default(),
        found["reason"].as_str().unwrap_or_default()
    )
}
