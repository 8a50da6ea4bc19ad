//! Many pods that need one copy.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};

use crate::harness::audit::Event;
use crate::harness::proxy::WatchDelay;
use crate::harness::stage::{Stage, pull_secrets};

const PODS: usize = 500;
/// How many are created at the same time.
const AT_ONCE: usize = 64;
/// How late a watch may be: no server learns by its watch what it, or the other one, has written.
const LATEST: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pods_in_a_new_namespace_cost_one_write_per_server() {
    let stage = Stage::set("crowd").await;
    let (audit, replicas) = (stage.control_plane().audit(), stage.installation().replicas());
    stage.delay_watches(WatchDelay::UpTo(LATEST));
    let since = audit.position().await;
    stage.create_namespace("crowd").await.unwrap();
    let begun = Instant::now();
    let create = async |number: usize| {
        let names = stage.create_pod("crowd", &format!("pod-{number}")).await.unwrap();
        assert_eq!(names, [stage.copy()], "pod {number}");
    };
    stream::iter(0..PODS).map(create).buffer_unordered(AT_ONCE).collect::<()>().await;
    stage.figure(&format!("{PODS} pods in one new namespace in {:.1?}", begun.elapsed()));

    let mut posts = Vec::new();
    for replica in &replicas {
        let own = stage.calls(since, "create", replica).await;
        let gets = stage.calls(since, "get", replica).await;
        let is_read =
            |call: &Event| replica.made(call) && call.verb == "get" && call.resource == "namespaces";
        let reads = audit.since(since, is_read).await.len();
        let codes: Vec<u64> = own.iter().map(|call| call.code).collect();
        stage.figure(&format!(
            "{}: POSTs of the copy answered with {codes:?}, {} GETs of it, {reads} GETs of the namespace",
            replica.name(),
            gets.len(),
        ));
        assert!(own.len() <= 1, "{} wrote the copy {} times", replica.name(), own.len());
        assert!(gets.len() <= 1, "{} read the copy {} times", replica.name(), gets.len());
        posts.extend(codes);
    }
    assert_eq!(posts.iter().filter(|code| **code == 201).count(), 1, "one of them has created it: {posts:?}");
    let pods = stage.pods().await;
    assert_eq!(pods.iter().filter(|pod| pull_secrets(pod) == [stage.copy()]).count(), PODS);
    let copies = stage.copies().await;
    assert!(copies.len() == 1 && stage.is_whole(&copies[0]));
    stage.delay_watches(WatchDelay::None);
}
