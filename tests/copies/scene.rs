//! An installation whose pauses are short, and one credential per test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, raw_secret, registry_credential};
use crate::harness::stage::pull_secrets;
use crate::harness::{ControlPlane, Installation, Options, User, background, reviews};

/// How long a copy stays that nobody needs, how long copies outlive their source, and the settle time: short enough to wait
/// for, and long enough that a busy machine does not take one for the other.
pub(crate) const PAUSES: [&str; 3] = ["--unneeded-grace=2s", "--source-grace=8s", "--settle-time=4s"];
/// What takes a moment on an idle machine may take this long on a busy one. The garbage collector takes half a minute to hear
/// of a kind that is new, and a leader two minutes to believe that a credential which it has never seen has gone.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);
/// The pause between two looks.
const POLL: Duration = Duration::from_millis(50);

/// A credential of a test's own, its source, and namespaces that carry its label.
pub(crate) struct Scene {
    pub(crate) installation: &'static Installation,
    pub(crate) client: Client,
    /// Name of the credential; also of its source, and of the label of its namespaces.
    pub(crate) name: String,
    /// Where tests take turns.
    _turn: Option<MutexGuard<'static, Option<&'static Installation>>>,
}

impl Scene {
    /// A source and no credential yet, in the installation that all tests share.
    pub(crate) async fn enter(prefix: &str) -> Self {
        static SHARED: OnceCell<Result<Installation, String>> = OnceCell::const_new();
        let started = SHARED
            .get_or_init(|| async {
                let started = background::spawn(async { Installation::start(&PAUSES).await }).await;
                started.map_err(|error| error.to_string())
            })
            .await;
        let installation = started.as_ref().unwrap_or_else(|problem| panic!("no installation: {problem}"));
        Self::on(installation, prefix).await
    }

