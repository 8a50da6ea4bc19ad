//! One cluster that regcred comes to and leaves again and again.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::audit::Event;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, registry_credential, registry_secret};
use crate::harness::overlays::manifests;
use crate::harness::{ControlPlane, Installation, User};

/// From the installation to a pod with its Secret.
const SERVES_WITHIN: Duration = Duration::from_mins(1);
/// The garbage collector looks for new kinds every 30 s, and a namespace's end is looked at in growing pauses.
const GONE_WITHIN: Duration = Duration::from_mins(3);
/// What is new the garbage collector's watches show within this time.
const WATCH_LAG: Duration = Duration::from_secs(1);
/// How long a deletion may take that is waited for.
const DELETED_WITHIN: &str = "--timeout=120s";

/// What a user of the cluster has.
pub(crate) struct Team {
    pub(crate) namespace: String,
    /// Where a Secret of somebody else's was adopted.
    adopted_in: String,
    name: String,
}

impl Team {
    pub(crate) fn image(&self) -> String {
        format!("{}.example/app:1", self.name)
    }

    fn copy(&self) -> String {
        format!("regcred-{}", self.name)
    }
}

pub(crate) struct Scene {
    pub(crate) installation: Installation,
}

impl Scene {
    pub(crate) async fn install() -> Self {
        Self { installation: Installation::install(&[]).await }
    }

    pub(crate) fn control_plane(&self) -> &ControlPlane {
        self.installation.control_plane()
    }

    /// `kubectl` with the base, as the administrator.
    pub(crate) async fn apply(&self) -> Result<String, String> {
        let path = manifests();
        let output = self.control_plane().kubectl(&["apply", "-k", path.to_str().unwrap()]).await;
        if output.code == 0 { Ok(output.succeeded()) } else { Err(output.failed()) }
    }

    /// What `kubectl` says is different from the base.
    pub(crate) async fn diff(&self) -> String {
        let path = manifests();
        self.control_plane().kubectl(&["diff", "-k", path.to_str().unwrap()]).await.succeeded()
    }

    pub(crate) async fn delete_all(&self, more: &[&str]) {
        let path = manifests();
        let delete = ["delete", "-k", path.to_str().unwrap(), "--ignore-not-found", DELETED_WITHIN];
        self.control_plane().kubectl(&[&delete, more].concat()).await.succeeded();
    }

    pub(crate) async fn delete(&self, kind_and_name: &[&str]) {
        let delete = ["delete", "--ignore-not-found", DELETED_WITHIN];
        self.control_plane().kubectl(&[&delete, kind_and_name].concat()).await.succeeded();
    }

    /// Two servers, as the Deployment says, and a pod that gets its Secret within a minute; and a Secret of somebody
    /// else's that is adopted.
    pub(crate) async fn serves(&self) -> Team {
        let control_plane = self.control_plane();
        let wait =
            ["wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev", "--timeout=60s"];
        control_plane.kubectl(&wait).await.succeeded();
        let begun = Instant::now();
        self.installation.add_replicas().await;
        let name = unique("team");
        let namespace = control_plane.namespace("pods").await;
        let adopted_in = control_plane.namespace("adopted").await;
        let team = Team { namespace, adopted_in, name };
        let registry = format!("{}.example", team.name);
        let source = registry_secret("default", &team.name, &[&registry]);
        control_plane.apply(&source.to_string()).await;
        let mut foreign = source.clone();
        foreign["metadata"] = json!({"namespace": team.adopted_in, "name": team.copy()});
        control_plane.apply(&foreign.to_string()).await;
        let spec = json!({
            "namespaces": [team.namespace, team.adopted_in], "conflict": "Adopt", "distribution": "Eager",
        });
        let credential = registry_credential(&team.name, ("default", &team.name), spec);
        self.until("the credential is accepted", SERVES_WITHIN, async || {
            (control_plane.apply_as(User::Admin, &credential.to_string()).await.code == 0).then_some(())
        })
        .await;
        self.until("a pod has its pull Secret", SERVES_WITHIN, async || {
            let name = unique("pod");
            let object = pod(&team.namespace, &name, &[&team.image()]);
            control_plane.apply_as(User::Developer, &object.to_string()).await.succeeded();
            let get = ["get", "pod", &name, "--namespace", &team.namespace, "-o", "json"];
            let stored = control_plane.kubectl(&get).await.json();
            (stored["spec"]["imagePullSecrets"] == json!([{"name": team.copy()}])).then_some(())
        })
        .await;
        assert!(
            begun.elapsed() < SERVES_WITHIN,
            "a pod has its pull Secret only after {:?}",
            begun.elapsed()
        );
        figure(&format!("a pod has its pull Secret {:.1?} after the start of two servers", begun.elapsed()));
        self.until("the Secret is adopted", SERVES_WITHIN, async || {
            let secret = self.secret(&team.adopted_in, &team.copy()).await?;
            (secret["metadata"]["labels"]["regcred.dev/copy"] == "true").then_some(())
        })
        .await;
        assert!(self.secret(&team.namespace, &team.copy()).await.is_some());
        self.collector_watches_the_kind(&team).await;
        team
    }

