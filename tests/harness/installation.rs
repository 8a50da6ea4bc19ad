//! regcred, installed into a control plane as a user installs it: `kubectl apply -k manifests/`, and nothing else.
//! Or with a certificate of files, by an overlay of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::certificates::{Authority, Leaf};
use super::control_plane::{ControlPlane, Options};
use super::network::{Front, Service};
use super::proxy::WatchDelay;
use super::replica::{MOUNTED_KUBECONFIG, Replica};
use super::users::User;
use super::{background, credentials, overlays};

pub const NAMESPACE: &str = "regcred-system";
pub const SERVICE_ACCOUNT: &str = "regcred";
const NAME: &str = "regcred";
/// The names that the API server may call it by.
const TLS_NAMES: [&str; 2] = ["regcred.regcred-system.svc", "regcred.regcred-system.svc.cluster.local"];
/// The API server asks a new webhook about a second after its registration.
const REGISTERED_LIMIT: Duration = Duration::from_mins(1);
/// A terminating pod is still connected to for as long as its end takes to reach every API server: the time for
/// which the server pauses before it drains.
const ENDPOINT_LAG: Duration = Duration::from_secs(1);
/// Longer than the grace period that `manifests/` give.
const END_LIMIT: Duration = Duration::from_mins(1);

/// An installation with its own control plane.
pub struct Installation {
    replicas: Mutex<Vec<Arc<Replica>>>,
    started: AtomicUsize,
    service: Arc<Service>,
    /// What the API server trusts (PEM), as it was when it was last read.
    trusted: Mutex<String>,
    /// Where the certificate is that of files.
    files: Option<(Authority, Leaf)>,
    deployment: Value,
    more: Vec<String>,
    control_plane: ControlPlane,
}

impl Installation {
    /// The one of this test binary, with the replicas that the Deployment asks for. Tests that disturb it start
    /// their own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Result<Installation, String>> = OnceCell::const_new();
        let started = SHARED
            .get_or_init(|| async {
                let started = background::spawn(async { Self::start(&[]).await }).await;
                started.map_err(|error| format!("the shared installation did not start: {error}"))
            })
            .await;
        started.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The one of this test binary whose certificates are files.
    pub async fn shared_with_files() -> &'static Self {
        static SHARED: OnceCell<Result<Installation, String>> = OnceCell::const_new();
        let started = SHARED
            .get_or_init(|| async {
                let started = background::spawn(async { Self::start_with_files(&[]).await }).await;
                started.map_err(|error| format!("the shared installation with files did not start: {error}"))
            })
            .await;
        started.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// A new one, whose servers get these arguments after the Deployment's own.
    pub async fn start(more: &[&str]) -> Self {
        Self::start_on(Options::default(), more).await
    }

    /// The same on a control plane of another kind.
    pub async fn start_on(options: Options, more: &[&str]) -> Self {
        let installation = Self::install_on(options, more).await;
        installation.add_replicas().await;
        installation.registered().await;
        installation.look_at_trust().await;
        installation
    }

    /// The same without a server yet, also not behind the Service.
    pub async fn install(more: &[&str]) -> Self {
        Self::install_on(Options::default(), more).await
    }

    pub async fn install_on(options: Options, more: &[&str]) -> Self {
        let control_plane = ControlPlane::start(options).await;
        let manifests = overlays::manifests();
        control_plane.kubectl(&["apply", "-k", manifests.to_str().expect("UTF-8")]).await.succeeded();
        Self::of(control_plane, None, more).await
    }

    /// The same as [`Installation::start`] on a control plane that is there already, with what is in it.
    pub async fn install_into(control_plane: ControlPlane, more: &[&str]) -> Self {
        let manifests = overlays::manifests();
        control_plane.kubectl(&["apply", "-k", manifests.to_str().expect("UTF-8")]).await.succeeded();
        let installation = Self::of(control_plane, None, more).await;
        installation.add_replicas().await;
        installation.registered().await;
        installation
    }

