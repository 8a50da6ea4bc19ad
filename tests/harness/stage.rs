//! The installation of a test binary, for one test at a time: tests that load or disturb it take turns.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::audit::Event;
use super::control_plane::ControlPlane;
use super::credentials::{pod, registry_credential, registry_secret};
use super::installation::Installation;
use super::proxy::WatchDelay;
use super::replica::Replica;
use super::reviews;
use super::users::User;

static TURN: Mutex<()> = Mutex::const_new(());

/// One credential that no other test has, in an installation that nobody else uses meanwhile.
pub struct Stage {
    _turn: MutexGuard<'static, ()>,
    installation: &'static Installation,
    client: Client,
    name: &'static str,
    /// The namespace of the source.
    sources: String,
}

impl Stage {
    /// Waits for its turn; offers a credential of this name to all namespaces that carry its label, and waits until
    /// every server knows.
    pub async fn set(name: &'static str) -> Self {
        Self::set_on(name, Installation::shared()).await
    }

    /// The same on another installation than that of the test binary, which is started when the turn has come.
    pub async fn set_on(
        name: &'static str,
        installation: impl Future<Output = &'static Installation>,
    ) -> Self {
        let turn = TURN.lock().await;
        let stage = Self::enter(name, turn, installation.await).await;
        stage.bring_source().await;
        stage.offer().await;
        stage
    }

    /// The same with a credential whose source is not there yet.
    pub async fn set_without_source(name: &'static str) -> Self {
        let turn = TURN.lock().await;
        let stage = Self::enter(name, turn, Installation::shared().await).await;
        stage.offer().await;
        stage
    }

    async fn enter(
        name: &'static str,
        turn: MutexGuard<'static, ()>,
        installation: &'static Installation,
    ) -> Self {
        // Everybody is asked again: connections that are left of the test before lead where they did then.
        installation.publish();
        installation.replicas().iter().for_each(|replica| replica.backend().cut());
        let sources = installation.control_plane().namespace("sources").await;
        let client = installation.control_plane().client(User::Developer).await;
        let stage = Self { _turn: turn, installation, client, name, sources };
        stage.delay_watches(WatchDelay::None);
        stage
    }

    /// Creates the source.
    pub async fn bring_source(&self) {
        self.control_plane().apply(&self.source().to_string()).await;
    }

    fn source(&self) -> Value {
        registry_secret(&self.sources, self.name, &[&registry(self.name)])
    }

    /// Creates the credential, and waits until every server gives its Secret to a pod.
    async fn offer(&self) {
        let offer = json!({"namespaceSelector": {"matchLabels": {"stage": self.name}}});
        let credential = registry_credential(self.name, (&self.sources, self.name), offer);
        self.control_plane().apply(&credential.to_string()).await;
        let probe = format!("{}-probe", self.name);
        self.create_namespace(&probe).await.expect("a namespace");
        reviews::until_known(self.installation, &self.pod_as_json(&probe, "probe"), &self.copy()).await;
    }

    pub fn installation(&self) -> &'static Installation {
        self.installation
    }

    pub fn control_plane(&self) -> &'static ControlPlane {
        self.installation.control_plane()
    }

    /// Tells a figure, also when the test passes: the test runner keeps what is printed otherwise to itself.
    pub fn figure(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}: {text}", self.name);
    }

    /// The name of the credential's copies.
    pub fn copy(&self) -> String {
        format!("regcred-{}", self.name)
    }

    /// Makes the watches of every server late.
    pub fn delay_watches(&self, delay: WatchDelay) {
        for replica in self.installation.replicas() {
            replica.proxy().delay_watches(delay);
        }
    }

    /// A namespace that is offered the credential, and the account of its pods. The controller-manager would make an
    /// account too, some time later.
    pub async fn create_namespace(&self, name: &str) -> Result<(), kube::Error> {
        let labels = BTreeMap::from([("stage".to_owned(), self.name.to_owned())]);
        let metadata =
            ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &namespace).await?;
        let metadata = ObjectMeta { name: Some("runner".to_owned()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        self.api::<ServiceAccount>(name).create(&PostParams::default(), &account).await.map(drop)
    }

    /// A pod that needs the credential.
    pub fn pod_as_json(&self, namespace: &str, name: &str) -> Value {
        let image = format!("{}/team/app:1", registry(self.name));
        let mut pod = pod(namespace, name, &[&image]);
        pod["metadata"]["labels"] = json!({"stage": self.name});
        pod["spec"]["serviceAccountName"] = "runner".into();
        pod
    }

    /// Creates such a pod as a user, through the API server, and tells the pull Secrets that it was given.
    pub async fn create_pod(&self, namespace: &str, name: &str) -> Result<Vec<String>, kube::Error> {
        let pod: Pod = serde_json::from_value(self.pod_as_json(namespace, name)).expect("a pod");
        let created = self.api::<Pod>(namespace).create(&PostParams::default(), &pod).await?;
        Ok(pull_secrets(&created))
    }

    /// All pods of this test.
    pub async fn pods(&self) -> Vec<Pod> {
        let labelled = ListParams::default().labels(&format!("stage={}", self.name));
        Api::all(self.client.clone()).list(&labelled).await.expect("pods").items
    }

    /// All Secrets that have the name of the credential's copies.
    pub async fn copies(&self) -> Vec<Secret> {
        let named = ListParams::default().fields(&format!("metadata.name={}", self.copy()));
        Api::all(self.client.clone()).list(&named).await.expect("Secrets").items
    }

    /// Whether a Secret holds what the source holds.
    pub fn is_whole(&self, copy: &Secret) -> bool {
        let source: Secret = serde_json::from_value(self.source()).expect("a Secret");
        copy.data == source.data && copy.type_.as_deref() == Some("kubernetes.io/dockerconfigjson")
    }

    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The calls about copies of the credential (`create` or `get`) that one server has made since a position of the
    /// audit log.
    pub async fn calls(&self, since: usize, verb: &str, replica: &Replica) -> Vec<Event> {
        let copy = self.copy();
        let made = |call: &Event| {
            replica.made(call) && call.verb == verb && call.resource == "secrets" && call.name == copy
        };
        self.control_plane().audit().since(since, made).await
    }

    /// How many reviews the API server did without, because nobody answered.
    pub async fn fail_open(&self) -> f64 {
        self.control_plane().metrics().await.sum("apiserver_admission_webhook_fail_open_count", &[])
    }

    /// Lets only this server be asked.
    pub fn ask_only(&self, replica: &Arc<Replica>) {
        self.installation.service().set_backends(vec![Arc::clone(replica.backend())]);
        for other in self.installation.replicas() {
            if !Arc::ptr_eq(&other, replica) {
                other.backend().cut();
            }
        }
    }
}

/// The pull Secrets that a pod names.
pub fn pull_secrets(pod: &Pod) -> Vec<String> {
    let references = pod.spec.as_ref().and_then(|spec| spec.image_pull_secrets.as_ref());
    references.into_iter().flatten().map(|reference| reference.name.clone()).collect()
}

fn registry(name: &str) -> String {
    format!("{name}.example")
}
