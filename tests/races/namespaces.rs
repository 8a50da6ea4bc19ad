//! Many new namespaces, each with its first pod at once.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};

use crate::harness::audit::Event;
use crate::harness::proxy::WatchDelay;
use crate::harness::stage::{Stage, pull_secrets};

const NAMESPACES: usize = 1_000;
/// How many are made at the same time.
const AT_ONCE: usize = 32;
/// How late a watch may be.
const LATEST: Duration = Duration::from_secs(5);
/// A copy that could not be created in the call is created later: after 5 s for the first time, after 10 s more for
/// the second.
const RETRIED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_new_namespaces_have_their_copies_and_their_pods_the_name() {
    let stage = Stage::set("thousand").await;
    let (audit, replicas) = (stage.control_plane().audit(), stage.installation().replicas());
    stage.delay_watches(WatchDelay::UpTo(LATEST));
    let (since, fail_open) = (audit.position().await, stage.fail_open().await);
    let begun = Instant::now();
    let create = async |number: usize| {
        let namespace = format!("thousand-{number}");
        stage.create_namespace(&namespace).await.unwrap();
        let asked = Instant::now();
        let names = stage.create_pod(&namespace, "first").await.unwrap();
        assert_eq!(names, [stage.copy()], "the pod of {namespace}");
        asked.elapsed()
    };
    let mut pod_times: Vec<Duration> =
        stream::iter(0..NAMESPACES).map(create).buffer_unordered(AT_ONCE).collect().await;
    let elapsed = begun.elapsed();
    let at_once = stage.copies().await.len();
    while stage.copies().await.len() < NAMESPACES && begun.elapsed() < elapsed + RETRIED_WITHIN {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    pod_times.sort_unstable();
    stage.figure(&format!(
        "{NAMESPACES} namespaces with account and pod in {elapsed:.1?}; a pod took p50 {:.1?}, p99 {:.1?}; \
         {at_once} copies were there at the end",
        pod_times[NAMESPACES / 2],
        pod_times[NAMESPACES * 99 / 100],
    ));
    for replica in &replicas {
        let posts = stage.calls(since, "create", replica).await;
        let is_read =
            |call: &Event| replica.made(call) && call.verb == "get" && call.resource == "namespaces";
        let reads = audit.since(since, is_read).await;
        stage.figure(&format!(
            "{}: {} POSTs of a copy, {} GETs of a namespace",
            replica.name(),
            posts.len(),
            reads.len()
        ));
        assert!(posts.len() >= NAMESPACES / 10, "{} was hardly asked", replica.name());
        assert!(reads.len() >= NAMESPACES / 20, "the watches of {} were not late", replica.name());
    }

    let pods = stage.pods().await;
    assert_eq!(pods.len(), NAMESPACES);
    assert!(pods.iter().all(|pod| pull_secrets(pod) == [stage.copy()]), "every pod has its pull Secret");
    let copies = stage.copies().await;
    assert_eq!(copies.len(), NAMESPACES, "every namespace has its copy");
    assert!(copies.iter().all(|copy| stage.is_whole(copy)), "every copy is like its source");
    assert!((stage.fail_open().await - fail_open).abs() < 0.5, "no pod went past the webhook");
    stage.delay_watches(WatchDelay::None);
}
