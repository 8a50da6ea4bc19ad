//! The servers' own count of their calls, against the API server's audit log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::replica::Replica;
use harness::stage::Stage;

/// A watch that begins between the two readings makes them differ; soon it is in both.
const AGREE_LIMIT: Duration = Duration::from_secs(20);
/// The audit log leaves these out; `none` are the paths that are no resource's, by which kinds are looked for.
const NOT_IN_THE_LOG: [&str; 3] = ["leases", "events", "none"];

type Counts = BTreeMap<(String, String, String), u64>;

/// What a server says: calls by verb, resource and code.
async fn counted(replica: &Replica) -> Counts {
    let metrics = replica.metrics().await;
    let mut counts = Counts::new();
    for line in metrics.text().lines() {
        let Some(sample) = line.strip_prefix("regcred_api_requests_total{") else { continue };
        let (labels, count) = sample.split_once("} ").unwrap();
        let label = |name: &str| {
            let value = labels.split(',').find_map(|label| label.strip_prefix(name));
            value.unwrap().trim_matches(['=', '"']).to_owned()
        };
        let key = (label("verb"), label("resource"), label("code"));
        if !NOT_IN_THE_LOG.contains(&key.1.as_str()) {
            counts.insert(key, count.trim().parse().unwrap());
        }
    }
    counts
}

/// What the API server has seen of it.
async fn audited(stage: &Stage, replica: &Replica) -> Counts {
    let mut counts = Counts::new();
    for call in stage.control_plane().audit().since(0, |call| replica.made(call)).await {
        let resource = if call.subresource.is_empty() {
            call.resource
        } else {
            format!("{}/{}", call.resource, call.subresource)
        };
        *counts.entry((call.verb, resource, call.code.to_string())).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_counted_by_the_verb_and_the_resource_that_the_audit_log_has() {
    let stage = Stage::set("calls").await;
    for name in ["calls-one", "calls-two", "calls-three"] {
        stage.create_namespace(name).await.unwrap();
        assert_eq!(stage.create_pod(name, "pod").await.unwrap(), [stage.copy()]);
    }
    let mut creates = 0;
    for replica in stage.installation().replicas() {
        let deadline = Instant::now() + AGREE_LIMIT;
        loop {
            let (ours, theirs) = (counted(&replica).await, audited(&stage, &replica).await);
            if ours == theirs {
                creates += ours.get(&("create".into(), "secrets".into(), "201".into())).unwrap_or(&0);
                assert!(ours.keys().any(|(verb, _, _)| verb == "watch"), "{ours:?}");
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{} counts {ours:#?}, the log has {theirs:#?}",
                replica.name()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        for resource in ["leases", "none"] {
            let count = replica.metrics().await.sum("regcred_api_requests_total", &[("resource", resource)]);
            assert!(count > 0.5, "{resource} is counted too");
        }
    }
    assert!(creates >= 3, "each namespace has a copy");
}
