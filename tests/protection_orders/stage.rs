//! Where one order of events is played: one server answers all reviews, and another one leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::task::JoinHandle;

use crate::harness::dummy_webhook::DummyWebhook;
use crate::harness::gardener::{know_shoots, shoot};
use crate::harness::network::Mode;
use crate::harness::patches::Way;
use crate::harness::replica::Replica;
use crate::harness::{ControlPlane, Installation, Options, User, background};

/// For how long a reservation counts that nobody settles: far longer than anything is held up.
const SETTLE: &str = "--settle-time=2m";
/// What is to happen in a moment takes longer on a busy machine, and nothing can be held up for longer.
pub(crate) const SOON: Duration = Duration::from_secs(25);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// The entries of the webhook configuration that are asked about a Shoot, and about the deletion of a Secret.
const OF_SHOOTS: [&str; 1] = ["secret-references.regcred.dev"];
const OF_DELETIONS: [&str; 2] = ["secrets-in-use.regcred.dev", "secret-deletions.regcred.dev"];

/// Each test has the machine to itself.
static TURN: Mutex<()> = Mutex::const_new(());

/// One order of events in a namespace of its own, with the installation for itself.
pub(crate) struct Stage {
    _turn: MutexGuard<'static, ()>,
    installation: Arc<Installation>,
    client: Client,
    pub(crate) namespace: String,
    /// Answers all reviews.
    pub(crate) server: Arc<Replica>,
    /// Leads, and answers none.
    pub(crate) leader: Arc<Replica>,
    /// Holds writes of Shoots up, also when all others have admitted them.
    pub(crate) shoots: DummyWebhook,
    /// The same for deletions of Secrets.
    pub(crate) deletions: DummyWebhook,
}

/// What the API server answers, as far as it matters.
pub(crate) type Answer = Result<(), String>;

/// A Secret as it was created.
pub(crate) struct Created {
    pub(crate) name: &'static str,
    pub(crate) uid: String,
}

impl Stage {
    /// Waits for its turn, on the installation of this test binary.
    pub(crate) async fn set(name: &str) -> Self {
        static INSTALLED: OnceCell<Arc<Installation>> = OnceCell::const_new();
        let turn = TURN.lock().await;
        Self::on(Arc::clone(INSTALLED.get_or_init(|| start(SETTLE)).await), turn, name).await
    }

    /// The same on an installation of its own with another settle time.
    pub(crate) async fn set_with(name: &str, settle: &'static str) -> Self {
        let turn = TURN.lock().await;
        Self::on(start(settle).await, turn, name).await
    }