    /// The garbage collector looks for new kinds every 30 s. Of one that it knows and does not watch yet it asks for each owner,
    /// again and again, and never learns that an owner has gone when the kind has gone before it asks: what that owned stays
    /// until the kind comes again.
    async fn collector_watches_the_kind(&self, team: &Team) {
        self.until("the garbage collector knows the kind", GONE_WITHIN, async || {
            self.collects_what_nobody_owns(team).await.then_some(())
        })
        .await;
        self.until("the garbage collector watches the kind", GONE_WITHIN, async || {
            (!self.asks_for_an_owner(team).await).then_some(())
        })
        .await;
    }

    /// A thing whose owner never was is deleted at once by a garbage collector that knows the owner's kind.
    async fn collects_what_nobody_owns(&self, team: &Team) -> bool {
        let name = unique("orphan");
        self.own(team, &name, "00000000-0000-0000-0000-000000000000").await;
        tokio::time::sleep(WATCH_LAG).await;
        let get =
            ["get", "configmap", &name, "--namespace", &team.namespace, "--ignore-not-found", "-o", "name"];
        self.control_plane().kubectl(&get).await.succeeded().trim().is_empty()
    }

    /// Whether the garbage collector asks the API server for an owner that is there: it need not when it watches.
    async fn asks_for_an_owner(&self, team: &Team) -> bool {
        let control_plane = self.control_plane();
        let name = unique("canary");
        let owner = registry_credential(&name, ("default", &team.name), json!({"namespaces": [name]}));
        control_plane.apply(&owner.to_string()).await;
        tokio::time::sleep(WATCH_LAG).await;
        let uid = ["get", "regcred", &name, "-o", "jsonpath={.metadata.uid}"];
        let uid = control_plane.kubectl(&uid).await.succeeded();
        let since = control_plane.audit().position().await;
        self.own(team, &name, &uid).await;
        tokio::time::sleep(WATCH_LAG).await;
        let asks = |call: &Event| {
            call.name == name
                && call.verb == "get"
                && call.user.ends_with(":generic-garbage-collector")
                && call.resource == "registrycredentials"
        };
        let asked = control_plane.audit().since(since, asks).await.len();
        control_plane.kubectl(&["delete", "regcred", &name]).await.succeeded();
        asked > 0
    }

    async fn own(&self, team: &Team, name: &str, owner: &str) {
        let reference = json!({
            "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "name": name, "uid": owner,
        });
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": team.namespace, "ownerReferences": [reference]},
        });
        self.control_plane().apply(&config_map.to_string()).await;
    }

    async fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        let get = ["get", "secret", name, "--namespace", namespace, "-o", "json", "--ignore-not-found"];
        let output = self.control_plane().kubectl(&get).await.succeeded();
        (!output.trim().is_empty()).then(|| serde_json::from_str(&output).unwrap())
    }

    /// With nothing of ours running the copy goes; what was adopted stays, with what was in it.
    pub(crate) async fn is_clean_after(&self, team: &Team) {
        let begun = Instant::now();
        self.until("no copy is left", GONE_WITHIN, async || {
            self.secret(&team.namespace, &team.copy()).await.is_none().then_some(())
        })
        .await;
        figure(&format!("no copy is left after {:.1?}", begun.elapsed()));
        let adopted = self.secret(&team.adopted_in, &team.copy()).await.expect("what was adopted");
        let source = self.secret("default", &team.name).await.expect("the source");
        assert_eq!(adopted["data"], source["data"]);
    }

    pub(crate) async fn until<T>(&self, what: &str, limit: Duration, look: impl AsyncFn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(begun.elapsed() < limit, "not after {limit:?}: {what}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Tells a figure to whoever reads the test's output.
pub(crate) fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "installing: {text}");
}
