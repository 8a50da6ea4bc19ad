//! Rolling restarts under load: every server is replaced by a new one, as the Deployment does it.

use std::sync::Arc;
use std::time::Instant;

use crate::harness::reviews::client_of_service;
use crate::harness::stage::{Stage, pull_secrets};
use crate::load::{Stop, pods, reviews, warm_namespace};

const LEAST_REVIEWS: usize = 10_000;
const LEAST_PODS: usize = 3_000;

/// Replaces all, and tells how long that took.
async fn roll(stage: &Stage) {
    let begun = Instant::now();
    let before = stage.installation().replicas();
    stage.installation().roll().await;
    let now = stage.installation().replicas();
    assert!(before.len() == 2 && now.len() == 2);
    assert!(before.iter().all(|old| old.has_ended()), "the old servers have ended");
    stage.figure(&format!("two servers replaced in {:.1?}", begun.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_review_fails_while_both_servers_are_replaced() {
    let stage = Stage::set("reviews").await;
    warm_namespace(&stage, "reviews").await;
    let client = client_of_service(stage.installation());
    client.warm().await;
    let stop = Stop::default();
    let (report, ()) = tokio::join!(
        reviews(&stage, &client, "reviews", LEAST_REVIEWS, &stop),
        stop.clone().after(roll(&stage)),
    );
    stage.figure(&format!("reviews: {report}"));
    assert!(
        report.failures.is_empty(),
        "{} failures, such as {:?}",
        report.failures.len(),
        report.failures[0]
    );
    assert!(report.answered >= LEAST_REVIEWS);
    assert_eq!(stage.copies().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_is_missed_while_both_servers_are_replaced() {
    let stage = Arc::new(Stage::set("pods").await);
    warm_namespace(&stage, "pods").await;
    let fail_open = stage.fail_open().await;
    let stop = Stop::default();
    let (report, ()) =
        tokio::join!(pods(&stage, "pods", LEAST_PODS, &stop), stop.clone().after(roll(&stage)));
    stage.figure(&format!("pods: {report}"));
    assert!(
        report.failures.is_empty(),
        "{} failures, such as {:?}",
        report.failures.len(),
        report.failures[0]
    );
    let created = stage.pods().await;
    assert!(created.len() > LEAST_PODS);
    assert!(
        created.iter().all(|pod| pull_secrets(pod) == [stage.copy()]),
        "all are stored as they were answered"
    );
    assert!((stage.fail_open().await - fail_open).abs() < 0.5, "no review failed");
}
