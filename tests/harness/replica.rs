//! One server under test, run as its Deployment would run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use http::StatusCode;
use rustix::process::Signal;
use serde_json::Value;

use super::audit::Event;
use super::certificates::Leaf;
use super::control_plane::ControlPlane;
use super::installation::{NAMESPACE, SERVICE_ACCOUNT};
use super::metrics::Metrics;
use super::network::Backend;
use super::process::Process;
use super::projected_secret::ProjectedSecret;
use super::proxy::{Proxy, WatchDelay};
use super::{plain_http, ports};

/// Where the Deployment mounts the certificate.
const MOUNTED_TLS: &str = "/etc/regcred/tls";
/// Where one that runs outside of the cluster has the kubeconfig of it.
pub const MOUNTED_KUBECONFIG: &str = "/etc/regcred/kubeconfig";
/// Caches are filled within a second; watches that a test delays, and a busy machine, take longer.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How often the start is tried with other ports.
const ATTEMPTS: usize = 4;

/// A running server.
pub struct Replica {
    name: String,
    /// What the audit log knows its token by.
    credential: String,
    process: Mutex<Process>,
    webhook: SocketAddr,
    admin: SocketAddr,
    backend: Arc<Backend>,
    proxy: Proxy,
    /// Where the Deployment mounts one.
    tls: Option<ProjectedSecret>,
}

