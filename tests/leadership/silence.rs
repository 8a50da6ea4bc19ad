//! A leader that lives and cannot be heard, and a Lease that somebody else has changed.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::scene::{DEADLINE, DURATION, MARGIN, RETRY, Scene, changes, figure, leads, until_leads};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_cut_off_says_that_it_may_not_write_before_another_may() {
    let scene = Scene::set().await;
    let (leader, follower) = scene.leader_and_follower().await;
    let cut = Instant::now();
    leader.proxy().cut();
    let mut silent = None;
    loop {
        // The follower first: had it begun before the other ended, this order would show it.
        let follower_leads = leads(&follower).await;
        let leader_leads = leads(&leader).await;
        assert!(!(follower_leads && leader_leads), "two may write {:?} after the cut", cut.elapsed());
        if !leader_leads {
            silent.get_or_insert_with(|| cut.elapsed());
        }
        if follower_leads {
            break;
        }
        assert!(cut.elapsed() < DURATION + RETRY + MARGIN, "the other does not lead");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (silent, other) = (silent.unwrap(), cut.elapsed());
    figure(&format!("cut off, it stops after {silent:?}; the other begins after {other:?}"));
    assert!(silent < DEADLINE + Duration::from_millis(500), "{silent:?}");
    assert!(other > silent + (DURATION.saturating_sub(DEADLINE)) / 2, "a write under way has time to end");
    assert!((changes(&leader, "expired").await - 1.0).abs() < 0.5);

    leader.proxy().mend();
    tokio::time::sleep(DURATION + RETRY).await;
    assert!(leads(&follower).await && !leads(&leader).await, "it comes back as a follower");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_lease_is_made_again_by_its_holder_and_one_given_to_another_is_respected() {
    let scene = Scene::set().await;
    let (leader, follower) = scene.leader_and_follower().await;
    scene.leases().delete("regcred", &DeleteParams::default()).await.unwrap();
    let deadline = Instant::now() + RETRY + MARGIN;
    while scene.leases().get_opt("regcred").await.unwrap().is_none() {
        assert!(leads(&leader).await && !leads(&follower).await);
        assert!(Instant::now() < deadline, "it is not made again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(scene.holder().await, leader.name());
    assert!((changes(&leader, "acquired").await - 1.0).abs() < 0.5, "in the same term");

    // An admin's hand: the lease is another's now, who is not one of us and never renews it.
    let stolen: Patch<serde_json::Value> = Patch::Merge(json!({"spec": {"holderIdentity": "a-stranger"}}));
    let patched: Lease = scene.leases().patch("regcred", &PatchParams::default(), &stolen).await.unwrap();
    assert_eq!(patched.spec.unwrap().holder_identity.as_deref(), Some("a-stranger"));
    let stolen_at = Instant::now();
    while leads(&leader).await {
        assert!(stolen_at.elapsed() < RETRY + MARGIN, "it does not notice");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!((changes(&leader, "superseded").await - 1.0).abs() < 0.5);
    assert_eq!(scene.holder().await, "a-stranger");
    let waits = [&leader, &follower].map(|replica| until_leads(replica, DURATION + RETRY + MARGIN));
    let [one, two] = waits;
    let took = tokio::select! { took = one => took, took = two => took };
    assert!(stolen_at.elapsed() + RETRY > DURATION, "it was waited for: {took:?}");
}
