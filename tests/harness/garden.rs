//! A garden: an API server whose Shoots and bindings another one serves, with a storage of its own, and regcred outside of both.
//!
//! The second is a kube-apiserver that has these kinds as custom resources. The first leads to it by `APIService`, as to
//! gardener-apiserver. Admission of Secrets is the first one's matter, that of Shoots the second one's.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::control_plane::{ControlPlane, Options, unique};
use super::gardener::know_shoots;
use super::installation::{Installation, NAMESPACE};
use super::network::{Backend, Front, Service};
use super::overlays;
use super::trust::{MUTATING, VALIDATING, configuration};

/// Where the first finds the second.
const SERVICE: &str = "gardener-apiserver";
/// What the second serves for the first.
const SERVED: [(&str, &str); 3] = [
    ("core.gardener.cloud", "v1beta1"),
    ("core.gardener.cloud", "v1"),
    ("security.gardener.cloud", "v1alpha1"),
];

/// Two API servers and an installation.
pub struct Garden {
    installation: Installation,
    second: ControlPlane,
    detour: Arc<Backend>,
}

impl Garden {
    /// A new one, whose servers get these arguments.
    pub async fn start(options: Options, more: &[&str]) -> Self {
        // Nothing of its own is done there.
        let second = ControlPlane::start(Options { controller_manager: false, ..options }).await;
        know_shoots(&second).await;
        let installation = Installation::install_outside(options, more).await;
        let first = installation.control_plane();
        let way = first.network().service("default", SERVICE, 443);
        way.set_backends(vec![Backend::new(second.access().address)]);
        first.apply(&registration().to_string()).await;
        for (group, version) in SERVED {
            let service = format!("apiservice/{version}.{group}");
            let wait = ["wait", "--for=condition=Available", &service, "--timeout=60s"];
            first.kubectl(&wait).await.succeeded();
        }
        let detour = Backend::new(front_of(&installation).await);
        let garden = Self { installation, second, detour };
        garden.give_rights().await;
        garden.installation.add_replicas().await;
        garden.installation.registered().await;
        garden.installation.look_at_trust().await;
        garden.register_in_second().await;
        garden
    }

    /// The first API server, and regcred.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The API server of Shoots.
    pub fn second(&self) -> &ControlPlane {
        &self.second
    }

    /// The way from the second API server to the servers, which may be longer than that from the first.
    pub fn detour(&self) -> &Arc<Backend> {
        &self.detour
    }

    /// A new namespace of a project, in both.
    pub async fn project(&self) -> String {
        let name = unique("garden-project");
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"gardener.cloud/role": "project"}},
        });
        for control_plane in [self.installation.control_plane(), &self.second] {
            control_plane.apply(&namespace.to_string()).await;
        }
        name
    }

    /// gardener-apiserver asks the first what somebody may do; here the second has the same roles.
    async fn give_rights(&self) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        self.second.apply(&namespace.to_string()).await;
        let roles = overlays::manifests().join("rbac.yaml");
        self.second.kubectl(&["apply", "-f", roles.to_str().expect("UTF-8")]).await.succeeded();
    }

    /// gardener-apiserver reads the webhook configurations of the first; here the second gets a copy, as they are now but for the port.
    async fn register_in_second(&self) {
        let service = Arc::new(Service::default());
        service.set_backends(vec![Arc::clone(&self.detour)]);
        let front = Front::start(service).await;
        let (from, to) = (self.detour.address().to_string(), front.address().to_string());
        for kind in [MUTATING, VALIDATING] {
            let there = configuration(self.installation.control_plane(), kind, "regcred").await;
            let mut copy = there.expect("it is installed");
            copy["metadata"] = json!({"name": "regcred"});
            self.second.apply(&copy.to_string().replace(&from, &to)).await;
        }
    }
}

/// Where the webhooks of the first call.
async fn front_of(installation: &Installation) -> SocketAddr {
    let there =
        configuration(installation.control_plane(), MUTATING, "regcred").await.expect("it is installed");
    let url = there["webhooks"][0]["clientConfig"]["url"].as_str().expect("a URL").to_owned();
    url.split('/').nth(2).and_then(|host| host.parse().ok()).expect("an address in the URL")
}

/// The way from the first to the second.
fn registration() -> Value {
    let services = SERVED.map(|(group, version)| {
        json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": format!("{version}.{group}")},
            "spec": {
                "group": group, "version": version, "groupPriorityMinimum": 10_000, "versionPriority": 20,
                "service": {"namespace": "default", "name": SERVICE, "port": 443},
                "insecureSkipTLSVerify": true,
            },
        })
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": SERVICE},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 443}]},
    });
    // Of no meaning but that there is one: the network leads elsewhere.
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "namespace": "default", "name": SERVICE, "labels": {"kubernetes.io/service-name": SERVICE},
        },
        "ports": [{"name": "https", "port": 443}],
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}],
    });
    let mut items = vec![service, slice];
    items.extend(services);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
