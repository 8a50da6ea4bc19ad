//! A source that comes when many copies wait for it.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};

use crate::harness::stage::{Stage, pull_secrets};

/// Far more than are written at once.
const NAMESPACES: usize = 400;
/// How many are made at the same time.
const AT_ONCE: usize = 32;
/// The copies are written as fast as the API server takes them, about 300 a second here.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_wait_for_their_source_are_all_there_soon_after_it_has_come() {
    let stage = Stage::set_without_source("late").await;
    let create = async |number: usize| {
        let namespace = format!("late-{number}");
        stage.create_namespace(&namespace).await.unwrap();
        let names = stage.create_pod(&namespace, "first").await.unwrap();
        assert_eq!(names, [stage.copy()], "the pod of {namespace}");
    };
    stream::iter(0..NAMESPACES).map(create).buffer_unordered(AT_ONCE).collect::<()>().await;
    assert!(stage.copies().await.is_empty(), "there is nothing to copy yet");

    let before = put_off(&stage).await;
    stage.bring_source().await;
    let begun = Instant::now();
    while stage.copies().await.len() < NAMESPACES {
        assert!(begun.elapsed() < WRITTEN_WITHIN, "{} of {NAMESPACES} copies", stage.copies().await.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!((put_off(&stage).await - before).abs() < 0.5, "none is put off for a pause that grows");
    stage.figure(&format!("{NAMESPACES} copies {:.1?} after their source had come", begun.elapsed()));
    assert!(stage.copies().await.iter().all(|copy| stage.is_whole(copy)));
    assert!(stage.pods().await.iter().all(|pod| pull_secrets(pod) == [stage.copy()]));
}

/// How many writes the servers have put off, each for longer than the one before.
async fn put_off(stage: &Stage) -> f64 {
    let mut sum = 0.0;
    for replica in stage.installation().replicas() {
        sum += replica.metrics().await.sum("regcred_copy_writes_total", &[("result", "write_failed")]);
    }
    sum
}