    async fn on(installation: Arc<Installation>, turn: MutexGuard<'static, ()>, name: &str) -> Self {
        // Whatever the test before has left, should it have failed.
        for replica in installation.replicas() {
            replica.backend().set_mode(Mode::Open);
            replica.proxy().patches().set(Way::Open);
        }
        let leader = leader(&installation).await;
        let server = installation.replicas().into_iter().find(|one| !Arc::ptr_eq(one, &leader)).unwrap();
        installation.service().set_backends(vec![Arc::clone(server.backend())]);
        leader.backend().cut();
        let control_plane = installation.control_plane();
        let namespace = control_plane.namespace(name).await;
        let writes = json!({
            "apiGroups": ["core.gardener.cloud"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
            "resources": ["shoots"],
        });
        let shoots = DummyWebhook::hold_up(control_plane, &namespace, "shoots", &writes).await;
        let deletes = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["secrets"],
        });
        let deletions = DummyWebhook::hold_up(control_plane, &namespace, "deletions", &deletes).await;
        // What is being taken up must be refused now, and not once its Shoot is stored.
        let client = control_plane.access().client_that_asks_once(User::Admin).await;
        let stage = Self { _turn: turn, installation, client, namespace, server, leader, shoots, deletions };
        stage.guarded().await;
        stage
    }

    /// Waits until the API server asks everybody.
    async fn guarded(&self) {
        self.create_secret("probe").await;
        let probe: DynamicObject =
            serde_json::from_value(shoot(&self.namespace, "probe", &["missing"])).unwrap();
        let dry_run = PostParams { dry_run: true, field_manager: None };
        until("everybody is asked", async || {
            let refused = self
                .shoots_there()
                .create(&dry_run, &probe)
                .await
                .is_err_and(|error| error.to_string().contains("does not exist"));
            let deleted = self.secrets().delete("probe", &DeleteParams::default().dry_run()).await;
            refused && deleted.is_ok() && self.shoots.calls() > 0 && self.deletions.calls() > 0
        })
        .await;
    }

    pub(crate) fn control_plane(&self) -> &ControlPlane {
        self.installation.control_plane()
    }

    fn shoots_there(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("core.gardener.cloud", "v1beta1", "Shoot");
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::from_gvk(&kind))
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A Secret as somebody writes it, who knows nothing of marks.
    fn secret(&self, name: &str) -> Secret {
        let object = json!({
            "metadata": {"namespace": self.namespace, "name": name}, "type": "Opaque",
            "stringData": {"username": "john", "password": "swordfish"},
        });
        serde_json::from_value(object).unwrap()
    }

    pub(crate) async fn create_secret(&self, name: &'static str) -> Created {
        let created = self.secrets().create(&PostParams::default(), &self.secret(name)).await.unwrap();
        Created { name, uid: created.metadata.uid.unwrap() }
    }

    /// As `kubectl replace` does.
    pub(crate) async fn replace_secret(&self, secret: &Created) -> Answer {
        let new = self.secret(secret.name);
        told(self.secrets().replace(secret.name, &PostParams::default(), &new).await)
    }

    /// Begins to delete a Secret.
    pub(crate) fn delete_secret(&self, secret: &Created) -> JoinHandle<Answer> {
        let (secrets, name) = (self.secrets(), secret.name);
        tokio::spawn(async move { told(secrets.delete(name, &DeleteParams::default()).await) })
    }

    /// Begins to delete a Secret, which regcred allows, and which is held up then.
    ///
    /// From now on the leader changes no Secret: once a watch shows it a Shoot that points there it would put the mark on, and so have
    /// the deletion judged anew. Nothing may depend on its being in time for that.
    pub(crate) async fn admitted_deletion(&self, secret: &Created) -> JoinHandle<Answer> {
        self.leader.proxy().patches().set(Way::Closed);
        let (answers, calls) = (self.answers(&OF_DELETIONS).await, self.deletions.calls());
        self.deletions.hold(true);
        let deletion = self.delete_secret(secret);
        until("the deletion is admitted", async || {
            self.deletions.calls() > calls && self.answers(&OF_DELETIONS).await > answers
        })
        .await;
        assert!(!deletion.is_finished(), "the deletion is not held up");
        deletion
    }

    /// Begins to create a Shoot that points to a Secret.
    pub(crate) fn create_shoot(&self, name: &'static str, secret: &Created) -> JoinHandle<Answer> {
        let shoots = self.shoots_there();
        let new = serde_json::from_value(shoot(&self.namespace, name, &[secret.name])).unwrap();
        tokio::spawn(async move { told(shoots.create(&PostParams::default(), &new).await) })
    }

    /// Begins to point a Shoot to another Secret.
    pub(crate) fn point_shoot(&self, name: &'static str, secret: &Created) -> JoinHandle<Answer> {
        let shoots = self.shoots_there();
        let pointing = shoot(&self.namespace, name, &[secret.name]);
        let patch = Patch::Merge(json!({"spec": pointing["spec"]}));
        tokio::spawn(async move { told(shoots.patch(name, &PatchParams::default(), &patch).await) })
    }

    /// Begins to write a Shoot, which regcred admits, and which is held up then.
    pub(crate) async fn admitted(&self, write: impl FnOnce() -> JoinHandle<Answer>) -> JoinHandle<Answer> {
        let (answers, calls) = (self.answers(&OF_SHOOTS).await, self.shoots.calls());
        self.shoots.hold(true);
        let write = write();
        until("the Shoot is admitted", async || {
            self.shoots.calls() > calls && self.answers(&OF_SHOOTS).await > answers
        })
        .await;
        write
    }

    pub(crate) async fn delete_shoot(&self, name: &str) {
        self.shoots_there().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// From now on no review is answered, or each is again.
    pub(crate) fn answer_reviews(&self, answer: bool) {
        self.server.backend().set_mode(if answer { Mode::Open } else { Mode::Refused });
    }

    /// How many answers of these entries have come back to the API server.
    async fn answers(&self, entries: &[&str]) -> f64 {
        let metrics = self.control_plane().metrics().await;
        let of = |name: &&str| metrics.sum("apiserver_admission_webhook_request_total", &[("name", *name)]);
        entries.iter().map(of).sum()
    }

    /// How many patches of Secrets the leader has been answered.
    pub(crate) async fn patches_of_leader(&self) -> f64 {
        let patches = [("verb", "patch"), ("resource", "secrets")];
        self.leader.metrics().await.sum("regcred_api_requests_total", &patches)
    }

    /// Whether a Secret is marked as in use, and how many reservations it has; nothing of one that is not there.
    pub(crate) async fn marks(&self, secret: &Created) -> Option<(bool, usize)> {
        let metadata = self.secrets().get_opt(secret.name).await.unwrap()?.metadata;
        let is_marked = metadata.labels.iter().flatten().any(|(name, _)| name == "regcred.dev/in-use");
        let annotations = metadata.annotations.iter().flatten();
        Some((is_marked, annotations.filter(|(name, _)| name.starts_with("reservation.")).count()))
    }

    /// Whether a Shoot is stored that points to a Secret which is not there any more.
    pub(crate) async fn has_lost(&self, shoot: &str, secret: &Created) -> bool {
        let stored = self.shoots_there().get_opt(shoot).await.unwrap();
        let points = stored.is_some_and(|stored| {
            let resources = stored.data["spec"]["resources"].as_array().cloned().unwrap_or_default();
            resources.iter().any(|resource: &Value| resource["resourceRef"]["name"] == secret.name)
        });
        let found = self.secrets().get_opt(secret.name).await.unwrap().map(|found| found.metadata);
        let stays = found.is_some_and(|found| {
            found.uid.as_ref() == Some(&secret.uid) && found.deletion_timestamp.is_none()
        });
        points && !stays
    }

    /// What must not be, in whatever order things have happened.
    pub(crate) async fn judge(&self, shoot: &str, secret: &Created) {
        let has_lost = self.has_lost(shoot, secret).await;
        assert!(!has_lost, "VIOLATION: Shoot {shoot} is stored, and Secret {} has gone", secret.name);
    }
}

/// An installation that the end of the test that starts it does not end.
async fn start(settle: &'static str) -> Arc<Installation> {
    let started = background::spawn(async move {
        let installation = Installation::install_on(Options::default(), &[settle]).await;
        know_shoots(installation.control_plane()).await;
        installation.add_replicas().await;
        installation.registered().await;
        Arc::new(installation)
    });
    started.await.expect("an installation")
}

async fn leader(installation: &Installation) -> Arc<Replica> {
    let begun = Instant::now();
    loop {
        for replica in installation.replicas() {
            if replica.metrics().await.sum("regcred_leader", &[]) > 0.5 {
                return replica;
            }
        }
        assert!(begun.elapsed() < SOON, "nobody leads");
        tokio::time::sleep(LOOK).await;
    }
}

fn told<T>(answer: Result<T, kube::Error>) -> Answer {
    answer.map(drop).map_err(|error| error.to_string())
}

/// Looks until it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < SOON, "not so after {SOON:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// That something was refused in these words.
pub(crate) fn refused(answer: &Answer, words: &str) {
    let told = answer.as_ref().expect_err("a refusal");
    assert!(told.contains(words), "{told}");
}
