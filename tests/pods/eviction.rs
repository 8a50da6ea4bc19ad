//! Exactly the pods that eviction mends are evicted.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::harness::Installation;
use crate::harness::proxy::WatchDelay;
use crate::scene::{Fate, Scene, leader, pull_secrets};

/// The rights that eviction needs, as an admin adds them.
async fn permit(installation: &Installation) {
    let rights =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/components/evict-failing-pods/rbac.yaml");
    installation.control_plane().kubectl(&["apply", "-f", rights.to_str().unwrap()]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_fails_for_want_of_its_secret_is_replaced_and_no_other() {
    let installation = Installation::start(&["--evict-failing-pods", "--eviction-interval=200ms"]).await;
    permit(&installation).await;
    let scene = Scene::enter(&installation).await;

    // The credential is not there yet, so all of these are admitted without its Secret.
    let single = scene.replica_set("single", 1).await;
    let pair = scene.replica_set("pair", 2).await;
    let running = scene.replica_set("running", 1).await;
    let kept = scene.replica_set("kept", 1).await;
    let silent = scene.replica_set("silent", 1).await;
    let bare = [scene.bare_pod("bare").await];
    scene.keep("kept").await;
    for pod in single.iter().chain(&pair).chain(&bare) {
        scene.fares(pod, Fate::Failing).await;
    }
    scene.fares(&running[0], Fate::Running).await;
    scene.fares(&kept[0], Fate::FailingAfterAStart).await;
    let before = installation.control_plane().audit().position().await;
    scene.offer().await;

    let copy = scene.copy();
    let replacement = scene
        .until("a replacement that has its pull Secret", async || {
            let pods = scene.pods("single").await;
            let new = pods.into_iter().find(|pod| pod.metadata.uid != single[0].metadata.uid)?;
            Some(new)
        })
        .await;
    assert_eq!(pull_secrets(&replacement), [copy.as_str()]);
    assert!(scene.api::<Secret>().get_opt(&copy).await.unwrap().is_some(), "the copy was made first");
    scene.is_told(&single[0].name_any(), "EvictedForPullSecret").await;
    scene.is_told(&bare[0].name_any(), "PullSecretMissing").await;
    scene.is_told(&kept[0].name_any(), "EvictionRefused").await;

    // One of the pair, the one that is kept and the one that nobody replaces still fail.
    scene.counted([1, 3, 1]).await;
    // Twenty times the interval: nothing more goes.
    tokio::time::sleep(Duration::from_secs(4)).await;
    scene.counted([1, 3, 1]).await;
    for (name, pods) in [("running", &running[..]), ("kept", &kept), ("silent", &silent), ("bare", &bare)] {
        let uids: Vec<_> = scene.pods(name).await.iter().map(|pod| pod.metadata.uid.clone()).collect();
        assert_eq!(uids, [pods[0].metadata.uid.clone()], "{name} was replaced");
    }
    let was_there = |uid: &Option<String>| pair.iter().any(|pod| pod.metadata.uid == *uid);
    let left = scene.pods("pair").await;
    assert_eq!(left.iter().filter(|pod| was_there(&pod.metadata.uid)).count(), 1, "one of each controller");

    let evictions = installation
        .control_plane()
        .audit()
        .since(before, |call| call.resource == "pods" && call.subresource == "eviction")
        .await;
    let mut done: Vec<_> = evictions.iter().filter(|call| call.code == 201).map(|call| &call.name).collect();
    done.sort();
    done.dedup();
    assert_eq!(done.len(), 2, "{evictions:?}");
    let leader = leader(&installation).await;
    assert!(evictions.iter().all(|call| leader.made(call)), "{evictions:?}");
    let refused = leader.metrics().await.sum("regcred_pod_evictions_total", &[("result", "refused")]);
    assert!(refused >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_is_of_the_pod_as_it_was_judged() {
    // Evictions come slower than the test changes its mind.
    let installation = Installation::start(&["--evict-failing-pods", "--eviction-interval=5s"]).await;
    permit(&installation).await;
    let scene = Scene::enter(&installation).await;
    let first = scene.replica_set("first", 1).await;
    let second = scene.replica_set("second", 1).await;
    let both = || first.iter().chain(&second);
    for pod in both() {
        scene.fares(pod, Fate::Failing).await;
    }
    scene.offer().await;
    // Once one of them has gone there are five seconds until the turn of the other.
    let gone = scene
        .until("one eviction", async || {
            for pod in both() {
                let name = pod.labels()["app"].clone();
                if scene.pods(&name).await.iter().all(|now| now.metadata.uid != pod.metadata.uid) {
                    return Some(name);
                }
            }
            None
        })
        .await;
    let (leader, other) =
        (leader(&installation).await, both().find(|pod| pod.labels()["app"] != gone).unwrap());
    leader.proxy().delay_watches(WatchDelay::Hold);
    scene.fares(other, Fate::Running).await;
    scene
        .until("an attempt at the pod as it was", async || {
            let metrics = leader.metrics().await;
            (metrics.sum("regcred_pod_evictions_total", &[("result", "outdated")]) > 0.5).then_some(())
        })
        .await;
    leader.proxy().delay_watches(WatchDelay::None);
    let now = scene.pods(&other.labels()["app"]).await;
    assert_eq!(now[0].metadata.uid, other.metadata.uid, "a pod that runs by now was evicted");
    scene.counted([1, 0, 0]).await;
}
