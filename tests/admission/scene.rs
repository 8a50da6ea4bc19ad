//! What every test begins with: the installation, clients of its own, a credential of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use kube::Client;
use serde_json::{Value, json};

use super::asking::{self, Opinion};
use super::talk::{self, Answer};
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, registry_credential, registry_secret};
use crate::harness::{ControlPlane, Installation, User};

pub(super) const CREDENTIALS: &str = "/apis/regcred.dev/v1alpha1/registrycredentials";
/// What takes a moment on an idle machine may take this long on a busy one.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two looks: short beside what is waited for, long beside what a look costs.
const POLL: Duration = Duration::from_millis(50);

/// How many tests are under way.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
/// How many of them only wait for the others.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Namespaces in which a test makes the API server refuse what regcred does.
static REFUSING: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// The installation that a test plays on.
pub(super) struct Scene {
    installation: &'static Installation,
    admin: Client,
    developer: Client,
}

/// A registry that no other test uses, its Secret, and a credential for it.
pub(super) struct Offer {
    /// Name of the `RegistryCredential`.
    pub(super) credential: String,
    pub(super) registry: String,
    /// Namespace and name of the registry Secret.
    pub(super) source: (String, String),
}

impl Offer {
    /// An image of the registry.
    pub(super) fn image(&self) -> String {
        format!("{}/team/app:1", self.registry)
    }

    /// The name of its copies.
    pub(super) fn copy(&self) -> String {
        format!("regcred-{}", self.credential)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scene {
    /// The scene that all tests of this binary share.
    pub(super) async fn enter() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        Self::on(Installation::shared().await).await
    }

    /// A scene on an installation that only tests use which are ready for its disturbances.
    pub(super) async fn enter_on(installation: &'static Installation) -> Self {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        Self::on(installation).await
    }

    async fn on(installation: &'static Installation) -> Self {
        let control_plane = installation.control_plane();
        let (admin, developer) =
            (control_plane.client(User::Admin).await, control_plane.client(User::Developer).await);
        Self { installation, admin, developer }
    }

    pub(super) fn installation(&self) -> &'static Installation {
        self.installation
    }

