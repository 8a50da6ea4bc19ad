//! What the server keeps: the resident size of a serving replica and of the leader in a large cluster, on a real API
//! server. Two replicas run; one of them leads.
//!
//! The last line is JSON: `serving_mib`, `serving_mib_without_foreign`, `leader_mib`. A serving replica must be the same
//! with 30,000 foreign Secrets and 20,000 pods as without: it keeps nothing of them. `--scale=10` makes the cluster that
//! many times smaller, for a quick look.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

mod cluster;
#[path = "../../tests/harness/mod.rs"]
mod harness;
mod many_manifests;
mod many_pods;
mod objects;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Cluster;
use harness::Installation;
use harness::replica::Replica;
use serde_json::json;

/// Namespaces, each with a copy of the one credential.
const NAMESPACES: usize = 10_000;
/// Secrets that concern nobody: opaque ones, and registry Secrets that no credential names, also beside a source.
const FOREIGN_SECRETS: usize = 30_000;
/// Pods that name the copy.
const PODS: usize = 20_000;
/// How much larger a serving replica may be beside foreign Secrets and pods.
const TOLERANCE: f64 = 0.10;
/// What replicas do after they have seen everything (judging, answering probes) is over by then.
const SETTLED: Duration = Duration::from_secs(15);
/// The longest that anything may take which is waited for.
const PATIENCE: Duration = Duration::from_mins(20);
/// How often is looked.
const POLL: Duration = Duration::from_millis(20);

/// What was seen of two fresh replicas.
struct Figures {
    /// Resident size in MiB, now and at its highest.
    serving: [f64; 2],
    leader: [f64; 2],
    /// From the start of a process to its readiness.
    ready_in: Duration,
    /// From the start of the leader's process until it knows every pod.
    pods_known_in: Duration,
}

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs this program as well; then it only shows that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{:.0} bytes for each of 50,000 Manifests that select Secrets", many_manifests::bytes_each());
    println!("{:.0} bytes for each of 150,000 pods, five of each owner", many_pods::bytes_each());
    let scale = std::env::args().find_map(|argument| argument.strip_prefix("--scale=")?.parse().ok());
    let scale: usize = scale.unwrap_or(1);
    let [namespaces, secrets, pods] = [NAMESPACES, FOREIGN_SECRETS, PODS].map(|count| count / scale);

    let installation =
        Installation::start(&["--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s"]).await;
    let cluster = Cluster::new(&installation, namespaces).await;
    cluster.offer().await;
    cluster.write("namespaces", namespaces, objects::namespace).await;
    cluster.accounts().await;
    // The owners of the pods are only names.
    installation.control_plane().stop_controller_manager().await;
    cluster.copies().await;
    let without = look(&installation, 0).await;
    tell("without foreign Secrets and pods", &without);

    cluster.write("foreign Secrets", secrets, move |number| objects::secret(number, namespaces)).await;
    cluster.write("pods", pods, move |number| objects::pod(number, namespaces)).await;
    let with = look(&installation, pods).await;
    tell("with them", &with);

    // Both by leaders, so that what leading costs by itself is no pod's.
    let mebibytes = with.leader[0] - without.leader[0];
    println!(
        "{:.0} bytes of the leader for each of {pods} pods",
        mebibytes * 1024.0 * 1024.0 / f64::from(u32::try_from(pods).unwrap())
    );
    let (serving, before) = (with.serving[0], without.serving[0]);
    println!(
        "{}",
        json!({
            "serving_mib": rounded(serving),
            "serving_mib_without_foreign": rounded(before),
            "leader_mib": rounded(with.leader[0]),
        })
    );
    assert!(
        serving <= before * (1.0 + TOLERANCE),
        "a serving replica keeps foreign objects: {serving:.1} MiB with them, {before:.1} MiB without"
    );
}

/// Replaces both replicas by fresh ones and looks at what they have become.
async fn look(installation: &Installation, pods: usize) -> Figures {
    for old in installation.replicas() {
        installation.lose_replica(&old).await;
    }
    let begun = Instant::now();
    let first = installation.add_replica().await;
    let ready_in = begun.elapsed();
    // The first takes the Lease over from one that has gone without a word; the second finds a leader.
    until("a leader", async || is_leader(&first).await).await;
    let leading_since = Instant::now();
    until("every pod", async || watched(&first).await >= pods).await;
    let pods_known_in = leading_since.elapsed();
    let second = installation.add_replica().await;
    tokio::time::sleep(SETTLED).await;
    assert!(!is_leader(&second).await, "leadership has moved while it was measured");
    let [leader, serving] = [&first, &second].map(|replica| resident(&replica.process_id().to_string()));
    Figures { serving, leader, ready_in, pods_known_in }
}

async fn is_leader(replica: &Arc<Replica>) -> bool {
    replica.metrics().await.sum("regcred_leader", &[]) > 0.5
}

async fn watched(replica: &Arc<Replica>) -> usize {
    let watched = replica.metrics().await.sum("regcred_pods_watched", &[]);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let watched = watched as usize;
    watched
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look().await {
        assert!(Instant::now() < deadline, "{what}: not seen after {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// The resident size of a process, now and at its highest, in MiB.
fn resident(process: &str) -> [f64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    ["VmRSS:", "VmHWM:"].map(|field| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    })
}

fn tell(what: &str, figures: &Figures) {
    let Figures { serving, leader, ready_in, pods_known_in } = figures;
    println!(
        "{what}: serving {:.1} MiB (at most {:.1}), leading {:.1} MiB (at most {:.1}); ready {:.1} s after its start, all \
         pods known {:.1} s after it led",
        serving[0],
        serving[1],
        leader[0],
        leader[1],
        ready_in.as_secs_f64(),
        pods_known_in.as_secs_f64(),
    );
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