    /// The same in an installation of the test's own, with these arguments more.
    pub(crate) async fn enter_own_with(prefix: &str, more: &[&str]) -> Self {
        let arguments: Vec<&str> = PAUSES.iter().chain(more).copied().collect();
        // It ends with the process: the watchdog sees to what it has started.
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let started = background::spawn(async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            Installation::start(&arguments).await
        });
        let installation = Box::leak(Box::new(started.await.expect("an installation")));
        Self::on(installation, prefix).await
    }

    /// The same in an installation of the test's own, on such a control plane.
    pub(crate) async fn enter_own_on(options: Options, prefix: &str) -> Self {
        let started = background::spawn(async move { Installation::start_on(options, &PAUSES).await });
        Self::on(Box::leak(Box::new(started.await.expect("an installation"))), prefix).await
    }

    /// The same in an installation whose tests disturb it, and take turns.
    pub(crate) async fn enter_in_turn(prefix: &str) -> Self {
        static TURN: Mutex<Option<&'static Installation>> = Mutex::const_new(None);
        let mut turn = TURN.lock().await;
        let installation = if let Some(installation) = *turn {
            installation
        } else {
            let started = background::spawn(async { Installation::start(&PAUSES).await }).await;
            turn.insert(Box::leak(Box::new(started.expect("an installation"))))
        };
        Self { _turn: Some(turn), ..Self::on(installation, prefix).await }
    }

    async fn on(installation: &'static Installation, prefix: &str) -> Self {
        let client = installation.control_plane().client(User::Admin).await;
        let scene = Self { installation, client, name: unique(prefix), _turn: None };
        let sources = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sources"}});
        let namespaces: Api<Namespace> = Api::all(scene.client.clone());
        let created =
            namespaces.create(&PostParams::default(), &serde_json::from_value(sources).unwrap()).await;
        let is_there =
            |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.is_already_exists());
        assert!(created.as_ref().err().is_none_or(is_there), "{created:?}");
        scene.set_source("first").await;
        scene
    }

    pub(crate) fn control_plane(&self) -> &'static ControlPlane {
        self.installation.control_plane()
    }

    /// What the source holds when its password is this.
    pub(crate) fn document(&self, password: &str) -> String {
        json!({"auths": {format!("{}.example", self.name): {"username": "u", "password": password}}})
            .to_string()
    }

    pub(crate) async fn set_source(&self, password: &str) {
        self.set_raw_source(&self.document(password)).await;
    }

    pub(crate) async fn set_raw_source(&self, document: &str) {
        self.control_plane().apply(&raw_secret("sources", &self.name, document).to_string()).await;
    }

    /// Offers the source to the namespaces of the test, with these members of the spec.
    pub(crate) async fn offer(&self, spec: Value) {
        let mut offer = json!({"namespaceSelector": {"matchLabels": {"scene": self.name}}});
        offer.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let credential = registry_credential(&self.name, ("sources", &self.name), offer);
        self.control_plane().apply(&credential.to_string()).await;
    }

    /// A namespace that is offered the credential.
    pub(crate) async fn namespace(&self) -> String {
        self.namespace_with(json!({"scene": self.name})).await
    }

    /// A namespace that is not offered it yet.
    pub(crate) async fn namespace_without_label(&self) -> String {
        self.namespace_with(json!({})).await
    }

    async fn namespace_with(&self, labels: Value) -> String {
        let name = unique("team");
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}});
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &name);
        accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
        name
    }

    pub(crate) async fn label_namespace(&self, namespace: &str, value: Option<&str>) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let patch = json!({"metadata": {"labels": {"scene": value}}});
        api.patch(namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// The name of the copies.
    pub(crate) fn copy_name(&self) -> String {
        format!("regcred-{}", self.name)
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// What is there under the copy's name.
    pub(crate) async fn found(&self, namespace: &str) -> Option<Secret> {
        self.secrets(namespace).get_opt(&self.copy_name()).await.unwrap()
    }

    /// Waits until a copy holds what the source holds with this password.
    pub(crate) async fn copy_holds(&self, namespace: &str, password: &str) -> Secret {
        let document = self.document(password);
        self.until(&format!("a copy in {namespace} with the password {password:?}"), async || {
            let copy = self.found(namespace).await?;
            (content(&copy) == document).then_some(copy)
        })
        .await
    }

    /// Waits until nothing is there under the copy's name.
    pub(crate) async fn copy_goes(&self, namespace: &str) {
        self.until(&format!("no copy in {namespace}"), async || {
            self.found(namespace).await.is_none().then_some(())
        })
        .await;
    }

    /// Waits until what is there bears no mark of ours.
    pub(crate) async fn released(&self, namespace: &str) -> Secret {
        self.until(&format!("a Secret in {namespace} without our marks"), async || {
            let found = self.found(namespace).await?;
            let marks = |marks: &Option<BTreeMap<String, String>>| {
                marks.iter().flatten().any(|(name, _)| name.starts_with("regcred.dev/"))
            };
            (!marks(&found.metadata.labels) && !marks(&found.metadata.annotations)).then_some(found)
        })
        .await
    }

    /// Waits until every server would give the namespace's pods the copy.
    pub(crate) async fn known(&self, namespace: &str) {
        let asked = pod(namespace, "asked", &[&self.image()]);
        reviews::until_known(self.installation, &asked, &self.copy_name()).await;
    }

    /// Waits until the leader has come to a credential that was written after all that the test has written, and has made
    /// its copy in the same namespace.
    pub(crate) async fn looked_at(&self, namespace: &str) {
        let name = format!("{}-last", self.name);
        let source = raw_secret("sources", &name, r#"{"auths":{"last.example":{}}}"#);
        let offer = json!({"namespaces": [namespace], "distribution": "Eager"});
        let credential = registry_credential(&name, ("sources", &name), offer);
        for object in [source, credential] {
            self.control_plane().apply(&object.to_string()).await;
        }
        self.until("the copy of the last credential", async || {
            self.secrets(namespace).get_opt(&format!("regcred-{name}")).await.unwrap()
        })
        .await;
    }

    /// An image of the source's registry.
    pub(crate) fn image(&self) -> String {
        format!("{}.example/app:1", self.name)
    }

    /// Creates a pod that needs the credential, and tells the pull Secrets that it was given.
    pub(crate) async fn create_pod(&self, namespace: &str) -> Vec<String> {
        pull_secrets(&self.create_pod_named(namespace, &unique("app")).await)
    }

    /// The same with a name.
    pub(crate) async fn create_pod_named(&self, namespace: &str, name: &str) -> Pod {
        let mut object = pod(namespace, name, &[&self.image()]);
        // The controller-manager makes an account for a new namespace some time later.
        object["spec"]["serviceAccountName"] = "runner".into();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
    }

    pub(crate) async fn delete_pod(&self, namespace: &str, name: &str) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    }

    /// Waits for something.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(Instant::now() < deadline, "{}: {what} is not seen after {PATIENCE:?}", self.name);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Looks for a while that something stays as it is.
    pub(crate) async fn throughout<T: PartialEq + std::fmt::Debug>(
        &self,
        time: Duration,
        mut look: impl AsyncFnMut() -> T,
    ) {
        let (first, end) = (look().await, Instant::now() + time);
        while Instant::now() < end {
            tokio::time::sleep(POLL).await;
            assert_eq!(look().await, first);
        }
    }
}

/// The registry configuration in a Secret.
pub(crate) fn content(secret: &Secret) -> String {
    let data = secret.data.as_ref().and_then(|data| data.get(".dockerconfigjson"));
    data.map(|bytes| String::from_utf8(bytes.0.clone()).unwrap()).unwrap_or_default()
}