    pub(super) fn control_plane(&self) -> &'static ControlPlane {
        self.installation.control_plane()
    }

    /// A namespace of the test's own.
    pub(super) async fn namespace(&self, prefix: &str) -> String {
        self.control_plane().namespace(prefix).await
    }

    /// The namespace in which most tests keep their registry Secrets, as an administrator would.
    pub(super) async fn sources(&self) -> &'static str {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sources"}});
        let answer = self.call(User::Admin, Method::POST, "/api/v1/namespaces", Some(&object)).await;
        assert!([201, 409].contains(&answer.code), "{answer:?}");
        "sources"
    }

    /// A registry with its Secret and a credential with these members of its spec, which need not be known yet.
    pub(super) async fn offer_unseen(&self, prefix: &str, spec: Value) -> Offer {
        let name = unique(prefix);
        let registry = format!("{name}.example");
        let sources = self.sources().await;
        self.create(&secrets(sources), &registry_secret(sources, &name, &[&registry])).await;
        self.create(CREDENTIALS, &registry_credential(&name, (sources, &name), spec)).await;
        Offer { credential: name.clone(), registry, source: (sources.to_owned(), name) }
    }

    /// The same, offered to a namespace, and known to every server.
    pub(super) async fn offer(&self, namespace: &str) -> Offer {
        let offer = self.offer_unseen(namespace, json!({"namespaces": [namespace]})).await;
        self.known(namespace, &offer).await;
        offer
    }

    /// Waits until every server would give the namespace's pods the offer's Secret.
    pub(super) async fn known(&self, namespace: &str, offer: &Offer) {
        let pod = pod(namespace, "asked", &[&offer.image()]);
        self.until(&pod, |opinion| {
            let waits = opinion.warnings.iter().any(|warning| warning.contains("waits for"));
            opinion.names == [offer.copy()] && !waits
        })
        .await;
    }

    /// Waits until every server thinks so of a pod.
    pub(super) async fn until(&self, pod: &Value, holds: impl Fn(&Opinion) -> bool) {
        for replica in self.installation.replicas() {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let opinion = asking::ask(self.installation, &replica, pod).await;
                if holds(&opinion) {
                    break;
                }
                assert!(Instant::now() < deadline, "{} still thinks {opinion:?} of {pod}", replica.name());
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Creates an object as the administrator.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Value {
        self.call(User::Admin, Method::POST, path, Some(object)).await.object()
    }

    /// Creates a pod as a developer.
    pub(super) async fn create_pod(&self, pod: &Value) -> Answer {
        let namespace = pod["metadata"]["namespace"].as_str().expect("a namespace");
        self.call(User::Developer, Method::POST, &pods(namespace), Some(pod)).await
    }

    /// The object at a path, as the administrator sees it.
    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.call(User::Admin, Method::GET, path, None).await;
        (answer.code != 404).then(|| answer.object())
    }

    /// Merges a change into the object at a path.
    pub(super) async fn merge(&self, path: &str, change: &Value) -> Value {
        self.call(User::Admin, Method::PATCH, path, Some(change)).await.object()
    }

    pub(super) async fn delete(&self, path: &str) {
        self.call(User::Admin, Method::DELETE, path, None).await.object();
    }

    /// Any call, as the administrator or a developer.
    pub(super) async fn call(&self, user: User, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let client = if user == User::Admin { &self.admin } else { &self.developer };
        talk::call(client, method, path, body, None).await
    }

    /// Any call, as the administrator plays somebody else.
    pub(super) async fn call_as(&self, user: &talk::Impersonated, path: &str, body: &Value) -> Answer {
        talk::call(&self.admin, Method::POST, path, Some(body), Some(user)).await
    }

    /// A Secret, as soon as it is there.
    pub(super) async fn secret(&self, namespace: &str, name: &str) -> Value {
        let path = format!("{}/{name}", secrets(namespace));
        self.eventually(&path, async || self.get(&path).await).await
    }

    /// The first thing that comes of a look.
    pub(super) async fn eventually<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} has not come in {PATIENCE:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The names of the Secrets in a namespace.
    pub(super) async fn secret_names(&self, namespace: &str) -> Vec<String> {
        let list = self.get(&secrets(namespace)).await.expect("a list");
        let items = list["items"].as_array().expect("items").iter();
        items.map(|secret| secret["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Says that the API server is to refuse things in a namespace, so that nobody wonders why it did.
    pub(super) fn expect_refusals(namespace: &str) {
        let mut refusing = REFUSING.lock().unwrap_or_else(PoisonError::into_inner);
        refusing.get_or_insert_default().insert(namespace.to_owned());
    }

    /// Whether [`Scene::expect_refusals`] was said of a namespace.
    pub(super) fn refusals_expected(namespace: &str) -> bool {
        let refusing = REFUSING.lock().unwrap_or_else(PoisonError::into_inner);
        refusing.as_ref().is_some_and(|refusing| refusing.contains(namespace))
    }

    /// Waits until no other test is under way, but for those that wait for the same.
    pub(super) async fn the_others_are_over(&self) {
        WAITING.fetch_add(1, Ordering::SeqCst);
        let over = || UNDER_WAY.load(Ordering::SeqCst) <= WAITING.load(Ordering::SeqCst);
        self.eventually("the end of the other tests", async || {
            // Between two tests there is a moment with none.
            for _ in 0..10 {
                if !over() {
                    return None;
                }
                tokio::time::sleep(POLL).await;
            }
            Some(())
        })
        .await;
    }
}

pub(super) fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

pub(super) fn secrets(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

/// The names in a pod's list of pull Secrets, in order.
pub(super) fn pull_secrets(pod: &Value) -> Vec<String> {
    let references = pod["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
    references.iter().map(|reference| reference["name"].as_str().expect("a name").to_owned()).collect()
}