    /// A new one that is given its certificate as files, by an overlay.
    pub async fn start_with_files(more: &[&str]) -> Self {
        let control_plane = ControlPlane::start(Options::default()).await;
        let authority = Authority::new("regcred bench");
        let leaf = authority.leaf(&TLS_NAMES);
        let overlay = overlays::with_files(&control_plane, &authority, &leaf).await;
        control_plane.kubectl(&["apply", "-k", overlay.to_str().expect("UTF-8")]).await.succeeded();
        let installation = Self::of(control_plane, Some((authority, leaf)), more).await;
        installation.add_replicas().await;
        installation.registered().await;
        installation.look_at_trust().await;
        installation
    }

    /// A new one that is limited to these namespaces, which it makes first, by an overlay.
    pub async fn start_namespaced(namespaces: &[&str], more: &[&str]) -> Self {
        let control_plane = ControlPlane::start(Options::default()).await;
        for namespace in namespaces {
            control_plane.kubectl(&["create", "namespace", namespace]).await.succeeded();
        }
        let overlay = overlays::namespaced(&control_plane, namespaces);
        control_plane.kubectl(&["apply", "-k", overlay.to_str().expect("UTF-8")]).await.succeeded();
        let installation = Self::of(control_plane, None, more).await;
        installation.add_replicas().await;
        installation.registered_in(namespaces.first().expect("a namespace")).await;
        installation.look_at_trust().await;
        installation
    }

    /// A new one for a cluster in which nothing of it runs, by an overlay: its servers, of which there is none yet, are called by
    /// URL.
    pub async fn install_outside(options: Options, more: &[&str]) -> Self {
        let control_plane = ControlPlane::start(options).await;
        let front = Front::start(control_plane.network().service(NAMESPACE, NAME, 443)).await;
        let overlay = overlays::garden(&control_plane, front.address());
        control_plane.kubectl(&["apply", "-k", overlay.to_str().expect("UTF-8")]).await.succeeded();
        let host = format!("--webhook-hosts={}", front.address().ip());
        let more = [&[host.as_str()], more].concat();
        let mut deployment = overlays::deployment();
        let variables = deployment.pointer_mut("/spec/template/spec/containers/0/env").expect("variables");
        let kubeconfig = json!({"name": "REGCRED_KUBECONFIG", "value": MOUNTED_KUBECONFIG});
        variables.as_array_mut().expect("a list").push(kubeconfig);
        Self::run_as(deployment, control_plane, None, &more).await
    }

    async fn of(control_plane: ControlPlane, files: Option<(Authority, Leaf)>, more: &[&str]) -> Self {
        let get = ["get", "deployment", NAME, "--namespace", NAMESPACE, "-o", "json"];
        let deployment = control_plane.kubectl(&get).await.json();
        Self::run_as(deployment, control_plane, files, more).await
    }

    async fn run_as(
        deployment: Value,
        control_plane: ControlPlane,
        files: Option<(Authority, Leaf)>,
        more: &[&str],
    ) -> Self {
        let wait =
            ["wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev", "--timeout=60s"];
        control_plane.kubectl(&wait).await.succeeded();
        Self {
            replicas: Mutex::default(),
            started: AtomicUsize::new(0),
            service: control_plane.network().service(NAMESPACE, NAME, 443),
            trusted: Mutex::default(),
            files,
            deployment,
            more: more.iter().map(|argument| (*argument).to_owned()).collect(),
            control_plane,
        }
    }

    /// The control plane it is installed in.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The Service that the API server calls.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The servers behind it.
    pub fn replicas(&self) -> Vec<Arc<Replica>> {
        self.replicas.lock().expect("no holder panics").clone()
    }

    /// A certificate that the API server accepts as the one there is; for an installation with files.
    pub fn new_leaf(&self) -> Leaf {
        self.files.as_ref().expect("an installation with files").0.leaf(&TLS_NAMES)
    }

    /// What the API server trusts, for a client that calls a server as it does (PEM); as it was at the start, or when
    /// it was last looked at.
    pub fn authority(&self) -> String {
        self.trusted.lock().expect("no holder panics").clone()
    }

    /// Reads what the API server trusts: the `caBundle` of the first webhook.
    pub async fn look_at_trust(&self) -> String {
        let path = "{.webhooks[0].clientConfig.caBundle}";
        let get = ["get", "mutatingwebhookconfiguration", NAME, "-o", &format!("jsonpath={path}")];
        let encoded = self.control_plane.kubectl(&get).await.succeeded();
        let bundle = BASE64_STANDARD.decode(encoded.trim()).expect("base64");
        let bundle = String::from_utf8(bundle).expect("PEM");
        self.trusted.lock().expect("no holder panics").clone_from(&bundle);
        bundle
    }

