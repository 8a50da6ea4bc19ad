//! A namespace that is deleted and comes back under its name while the watches still tell of the former one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::User;
use crate::harness::proxy::WatchDelay;
use crate::harness::reviews;
use crate::harness::stage::Stage;

/// The controller-manager deletes a namespace within a few seconds; when something held it up, it looks again later
/// and later.
const DELETED_WITHIN: Duration = Duration::from_mins(1);
/// A second until the retry loop looks, and time for a busy machine.
const RETRIED_WITHIN: Duration = Duration::from_secs(10);
/// What is known by watches that are not late.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// A namespace whose end can be held up.
struct Mortal<'a> {
    stage: &'a Stage,
    name: &'static str,
    namespaces: Api<Namespace>,
    anchors: Api<ConfigMap>,
}

impl<'a> Mortal<'a> {
    async fn create(stage: &'a Stage, name: &'static str) -> Self {
        stage.create_namespace(name).await.unwrap();
        let namespaces = Api::all(stage.control_plane().client(User::Developer).await);
        Self { stage, name, namespaces, anchors: stage.api(name) }
    }

    /// Something in it that stays until it is let go.
    async fn anchor(&self) {
        let anchor = json!({"metadata": {"name": "anchor", "finalizers": ["regcred.example/hold"]}});
        let anchor = serde_json::from_value(anchor).unwrap();
        self.anchors.create(&PostParams::default(), &anchor).await.unwrap();
    }

    async fn let_go(&self) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.anchors.patch("anchor", &PatchParams::default(), &patch).await.unwrap();
    }

    async fn delete(&self) {
        self.namespaces.delete(self.name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits for its end, doing something all the time.
    async fn gone(&self, meanwhile: impl AsyncFn()) {
        let deadline = Instant::now() + DELETED_WITHIN;
        while self.namespaces.get_opt(self.name).await.unwrap().is_some() {
            assert!(Instant::now() < deadline, "{} is still there", self.name);
            meanwhile().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Creates it anew, with a pod, and tells the pull Secrets of that one.
    async fn comes_back(&self) -> Vec<String> {
        self.stage.create_namespace(self.name).await.unwrap();
        self.stage.create_pod(self.name, "second").await.unwrap()
    }

    /// Waits until its copy is there; tells how long that took.
    async fn has_its_copy(&self) -> Duration {
        let (begun, secrets) = (Instant::now(), self.stage.api::<Secret>(self.name));
        loop {
            if let Some(copy) = secrets.get_opt(&self.stage.copy()).await.unwrap() {
                assert!(self.stage.is_whole(&copy));
                return begun.elapsed();
            }
            assert!(begun.elapsed() < RETRIED_WITHIN, "{} has no copy after {RETRIED_WITHIN:?}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_whose_end_nobody_saw_gets_its_copy_when_the_watches_tell() {
    let stage = Stage::set("unseen").await;
    let namespace = Mortal::create(&stage, "unseen").await;
    assert_eq!(stage.create_pod("unseen", "first").await.unwrap(), [stage.copy()]);
    tokio::time::sleep(SEEN_WITHIN).await;
    stage.delay_watches(WatchDelay::Hold);
    namespace.delete().await;
    namespace.gone(async || ()).await;
    assert_eq!(namespace.comes_back().await, [stage.copy()]);
    let copies = stage.copies().await.len();
    stage.delay_watches(WatchDelay::None);
    stage.figure(&format!(
        "{copies} copies before the watches told, one {:.1?} after",
        namespace.has_its_copy().await
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_was_last_seen_ending_is_read_and_its_pod_has_the_name() {
    let stage = Stage::set("ending").await;
    let namespace = Mortal::create(&stage, "ending").await;
    assert_eq!(stage.create_pod("ending", "first").await.unwrap(), [stage.copy()]);
    namespace.anchor().await;
    namespace.delete().await;
    tokio::time::sleep(SEEN_WITHIN).await;
    stage.delay_watches(WatchDelay::Hold);
    namespace.let_go().await;
    namespace.gone(async || ()).await;
    assert_eq!(namespace.comes_back().await, [stage.copy()]);
    stage.delay_watches(WatchDelay::None);
    stage
        .figure(&format!("the copy was there {:.1?} after the watches told", namespace.has_its_copy().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_an_ending_namespace_refused_is_not_held_against_the_next_one() {
    let stage = Stage::set("refused").await;
    let namespace = Mortal::create(&stage, "refused").await;
    namespace.anchor().await;
    tokio::time::sleep(SEEN_WITHIN).await;
    stage.delay_watches(WatchDelay::Hold);
    namespace.delete().await;
    // A pod whose review is under way while its namespace begins to end.
    let pod = stage.pod_as_json("refused", "late");
    let clients: Vec<_> = stage.installation().replicas().iter().map(|one| client(&stage, one)).collect();
    let review = async || {
        for client in &clients {
            let uid = reviews::unique_uid();
            let answer = client.post(reviews::of_pod(&uid, &pod, false)).await.unwrap();
            reviews::added(&uid, &answer).unwrap();
        }
    };
    review().await;
    namespace.let_go().await;
    namespace.gone(review).await;
    assert_eq!(namespace.comes_back().await, [stage.copy()]);
    stage.figure(&format!("the copy was there {:.1?} after its pod", namespace.has_its_copy().await));
    stage.delay_watches(WatchDelay::None);
}

fn client(stage: &Stage, replica: &crate::harness::replica::Replica) -> Arc<crate::harness::load::Client> {
    reviews::client_of(stage.installation(), replica)
}
