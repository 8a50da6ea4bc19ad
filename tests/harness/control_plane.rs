//! A control plane on loopback: etcd, kube-apiserver and kube-controller-manager.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::{Mutex, OnceCell};

use super::access::Access;
use super::api_server::{self, Files};
use super::audit::Audit;
use super::kubectl::{self, Output};
use super::metrics::Metrics;
use super::network::Network;
use super::process::Process;
use super::users::User;
use super::watchdog::Watchdog;
use super::{background, ports};

/// Ready after 3 s on an idle machine; a busy one with two cores takes several times that.
const START_LIMIT: Duration = Duration::from_mins(2);
/// The API server ends by itself when its open requests have; a test need not wait for their whole minute.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often the start is tried with other ports.
const ATTEMPTS: usize = 4;
/// The controller-manager makes a namespace's `ServiceAccount` within a second, unless the machine is busy.
const ACCOUNT_LIMIT: Duration = Duration::from_mins(1);

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Without it namespaces get no `ServiceAccount` and stay when deleted, and Deployments make no pods.
    pub controller_manager: bool,
    /// After which time the API server gives up a request that is no watch; its default is a minute.
    pub request_timeout: Option<Duration>,
    /// Whether it may stream lists; whether it does is its version's matter.
    pub streams_lists: bool,
    /// How many objects a deletion of several works on at once.
    pub delete_collection_workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller_manager: true,
            request_timeout: None,
            streams_lists: true,
            delete_collection_workers: 1,
        }
    }
}

/// A running control plane. Dropping it, or the end of this process, ends it.
pub struct ControlPlane {
    controller_manager: Mutex<Option<Process>>,
    api_server: Mutex<Option<Process>>,
    etcd: Process,
    etcd_address: SocketAddr,
    access: Access,
    version: String,
    options: Options,
    files: Files,
    network: Network,
    audit: Audit,
    started_in: Duration,
    // Last: it ends what the others have left.
    watchdog: Arc<Watchdog>,
}

impl ControlPlane {
    /// The one of this test binary, started by whoever asks first. Tests that restart or cut it start their own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Result<ControlPlane, String>> = OnceCell::const_new();
        let started = SHARED
            .get_or_init(|| async {
                let started = background::spawn(Self::start(Options::default())).await;
                // Remembered, so that each further test fails at once and not after the same wait.
                started.map_err(|error| format!("the shared control plane did not start: {error}"))
            })
            .await;
        started.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// A new one.
    pub async fn start(options: Options) -> Self {
        let version =
            tokio::task::spawn_blocking(api_server::version).await.expect("kube-apiserver --version");
        let mut problem = String::new();
        for _ in 0..ATTEMPTS {
            match Self::attempt(options, &version).await {
                Ok(started) => {
                    let seconds = started.started_in.as_secs_f64();
                    // Not `eprintln!`, which the test runner keeps to itself: everybody sees what was tested against.
                    let _ = writeln!(
                        std::io::stderr(),
                        "control plane: Kubernetes {version}, ready in {seconds:.1} s"
                    );
                    return started;
                }
                Err(error) => problem = error,
            }
            // Anything but a port that somebody else was faster to take fails the same way again.
            assert!(problem.contains("address already in use"), "{problem}");
        }
        panic!("after {ATTEMPTS} attempts: {problem}");
    }

    async fn attempt(options: Options, version: &str) -> Result<Self, String> {
        let begin = Instant::now();
        let watchdog = Arc::new(Watchdog::start());
        let files = Files::write(watchdog.folder());
        let (etcd_address, address) = (ports::free(), ports::free());
        let access = Access { address, authority: files.authority.as_str().into() };
        for user in User::ALL {
            files.put(&kubeconfig_name(user), &access.kubeconfig(&user.token()).to_string());
        }
        let network = Network::start(&files.egress_socket(), access.clone());
        let etcd =
            Process::start(&watchdog, "etcd", &mut api_server::etcd(&files, etcd_address, ports::free()));
        let mut command = api_server::api_server(&files, etcd_address, address, version, &options);
        let api_server = Process::start(&watchdog, "kube-apiserver", &mut command);
        let mut started = Self {
            controller_manager: Mutex::default(),
            api_server: Mutex::new(Some(api_server)),
            etcd,
            etcd_address,
            audit: Audit::new(files.audit_log(), access.clone()),
            access,
            version: version.to_owned(),
            options,
            files,
            network,
            started_in: Duration::ZERO,
            watchdog,
        };
        started.ready().await?;
        started.apply(User::ROLES).await;
        if options.controller_manager {
            let kubeconfig = started.kubeconfig(User::ControllerManager);
            let mut command = api_server::controller_manager(&started.files, &kubeconfig);
            let process = Process::start(&started.watchdog, "kube-controller-manager", &mut command);
            *started.controller_manager.lock().await = Some(process);
        }
        started.started_in = begin.elapsed();
        Ok(started)
    }

