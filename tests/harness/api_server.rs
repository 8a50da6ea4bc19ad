//! The command lines of etcd, kube-apiserver and kube-controller-manager, and the files they read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rcgen::{ExtendedKeyUsagePurpose, KeyPair};

use super::assets;
use super::audit;
use super::certificates::{Authority, Leaf};
use super::control_plane::Options;
use super::users::User;

/// The Services' addresses.
const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The first minor version of Kubernetes that streams lists unless told otherwise.
pub const STREAMS_SINCE: u32 = 34;
/// Until this minor version image volumes exist only behind a feature gate that is off.
const IMAGE_VOLUMES_SINCE: u32 = 35;

/// Everything in the temporary folder that the three programs read.
pub struct Files {
    folder: PathBuf,
    /// The certificate that clients of the API server trust, as PEM.
    pub authority: String,
}

impl Files {
    /// Writes them.
    pub fn write(folder: &Path) -> Self {
        let files = Self { folder: folder.to_owned(), authority: String::new() };
        let authority = Authority::new("bench control plane");
        let leaf = authority.leaf(&["127.0.0.1", "localhost", "kubernetes.default.svc"]);
        let accounts = KeyPair::generate().expect("a key");
        files.put("server.crt", &leaf.certificate);
        files.put("server.key", &leaf.key);
        let (front_proxy, leaf) = front_proxy();
        files.put("front-proxy-authority.crt", front_proxy);
        files.put("front-proxy.crt", &leaf.certificate);
        files.put("front-proxy.key", &leaf.key);
        files.put("accounts.key", &accounts.serialize_pem());
        files.put("accounts.pub", &accounts.public_key_pem());
        files.put("tokens.csv", &User::token_file());
        files.put("audit-policy.yaml", audit::POLICY);
        let egress = serde_json::json!({
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [{
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": {"uds": {"udsName": files.egress_socket()}},
                },
            }],
        });
        files.put("egress.yaml", &egress.to_string());
        Self { authority: authority.pem(), ..files }
    }

    /// Where the API server finds the cluster's network.
    pub fn egress_socket(&self) -> PathBuf {
        self.path("egress.sock")
    }

    /// Where it writes its audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.path("audit.log")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file in the temporary folder");
    }

    fn flag(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path(name).display())
    }
}

/// By whose certificate one API server tells another who asks; and that certificate. All trust each other so.
fn front_proxy() -> &'static (String, Leaf) {
    static FRONT_PROXY: OnceLock<(String, Leaf)> = OnceLock::new();
    FRONT_PROXY.get_or_init(|| {
        let authority = Authority::new("bench front proxy");
        let leaf = authority.leaf_with(&["front-proxy"], |parameters| {
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        (authority.pem(), leaf)
    })
}

/// The version that the binaries are of, such as `v1.37.1`.
pub fn version() -> String {
    let output =
        Command::new(assets::binary("kube-apiserver")).arg("--version").output().expect("kube-apiserver");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().strip_prefix("Kubernetes ").expect("kube-apiserver --version").to_owned()
}

/// The minor part of a version.
pub fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).expect("a version such as v1.37.1")
}

pub fn etcd(files: &Files, client: SocketAddr, peer: SocketAddr) -> Command {
    let mut command = Command::new(assets::binary("etcd"));
    command
        // What a test stores need not survive a power cut.
        .args(["--unsafe-no-fsync", "--log-level=error"])
        .arg(files.flag("data-dir", &format!("etcd-{}", client.port())))
        .arg(format!("--listen-client-urls=http://{client}"))
        .arg(format!("--advertise-client-urls=http://{client}"))
        .arg(format!("--listen-peer-urls=http://{peer}"))
        .arg(format!("--initial-advertise-peer-urls=http://{peer}"))
        .arg(format!("--initial-cluster=default=http://{peer}"));
    command
}

pub fn api_server(
    files: &Files,
    etcd: SocketAddr,
    address: SocketAddr,
    version: &str,
    options: &Options,
) -> Command {
    let mut command = Command::new(assets::binary("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://{etcd}"))
        .arg(format!("--bind-address={}", address.ip()))
        .arg(format!("--secure-port={}", address.port()))
        .arg(format!("--service-cluster-ip-range={SERVICE_RANGE}"))
        .args(["--authorization-mode=RBAC", "--allow-privileged=true", "--profiling=false"])
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        // No Service leads to this API server; the pods' way to it is the test's matter.
        .arg("--endpoint-reconciler-type=none")
        .arg(files.flag("cert-dir", "certificates"))
        .arg(files.flag("tls-cert-file", "server.crt"))
        .arg(files.flag("tls-private-key-file", "server.key"))
        .arg(files.flag("service-account-key-file", "accounts.pub"))
        .arg(files.flag("service-account-signing-key-file", "accounts.key"))
        .arg(files.flag("token-auth-file", "tokens.csv"))
        .arg(files.flag("requestheader-client-ca-file", "front-proxy-authority.crt"))
        .args([
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
        ])
        .arg("--requestheader-extra-headers-prefix=X-Remote-Extra-")
        .arg(files.flag("proxy-client-cert-file", "front-proxy.crt"))
        .arg(files.flag("proxy-client-key-file", "front-proxy.key"))
        .arg(files.flag("egress-selector-config-file", "egress.yaml"))
        .arg(files.flag("audit-policy-file", "audit-policy.yaml"))
        .arg(files.flag("audit-log-path", "audit.log"))
        // Each event is written before the next one of the same request; never rotated (in MB).
        .args(["--audit-log-mode=blocking", "--audit-log-maxsize=100000"]);
    if let Some(timeout) = options.request_timeout {
        command.arg(format!("--request-timeout={}ms", timeout.as_millis()));
    }
    command.arg(format!("--delete-collection-workers={}", options.delete_collection_workers));
    let mut gates = Vec::new();
    if minor(version) < IMAGE_VOLUMES_SINCE {
        gates.push("ImageVolume=true");
    }
    if !options.streams_lists {
        gates.push("WatchList=false");
    }
    if !gates.is_empty() {
        command.arg(format!("--feature-gates={}", gates.join(",")));
    }
    command
}

pub fn controller_manager(files: &Files, kubeconfig: &Path) -> Command {
    let mut command = Command::new(assets::binary("kube-controller-manager"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(files.flag("service-account-private-key-file", "accounts.key"))
        .args(["--leader-elect=false", "--use-service-account-credentials=true", "--profiling=false"])
        // Serves nothing, so it needs no port.
        .arg("--secure-port=0")
        // Its default of 20 calls a second would be what a test with hundreds of namespaces waits for.
        .args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
    command
}