impl Replica {
    /// Starts one with the arguments and variables of this Deployment and `more` arguments after them.
    /// It need not be ready when this returns.
    pub async fn start(
        control_plane: &ControlPlane,
        name: &str,
        deployment: &Value,
        leaf: Option<&Leaf>,
        more: &[&str],
        delay: WatchDelay,
    ) -> Self {
        let request = ["create", "token", SERVICE_ACCOUNT, "--namespace", NAMESPACE];
        let token = control_plane.kubectl(&request).await.succeeded();
        let credential = credential_of(token.trim());
        let proxy = Proxy::start(control_plane.access()).await;
        proxy.delay_watches(delay);
        let folder = control_plane.folder().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let tls = leaf.map(|leaf| ProjectedSecret::mount(folder.join("tls"), leaf));
        let mounted = tls.as_ref().map(ProjectedSecret::folder);
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, proxy.kubeconfig(token.trim()).to_string()).expect("a kubeconfig");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        for _ in 0..ATTEMPTS {
            let (webhook, admin) = (ports::free(), ports::free());
            let mut command = Command::new(server_binary());
            command.args(arguments(container, webhook, admin)).args(more);
            let variables = variables(container, name, mounted, &kubeconfig);
            let is_outside = variables.iter().any(|(_, value)| *value == kubeconfig.display().to_string());
            // Like a container's: only what the Deployment sets, and the kubelet.
            command.env_clear().envs(variables).env("HOSTNAME", name);
            if !is_outside {
                // It stands for the mounted token.
                command.env("KUBECONFIG", &kubeconfig);
            }
            let mut process = Process::start(control_plane.watchdog(), name, &mut command);
            if Self::listens(&mut process, admin).await {
                let (process, backend) = (Mutex::new(process), Backend::new(webhook));
                return Self {
                    name: name.to_owned(),
                    credential,
                    process,
                    webhook,
                    admin,
                    backend,
                    proxy,
                    tls,
                };
            }
            let problem = process.last_words();
            assert!(problem.to_lowercase().contains("address already in use"), "{name} ended: {problem}");
        }
        panic!("{name} found no free port in {ATTEMPTS} attempts");
    }

    /// Waits until its admin port answers; false when it ended instead.
    async fn listens(process: &mut Process, admin: SocketAddr) -> bool {
        let deadline = Instant::now() + READY_LIMIT;
        while plain_http::get(admin, "/livez").await.is_err() {
            if process.ended().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "no answer from /livez: {}", process.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let answer = self.get("/readyz").await;
            if matches!(&answer, Some((StatusCode::OK, _))) {
                return;
            }
            assert!(!self.has_ended(), "{} ended: {}", self.name, self.last_words());
            assert!(
                Instant::now() < deadline,
                "{} is not ready: {answer:?}; {}",
                self.name,
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was this server that made a call.
    pub fn made(&self, call: &Event) -> bool {
        call.credential == self.credential
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.process.lock().expect("no holder panics").id()
    }

    /// Where it takes reviews.
    pub fn webhook_address(&self) -> SocketAddr {
        self.webhook
    }

    /// Where it answers `/livez`, `/readyz`, `/metrics` and `/version`.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The API server's way to it.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Its way to the API server.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Its mounted certificate, in an installation with files.
    pub fn tls(&self) -> &ProjectedSecret {
        self.tls.as_ref().expect("an installation with files")
    }

    /// A path of its admin port; nothing when it does not answer.
    pub async fn get(&self, path: &str) -> Option<(StatusCode, String)> {
        plain_http::get(self.admin, path).await.ok()
    }

    /// Its metrics.
    pub async fn metrics(&self) -> Metrics {
        let (status, text) = self.get("/metrics").await.expect("the admin port answers");
        assert_eq!(status, StatusCode::OK, "{text}");
        Metrics::parse(text)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.lock().expect("no holder panics").log()
    }

    fn last_words(&self) -> String {
        self.process.lock().expect("no holder panics").last_words()
    }

    pub fn has_ended(&self) -> bool {
        self.process.lock().expect("no holder panics").ended().is_some()
    }

    /// Tells it to end, as the kubelet does.
    pub fn terminate(&self) {
        self.process.lock().expect("no holder panics").signal(Signal::TERM);
    }

    /// Ends it without a word.
    pub fn kill(&self) {
        self.process.lock().expect("no holder panics").kill();
    }

    /// Waits for its end.
    pub async fn wait(&self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.process.lock().expect("no holder panics").ended() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} still runs after {limit:?}: {}",
                self.name,
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The credential id that the API server gives to calls with a token, from the token's own id.
fn credential_of(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("a token has claims");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("claims are base64");
    let claims: Value = serde_json::from_slice(&claims).expect("claims are JSON");
    format!("JTI={}", claims["jti"].as_str().expect("a token has an id"))
}

/// The program under test. Cargo names it for tests; an example finds it beside its own folder, where
/// `cargo build` has put it.
pub fn server_binary() -> PathBuf {
    option_env!("CARGO_BIN_EXE_regcred").map_or_else(beside_own_folder, PathBuf::from)
}

fn beside_own_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own path");
    own.ancestors().nth(2).expect("an example is in a folder of its own").join("regcred")
}

/// The Deployment's own, with only listen addresses replaced.
fn arguments(container: &Value, webhook: SocketAddr, admin: SocketAddr) -> Vec<String> {
    let given = container["args"].as_array().expect("the Deployment has args");
    let replaced = |argument: &Value| {
        let argument = argument.as_str().expect("an argument is a text");
        match argument.split_once('=') {
            Some(("--listen", _)) => format!("--listen={webhook}"),
            Some(("--admin-listen", _)) => format!("--admin-listen={admin}"),
            Some((flag, value)) if value.starts_with('/') => {
                panic!("the bench mounts nothing at {value} ({flag})")
            }
            _ => argument.to_owned(),
        }
    };
    given.iter().map(replaced).collect()
}

/// The variables that the Deployment sets, with only file paths replaced.
fn variables(container: &Value, name: &str, tls: Option<&Path>, kubeconfig: &Path) -> Vec<(String, String)> {
    let given = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
    let variable = |variable: &Value| {
        let text = |pointer: &str| variable.pointer(pointer).and_then(Value::as_str);
        let value = match text("/valueFrom/fieldRef/fieldPath") {
            Some("metadata.namespace") => NAMESPACE,
            Some("metadata.name") => name,
            Some(other) => panic!("the bench has no value for the field {other}"),
            None => text("/value").unwrap_or_default(),
        };
        let value = match (value, tls) {
            (MOUNTED_KUBECONFIG, _) => kubeconfig.to_str().expect("UTF-8"),
            (MOUNTED_TLS, Some(tls)) => tls.to_str().expect("UTF-8"),
            (value, _) if value.starts_with('/') => panic!("the bench mounts nothing at {value}"),
            (value, _) => value,
        };
        (text("/name").expect("a variable has a name").to_owned(), value.to_owned())
    };
    given.iter().map(variable).collect()
}