    /// Waits until the API server is ready; fails when it or etcd ends instead.
    async fn ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.etcd.ended().is_some() {
                return Err(self.etcd.last_words());
            }
            self.api_server_still_runs().await?;
            if self.get("/readyz").await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the API server is not ready after {START_LIMIT:?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn api_server_still_runs(&self) -> Result<(), String> {
        let mut process = self.api_server.lock().await;
        let process = process.as_mut().ok_or("the API server was stopped")?;
        if process.ended().is_some() { Err(process.last_words()) } else { Ok(()) }
    }

    /// Its temporary folder.
    pub fn folder(&self) -> &Path {
        self.watchdog.folder()
    }

    /// The watchdog, for further processes that must not outlive the test.
    pub fn watchdog(&self) -> &Arc<Watchdog> {
        &self.watchdog
    }

    /// Such as `v1.37.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// From nothing to an API server that is ready.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Where the API server is and whom to trust.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The cluster's network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Who called what.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// A client for the test that asks: it ends with that test's runtime.
    pub async fn client(&self, user: User) -> kube::Client {
        self.access.client(user).await
    }

    /// A kubeconfig file of the user.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.files.path(&kubeconfig_name(user))
    }

    /// kubectl as the administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_as(User::Admin, arguments).await
    }

    /// kubectl as somebody else.
    pub async fn kubectl_as(&self, user: User, arguments: &[&str]) -> Output {
        kubectl::run(&self.watchdog, &self.kubeconfig(user), arguments).await
    }

    /// `kubectl apply` of these documents, which must succeed.
    pub async fn apply(&self, yaml: &str) {
        self.apply_as(User::Admin, yaml).await.succeeded();
    }

    /// `kubectl apply` of these documents as somebody else.
    pub async fn apply_as(&self, user: User, yaml: &str) -> Output {
        self.kubectl_as(user, &["apply", "-f", &self.manifest(yaml)]).await
    }

    /// A file with these documents, for `-f`.
    pub fn manifest(&self, yaml: &str) -> String {
        kubectl::manifest(&self.watchdog, yaml)
    }

    /// A namespace of the test's own, with its `ServiceAccount`, so that pods can be created in it.
    pub async fn namespace(&self, prefix: &str) -> String {
        let name = unique(prefix);
        let client = self.client(User::Admin).await;
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.expect("a new namespace");
        let accounts: Api<ServiceAccount> = Api::namespaced(client, &name);
        if !self.options.controller_manager {
            let metadata = ObjectMeta { name: Some("default".to_owned()), ..ObjectMeta::default() };
            let account = ServiceAccount { metadata, ..ServiceAccount::default() };
            accounts.create(&PostParams::default(), &account).await.expect("a new ServiceAccount");
        }
        let deadline = Instant::now() + ACCOUNT_LIMIT;
        while accounts.get_opt("default").await.expect("the API server").is_none() {
            assert!(Instant::now() < deadline, "{name} has no ServiceAccount after {ACCOUNT_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        name
    }

    /// The body at a path of the API server, such as `/readyz`, as the administrator.
    pub async fn get(&self, path: &str) -> Result<String, kube::Error> {
        let request = http::Request::get(path).body(Vec::new()).expect("a path");
        self.client(User::Admin).await.request_text(request).await
    }

    /// The API server's own metrics.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(self.get("/metrics").await.expect("the API server's metrics"))
    }

    /// Ends the controllers: what is there stays as it is, whoever it belongs to.
    pub async fn stop_controller_manager(&self) {
        if let Some(mut process) = self.controller_manager.lock().await.take() {
            process.stop(STOP_LIMIT).await;
        }
    }

    /// Stops the API server; etcd keeps its data.
    pub async fn stop_api_server(&self) {
        if let Some(mut process) = self.api_server.lock().await.take() {
            process.stop(STOP_LIMIT).await;
        }
    }

    /// Starts it again on the same port, and waits until it is ready.
    pub async fn start_api_server(&self) {
        let Self { files, etcd_address, access, version, options, .. } = self;
        let mut command = api_server::api_server(files, *etcd_address, access.address, version, options);
        let process = Process::start(&self.watchdog, "kube-apiserver", &mut command);
        *self.api_server.lock().await = Some(process);
        let deadline = Instant::now() + START_LIMIT;
        while self.get("/readyz").await.is_err() {
            self.api_server_still_runs().await.unwrap_or_else(|problem| panic!("{problem}"));
            assert!(Instant::now() < deadline, "the API server is not ready again after {START_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn kubeconfig_name(user: User) -> String {
    format!("{}.kubeconfig", user.name().replace(':', "-"))
}

/// A name that no other test has.
pub fn unique(prefix: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    format!("{prefix}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}
