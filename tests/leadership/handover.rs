//! A leader that goes: told to, or killed.

use std::time::Duration;

use crate::harness::api_server::{STREAMS_SINCE, minor};
use crate::harness::proxy::WatchDelay;
use crate::scene::{DURATION, MARGIN, RETRY, Scene, changes, figure, leads, until_leads};

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_leads_and_goes_on_leading_and_another_when_it_has_gone() {
    let scene = Scene::set().await;
    let (leader, follower) = scene.leader_and_follower().await;
    assert_eq!(scene.holder().await, leader.name());
    let first = scene.lease().await;
    assert_eq!((first.lease_duration_seconds, first.lease_transitions), (Some(6), Some(0)));

    assert!(scene.told_as_leader(leader.name()).await, "an Event on the Lease tells who leads");

    // Longer than the lease is good for: it is renewed.
    tokio::time::sleep(DURATION + RETRY).await;
    assert!(leads(&leader).await && !leads(&follower).await);
    let later = scene.lease().await;
    assert_eq!(later.holder_identity, first.holder_identity);
    assert_eq!(later.acquire_time, first.acquire_time);
    assert!(later.renew_time > first.renew_time);

    // Told to end, it gives the lease back at once and goes on serving meanwhile.
    leader.terminate();
    let took = until_leads(&follower, RETRY + MARGIN).await;
    figure(&format!("after SIGTERM the other leads in {took:?}"));
    assert!(took < RETRY + Duration::from_secs(1), "{took:?}");
    assert!(!leads(&leader).await, "it drains, and does not lead");
    assert!((changes(&leader, "released").await - 1.0).abs() < 0.5);
    assert_eq!(scene.holder().await, follower.name());
    // The one that gave it back took a name out, the other put one in.
    assert_eq!(scene.lease().await.lease_transitions, Some(1));
    assert!(leader.wait(Duration::from_secs(30)).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_the_other_leads_within_the_duration_and_one_retry() {
    let scene = Scene::set().await;
    let (leader, follower) = scene.leader_and_follower().await;
    leader.kill();
    let took = until_leads(&follower, DURATION + RETRY + MARGIN).await;
    figure(&format!("after SIGKILL the other leads in {took:?}"));
    assert!(took + RETRY + MARGIN > DURATION, "not before the lease has run out: {took:?}");
    assert_eq!(scene.holder().await, follower.name());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_has_not_seen_what_there_is_does_not_take_the_lease() {
    let scene = Scene::set().await;
    if minor(scene.installation.control_plane().version()) < STREAMS_SINCE {
        figure(
            "SKIPPED: lists come in pages in this version, which nothing holds up, so no replica is blind",
        );
        return;
    }
    let blind = scene.installation.launch_blind().await;
    scene.installation.kill_replicas();
    tokio::time::sleep(2 * DURATION).await;
    let (status, body) = blind.get("/readyz").await.unwrap();
    assert_ne!(status, 200, "its watches tell nothing: {body}");
    assert!(!leads(&blind).await);
    assert_ne!(scene.holder().await, blind.name());
    blind.proxy().delay_watches(WatchDelay::None);
    until_leads(&blind, DURATION + RETRY + MARGIN).await;
}
