//! Authorities that change, and one that is lost, while pods are created all the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use regcred::certificates::TrustAnchor;

use crate::harness::Installation;
use crate::harness::stage::{Stage, pull_secrets};
use crate::harness::trust::{
    SOON, all_trust, authority, bundles, delete_secret, former, until_replaced, until_served_by,
};
use crate::load::{PODS, Stop, pods, warm_namespace};

/// An authority is replaced after 40 s, a leaf after 13 s, and a former authority is trusted for 20 s. The API server
/// learns of a bundle in much less than 5 s, unless the machine is busy.
const DURATIONS: &[&str] = &["--authority-lifetime=60s", "--leaf-lifetime=20s", "--bundle-propagation=5s"];

async fn all_serve(stage: &Stage, authority: &TrustAnchor) {
    for replica in stage.installation().replicas() {
        until_served_by(authority, stage.installation(), &replica).await;
    }
}

/// How many clients did not trust the certificate that they were shown.
async fn rejected(stage: &Stage) -> f64 {
    let mut all = 0.0;
    for replica in stage.installation().replicas() {
        let reason = [("reason", "certificate_rejected")];
        all += replica.metrics().await.sum("regcred_server_handshake_failures_total", &reason);
    }
    all
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
        assert!(!is_over || begun.elapsed() < Duration::from_secs(20) + SOON, "it is still trusted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_is_missed_while_the_authority_is_replaced_and_then_lost() {
    let installation = async { &*Box::leak(Box::new(Installation::start(DURATIONS).await)) };
    let stage = Arc::new(Stage::set_on("rotation", installation).await);
    warm_namespace(&stage, "rotation").await;
    let fail_open = stage.fail_open().await;
    let rejections = rejected(&stage).await;
    let stop = Stop::default();
    let work = async {
        let begun = Instant::now();
        let first = authority(stage.control_plane()).await.expect("an authority");
        let second = until_replaced(stage.control_plane(), &first, Duration::from_secs(40) + SOON).await;
        tokio::join!(all_serve(&stage, &second), until_it_leaves(&stage, &first));
        stage.figure(&format!("a second authority serves alone after {:.1?}", begun.elapsed()));

        let second = authority(stage.control_plane()).await.expect("an authority");
        let lost = Instant::now();
        delete_secret(stage.control_plane()).await;
        let third = until_replaced(stage.control_plane(), &second, SOON).await;
        let served = async {
            all_serve(&stage, &third).await;
            stage.figure(&format!("a third one serves {:.1?} after the loss of the Secret", lost.elapsed()));
        };
        tokio::join!(served, until_it_leaves(&stage, &second));
    };
    let (report, ()) = tokio::join!(pods(&stage, "rotation", 0, &stop), stop.clone().after(work));
    stage.figure(&format!("pods: {report}"));
    assert!(rejected(&stage).await - rejections < 0.5, "a certificate was shown that was not trusted");
    let failures = &report.failures;
    assert!(failures.is_empty(), "{} failures, such as {:?}", failures.len(), failures[0]);
    let created = stage.pods().await;
    let count = f64::from(u32::try_from(created.len()).unwrap());
    let rate = count / report.elapsed.as_secs_f64();
    // The last ones are waited for, so the time is a little longer than that in which they were begun.
    assert!(rate > 0.95 * f64::from(PODS), "{rate:.1} pods per second only");
    assert!(created.iter().all(|pod| pull_secrets(pod) == [stage.copy()]), "stored as they were answered");
    assert!((stage.fail_open().await - fail_open).abs() < 0.5, "no review failed");
}