    /// Starts as many servers as the Deployment asks for, all at once, and puts them behind the Service when they are
    /// ready.
    pub async fn add_replicas(&self) {
        let count = self.deployment["spec"]["replicas"].as_u64().expect("the Deployment says how many");
        join_all((0..count).map(|_| self.add_replica())).await;
    }

    /// Starts one more server and puts it behind the Service when it is ready.
    pub async fn add_replica(&self) -> Arc<Replica> {
        let replica = self.launch().await;
        replica.ready().await;
        self.replicas.lock().expect("no holder panics").push(Arc::clone(&replica));
        self.publish();
        replica
    }

    /// Starts one more server, which need not become ready.
    pub async fn launch(&self) -> Arc<Replica> {
        self.launch_behind(WatchDelay::None).await
    }

    /// The same of one whose watches tell nothing from the start.
    pub async fn launch_blind(&self) -> Arc<Replica> {
        self.launch_behind(WatchDelay::Hold).await
    }

    async fn launch_behind(&self, delay: WatchDelay) -> Arc<Replica> {
        let name = format!("{NAME}-{}", self.started.fetch_add(1, Ordering::Relaxed));
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let leaf = self.files.as_ref().map(|(_, leaf)| leaf);
        Arc::new(Replica::start(&self.control_plane, &name, &self.deployment, leaf, &more, delay).await)
    }

    /// Ends one server as a cluster does: it is told to, and goes on getting new connections for a moment.
    pub async fn remove_replica(&self, replica: &Arc<Replica>) {
        replica.terminate();
        tokio::time::sleep(ENDPOINT_LAG).await;
        self.replicas.lock().expect("no holder panics").retain(|one| !Arc::ptr_eq(one, replica));
        self.publish();
        let status = replica.wait(END_LIMIT).await;
        assert!(status.success(), "{} ended with {status}: {}", replica.name(), replica.log());
    }

    /// Ends one server without a word; the cluster takes a moment to notice.
    pub async fn lose_replica(&self, replica: &Arc<Replica>) {
        replica.kill();
        tokio::time::sleep(ENDPOINT_LAG).await;
        self.replicas.lock().expect("no holder panics").retain(|one| !Arc::ptr_eq(one, replica));
        self.publish();
    }

    /// Ends every server without a word, as the end of their namespace may.
    pub fn kill_replicas(&self) {
        for replica in std::mem::take(&mut *self.replicas.lock().expect("no holder panics")) {
            replica.kill();
        }
        self.publish();
    }

    /// Replaces every server by a new one, as the Deployment's rolling update does (one more at a time, never
    /// one less).
    pub async fn roll(&self) {
        for old in self.replicas() {
            self.add_replica().await;
            self.remove_replica(&old).await;
        }
    }

    /// Puts the servers there are behind the Service.
    pub fn publish(&self) {
        self.service
            .set_backends(self.replicas().iter().map(|replica| Arc::clone(replica.backend())).collect());
    }

    /// Waits until the API server asks the webhook about pods.
    pub async fn registered(&self) {
        self.registered_in(&self.control_plane.namespace("registered").await).await;
    }

    /// The same, where it is asked about pods of this namespace.
    async fn registered_in(&self, namespace: &str) {
        let pods: Api<Pod> = Api::namespaced(self.control_plane.client(User::Admin).await, namespace);
        let pod: Pod =
            serde_json::from_value(credentials::pod(namespace, "probe", &["probe"])).expect("a pod");
        let asked =
            || self.replicas().iter().map(|replica| replica.backend().connections()).sum::<usize>() > 0;
        let dry_run = PostParams { dry_run: true, field_manager: None };
        let deadline = Instant::now() + REGISTERED_LIMIT;
        while !asked() {
            pods.create(&dry_run, &pod).await.expect("a pod in a dry run");
            assert!(Instant::now() < deadline, "the API server asks nobody after {REGISTERED_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
