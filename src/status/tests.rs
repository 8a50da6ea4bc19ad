//! What is told of a credential.

mod changes;
mod spreading;
mod verdicts;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::*;
use crate::api::{RegistryCredential, RegistryCredentialStatus};
use crate::knowledge::Index;
use crate::model::copy::{CopyKey, Obstacle, copy_of};
use crate::model::source::SourceState;
use crate::model::source::tests::registry_secret;

const DOCUMENT: &str = r#"{"auths":{"ghcr.io":{},"quay.io":{}}}"#;
const NEWER: &str = r#"{"auths":{"ghcr.io":{"username":"newer"}}}"#;
const BROKEN: &str = r#"{"auths":{"ghcr.io":{"auth":"hunter2"}}}"#;

/// A cluster in which there is one credential, `ghcr`, and what is followed of it.
struct Cluster {
    index: Index,
    ledger: Ledger,
    started: Instant,
    /// Namespaces with a pod that needs it; `None` where pods are not known.
    needing: Option<Vec<&'static str>>,
}

impl Cluster {
    /// With these members of the spec besides a source, a good source, and these namespaces.
    fn new(spec: &Value, namespaces: &[&str]) -> Self {
        let cluster = Self {
            index: Index::new("regcred-system"),
            ledger: Ledger::default(),
            started: Instant::now(),
            needing: Some(Vec::new()),
        };
        cluster.credential(spec, 1);
        cluster.source(DOCUMENT);
        for namespace in namespaces {
            cluster.namespace(namespace);
        }
        cluster
    }

    fn eager(namespaces: &[&str]) -> Self {
        Self::new(&json!({"distribution": "Eager"}), namespaces)
    }

    fn credential(&self, spec: &Value, generation: i64) {
        let _ = self.index.apply_credential(&object("ghcr", spec, generation));
    }

    fn source(&self, document: &str) {
        self.index.apply_source(&registry_secret(document));
    }

    fn source_in_version(&self, document: &str, version: &str) {
        let mut secret = registry_secret(document);
        secret.metadata.resource_version = Some(version.into());
        self.index.apply_source(&secret);
    }

    fn namespace(&self, name: &str) {
        self.index.apply_namespace(&ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() });
    }

    /// The copy of what the source holds now.
    fn copy(&self, namespace: &str) {
        let known = self.index.snapshot();
        let credential = &known.credentials["ghcr"];
        let SourceState::Good(source) = &known.sources[&credential.source].state else {
            panic!("the source is not good");
        };
        let mut copy = copy_of(source, credential, &credential.copy_in(namespace));
        copy.metadata.uid = Some(format!("copy-in-{namespace}"));
        self.index.apply_copy(&copy);
    }

    /// Attempts to write the copy that failed.
    fn obstacle(&self, namespace: &str, obstacle: &Obstacle, attempts: u32) {
        let place = self.index.snapshot().credentials["ghcr"].copy_in(namespace);
        let key = CopyKey { place, credential_uid: "uid-of-ghcr".into() };
        for _ in 0..attempts {
            self.index.set_back(&key, obstacle.clone(), self.started);
        }
    }

    fn look(&mut self, seconds: u64) -> Vec<std::time::Duration> {
        let known = self.index.snapshot();
        let needing = self.needing.clone();
        let needs = move |_: &Snapshot, namespace: &str, _: &Credential| {
            needing.as_ref().map(|needing| needing.contains(&namespace))
        };
        let at = self.started + std::time::Duration::from_secs(seconds);
        let seen = Seen { at, wall_clock: moment(seconds) };
        known
            .credentials
            .get("ghcr")
            .map(|credential| self.ledger.look_everywhere(&known, &needs, credential, seen))
            .unwrap_or_default()
    }

    /// What would be told after a look, which is stored.
    fn status(&mut self, seconds: u64) -> RegistryCredentialStatus {
        self.look(seconds);
        let known = self.index.snapshot();
        let (_, status) = of(&known, "ghcr", &self.ledger, moment(seconds)).unwrap();
        let mut stored = object("ghcr", &json!({}), 1);
        stored.status = Some(status.clone());
        self.index.apply_status(&stored);
        status
    }
}

fn object(name: &str, spec: &Value, generation: i64) -> RegistryCredential {
    let mut object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}"), "generation": generation},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["team-*"]},
    });
    object["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

/// So many seconds after a date.
fn moment(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start + std::time::Duration::from_secs(seconds)
}

fn message(status: &RegistryCredentialStatus, type_: &str) -> String {
    status.condition(type_).unwrap().message.clone()
}

/// A rival's copy in the place of ours.
fn rival_copy(cluster: &Cluster, namespace: &str) {
    cluster.index.apply_credential(&object("acme", &json!({"copyName": "regcred-ghcr"}), 1)).unwrap();
    let known = cluster.index.snapshot();
    let credential: &Arc<Credential> = &known.credentials["acme"];
    let SourceState::Good(source) = &known.sources[&credential.source].state else { panic!("no source") };
    let copy: Secret = copy_of(source, credential, &credential.copy_in(namespace));
    cluster.index.apply_copy(&copy);
}
