//! Authorities that change, and one that is lost, while pods are created all the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use regcred::certificates::TrustAnchor;

use crate::harness::Installation;
use crate::harness::stage::{Stage, pull_secrets};
use crate::harness::trust::{
    SOON, all_trust, authority, bundles, delete_secret, former, until_replaced, until_served_by,
};
use crate::load::{Stop, pods, warm_namespace};

/// An authority is replaced after 30 s, a leaf after 10 s, and a former authority is trusted for 15 s.
const DURATIONS: &[&str] = &["--authority-lifetime=45s", "--leaf-lifetime=15s", "--bundle-propagation=2s"];

async fn all_serve(stage: &Stage, authority: &TrustAnchor) {
    for replica in stage.installation().replicas() {
        until_served_by(authority, &replica).await;
    }
}

/// Waits until no webhook trusts it any more; until its last leaf has ended, every webhook must.
async fn until_it_leaves(stage: &Stage, old: &TrustAnchor) {
    let begun = Instant::now();
    let end = former(stage.control_plane()).await.into_iter().find(|(anchor, _)| anchor == old);
    let (_, end) = end.expect("the Secret says when its last leaf ends");
    loop {
        // The time first: what is read afterwards is at least as late.
        let is_over = SystemTime::now() >= end;
        if !all_trust(stage.control_plane(), old).await {
            assert!(SystemTime::now() >= end, "it has left before its last leaf has ended");
            if bundles(stage.control_plane()).await.iter().all(|(_, bundle)| !bundle.contains(old)) {
                return;
            }
        }
        assert!(!is_over || begun.elapsed() < Duration::from_secs(15) + SOON, "it is still trusted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_is_missed_while_the_authority_is_replaced_and_then_lost() {
    let installation = async { &*Box::leak(Box::new(Installation::start(DURATIONS).await)) };
    let stage = Arc::new(Stage::set_on("rotation", installation).await);
    warm_namespace(&stage, "rotation").await;
    let fail_open = stage.fail_open().await;
    let stop = Stop::default();
    let work = async {
        let begun = Instant::now();
        let first = authority(stage.control_plane()).await.expect("an authority");
        let second = until_replaced(stage.control_plane(), &first, Duration::from_secs(30) + SOON).await;
        all_serve(&stage, &second).await;
        stage.figure(&format!("a second authority serves after {:.1?}", begun.elapsed()));
        assert!(all_trust(stage.control_plane(), &first).await, "its leaves have not ended yet");
        until_it_leaves(&stage, &first).await;
        stage.figure(&format!("the first one is trusted no more after {:.1?}", begun.elapsed()));

        let second = authority(stage.control_plane()).await.expect("an authority");
        let lost = Instant::now();
        delete_secret(stage.control_plane()).await;
        let third = until_replaced(stage.control_plane(), &second, SOON).await;
        all_serve(&stage, &third).await;
        stage.figure(&format!("a third one serves {:.1?} after the loss of the Secret", lost.elapsed()));
        assert!(all_trust(stage.control_plane(), &second).await, "its leaves have not ended yet");
        until_it_leaves(&stage, &second).await;
    };
    let (report, ()) = tokio::join!(pods(&stage, "rotation", 0, &stop), stop.clone().after(work));
    stage.figure(&format!("pods: {report}"));
    let failures = &report.failures;
    assert!(failures.is_empty(), "{} failures, such as {:?}", failures.len(), failures[0]);
    let created = stage.pods().await;
    assert!(created.len() > 3_000, "{} pods only", created.len());
    assert!(created.iter().all(|pod| pull_secrets(pod) == [stage.copy()]), "stored as they were answered");
    assert!((stage.fail_open().await - fail_open).abs() < 0.5, "no review failed");
}
