//! Who watches pods, and which.

use std::time::Duration;

use crate::harness::Installation;
use crate::harness::audit::Event;
use crate::harness::replica::Replica;
use crate::scene::{Fate, Scene, leader};

/// How many pods the Deployment has.
const DEPLOYED: u32 = 2;

fn is_about_all_pods(call: &Event) -> bool {
    call.resource == "pods" && call.subresource.is_empty() && ["list", "watch"].contains(&call.verb.as_str())
}

async fn watched(replica: &Replica) -> f64 {
    replica.metrics().await.sum("regcred_pods_watched", &[])
}

async fn counts(replica: &Replica, pods: u32) -> Option<()> {
    ((watched(replica).await - f64::from(pods)).abs() < 0.5).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_alone_watches_pods_that_have_not_finished_and_its_follower_takes_over() {
    let times = ["--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s"];
    let installation = Installation::start(&times).await;
    let scene = Scene::enter(&installation).await;
    scene.offer().await;
    let first = leader(&installation).await;
    // The Deployment has pods of its own, which no node runs here.
    scene.until("those of the Deployment", async || counts(&first, DEPLOYED).await).await;
    let pods = [scene.bare_pod("a").await, scene.bare_pod("b").await];
    scene.until("both pods", async || counts(&first, DEPLOYED + 2).await).await;
    scene.fares(&pods[0], Fate::Finished).await;
    scene.until("one that has finished", async || counts(&first, DEPLOYED + 1).await).await;
    let audit = installation.control_plane().audit();
    for replica in installation.replicas() {
        let calls = audit.count(|call| is_about_all_pods(call) && replica.made(call)).await;
        assert_eq!(calls > 0, replica.name() == first.name(), "{calls} calls of {}", replica.name());
    }

    installation.lose_replica(&first).await;
    let second = leader(&installation).await;
    scene.until("the pods, by the follower", async || counts(&second, DEPLOYED + 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_not_to_watch_pods_never_asks_for_them() {
    let installation = Installation::start(&["--watch-pods=false"]).await;
    let scene = Scene::enter(&installation).await;
    scene.offer().await;
    let leader = leader(&installation).await;
    let pod = scene
        .until("a pod with its pull Secret", async || {
            let pod = scene.bare_pod(&crate::harness::control_plane::unique("p")).await;
            (crate::scene::pull_secrets(&pod) == [scene.copy()]).then_some(pod)
        })
        .await;
    scene.fares(&pod, Fate::Failing).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(watched(&leader).await < 0.5);
    let audit = installation.control_plane().audit();
    for replica in installation.replicas() {
        assert_eq!(audit.count(|call| is_about_all_pods(call) && replica.made(call)).await, 0);
    }
}
