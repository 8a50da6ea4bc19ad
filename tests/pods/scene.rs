//! A namespace of a test's own, and pods in it that no kubelet runs: the test says how they fare.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::harness::control_plane::unique;
use crate::harness::credentials::{registry_credential, registry_secret};
use crate::harness::replica::Replica;
use crate::harness::{ControlPlane, Installation, User};

/// What takes a moment on an idle machine may take this long on a busy one.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two looks.
const POLL: Duration = Duration::from_millis(50);

/// How a pod fares, as the kubelet would say it.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// Its image cannot be pulled.
    Failing,
    /// The same of one container, while another has run and ended: such a pod counts for a budget.
    FailingAfterAStart,
    /// The same of one container, while another runs.
    Running,
    /// It has run to its end.
    Finished,
}

impl Fate {
    fn status(self) -> Value {
        let container = |name: &str, state: Value| json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        let waiting = || container("c0", json!({"waiting": {"reason": "ImagePullBackOff"}}));
        let (phase, containers) = match self {
            Self::Failing => ("Pending", vec![waiting()]),
            Self::FailingAfterAStart => {
                ("Running", vec![waiting(), container("c1", json!({"terminated": {"exitCode": 0}}))])
            }
            Self::Running => ("Running", vec![waiting(), container("c1", json!({"running": {}}))]),
            Self::Finished => ("Succeeded", Vec::new()),
        };
        json!({"status": {"phase": phase, "containerStatuses": containers}})
    }
}

/// A namespace, and a credential that may come later.
pub(crate) struct Scene<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    name: String,
}

impl<'a> Scene<'a> {
    pub(crate) async fn enter(installation: &'a Installation) -> Self {
        let client = installation.control_plane().client(User::Admin).await;
        let namespace = installation.control_plane().namespace("team").await;
        Self { installation, client, namespace, name: unique("registry") }
    }

    pub(crate) fn control_plane(&self) -> &ControlPlane {
        self.installation.control_plane()
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The pull Secret that the pods of the test need.
    pub(crate) fn copy(&self) -> String {
        format!("regcred-{}", self.name)
    }

    /// Brings the credential.
    pub(crate) async fn offer(&self) {
        let sources = self.control_plane().namespace("sources").await;
        let registry = format!("{}.example", self.name);
        self.control_plane().apply(&registry_secret(&sources, &self.name, &[&registry]).to_string()).await;
        let offer = json!({"namespaces": [self.namespace]});
        self.control_plane()
            .apply(&registry_credential(&self.name, (&sources, &self.name), offer).to_string())
            .await;
    }

    fn spec(&self) -> Value {
        json!({
            // They have no node, so they go at once.
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "c0", "image": format!("{}.example/team/app:1", self.name)},
                {"name": "c1", "image": "public.example/app"},
            ],
        })
    }

    /// A pod of its own.
    pub(crate) async fn bare_pod(&self, name: &str) -> Pod {
        let object = json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": self.spec()});
        let pod = serde_json::from_value(object).unwrap();
        self.api::<Pod>().create(&PostParams::default(), &pod).await.unwrap()
    }

    /// A `ReplicaSet`, once its pods are there.
    pub(crate) async fn replica_set(&self, name: &str, replicas: usize) -> Vec<Pod> {
        let object = json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": self.spec()},
            },
        });
        let set: ReplicaSet = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &set).await.unwrap();
        self.until(&format!("{replicas} pods of {name}"), async || {
            let pods = self.pods(name).await;
            (pods.len() == replicas).then_some(pods)
        })
        .await
    }

    /// A budget that lets no pod of this name go.
    pub(crate) async fn keep(&self, name: &str) {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"namespace": self.namespace, "name": name},
            "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": name}}},
        });
        self.control_plane().apply(&budget.to_string()).await;
    }

    /// The pods of this name that are not going.
    pub(crate) async fn pods(&self, name: &str) -> Vec<Pod> {
        let labelled = ListParams::default().labels(&format!("app={name}"));
        let pods = self.api::<Pod>().list(&labelled).await.unwrap().items;
        pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    /// Says how a pod fares.
    pub(crate) async fn fares(&self, pod: &Pod, fate: Fate) {
        let patch = Patch::Strategic(fate.status());
        self.api::<Pod>().patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.unwrap();
    }

    /// The reasons of the Events about an object of this name.
    pub(crate) async fn told(&self, name: &str) -> Vec<String> {
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap().items;
        let about = |event: &Event| event.regarding.as_ref().and_then(|it| it.name.as_deref()) == Some(name);
        events.into_iter().filter(about).filter_map(|event| event.reason).collect()
    }

    /// Waits until somebody has been told this about an object.
    pub(crate) async fn is_told(&self, name: &str, reason: &str) {
        self.until(&format!("an Event {reason} about {name}"), async || {
            self.told(name).await.contains(&reason.to_owned()).then_some(())
        })
        .await;
    }

    /// Waits until the leader counts so many pods that lack their pull Secret: running, failing, other.
    pub(crate) async fn counted(&self, expected: [u32; 3]) {
        let expected = expected.map(f64::from);
        let mut seen = [f64::NAN; 3];
        let deadline = Instant::now() + PATIENCE;
        while seen.map(f64::to_bits) != expected.map(f64::to_bits) {
            assert!(Instant::now() < deadline, "counted are {seen:?} and not {expected:?}");
            tokio::time::sleep(POLL).await;
            let leader = leader(self.installation).await;
            seen = lacking(&leader).await;
        }
    }

    /// Waits for something.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(Instant::now() < deadline, "{what}: not seen after {PATIENCE:?}");
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The pull Secrets that a pod names.
pub(crate) fn pull_secrets(pod: &Pod) -> Vec<String> {
    let references = pod.spec.as_ref().and_then(|spec| spec.image_pull_secrets.as_ref());
    references.into_iter().flatten().map(|reference| reference.name.clone()).collect()
}

/// The replica that leads.
pub(crate) async fn leader(installation: &Installation) -> Arc<Replica> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for replica in installation.replicas() {
            if replica.metrics().await.sum("regcred_leader", &[]) > 0.5 {
                return replica;
            }
        }
        assert!(Instant::now() < deadline, "nobody leads after {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// How many pods lack their pull Secret, as a replica counts: running, failing, other.
pub(crate) async fn lacking(replica: &Replica) -> [f64; 3] {
    let metrics = replica.metrics().await;
    ["running", "failing", "other"]
        .map(|state| metrics.sum("regcred_pods_lacking_pull_secret", &[("state", state)]))
}
