//! A server that is killed: what it takes along, and that nothing stays behind.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::Mutex;

use crate::harness::replica::Replica;
use crate::harness::stage::{Stage, pull_secrets};
use crate::load::{Stop, pods, warm_namespace};

/// For how long pods are created before the kill, and again after it was noticed.
const AROUND: Duration = Duration::from_secs(3);
/// As many as the connections that the API server keeps.
const BURST: usize = 25;
/// Pods that have to be right at once, when it was noticed.
const AFTERWARDS: usize = 300;

/// The server that the API server has asked most during this time.
async fn busiest(stage: &Stage, during: Duration) -> Arc<Replica> {
    let replicas = stage.installation().replicas();
    let mut before = Vec::new();
    for replica in &replicas {
        before.push(replica.metrics().await.sum("regcred_decisions_total", &[]));
    }
    tokio::time::sleep(during).await;
    let mut most: Option<(f64, &Arc<Replica>)> = None;
    for (replica, before) in replicas.iter().zip(before) {
        let asked = replica.metrics().await.sum("regcred_decisions_total", &[]) - before;
        if most.is_none_or(|(other, _)| asked > other) {
            most = Some((asked, replica));
        }
    }
    let (asked, replica) = most.unwrap();
    stage.figure(&format!("{} is killed, which was asked {asked} times in {during:?}", replica.name()));
    Arc::clone(replica)
}

/// Pods created many at once, so that the API server has many connections to each server; tells how many.
async fn bursts(stage: &Stage, namespace: &str, stop: &Stop) -> usize {
    let mut begun = 0;
    while !stop.is_set() {
        let names = (begun..begun + BURST).map(|number| format!("burst-{number}"));
        let creates = names.map(|name| async move { stage.create_pod(namespace, &name).await.map(drop) });
        try_join_all(creates).await.unwrap();
        begun += BURST;
    }
    begun
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_only_the_pods_of_its_last_moment() {
    let stage = Arc::new(Stage::set("killed").await);
    warm_namespace(&stage, "killed").await;
    let before = stage.fail_open().await;
    let stop = Stop::default();
    let victim = Mutex::new(None);
    let kill = async {
        let asked = busiest(&stage, AROUND).await;
        stage.installation().lose_replica(&asked).await;
        *victim.lock().await = Some(asked);
    };
    let (during, ()) = tokio::join!(bursts(&stage, "killed", &stop), stop.clone().after(kill));
    assert!(victim.lock().await.take().unwrap().has_ended());
    let pods_there = stage.pods().await;
    let missed = pods_there.iter().filter(|pod| pull_secrets(pod) != [stage.copy()]).count();
    let skipped = stage.fail_open().await - before;
    stage.figure(&format!(
        "around the kill: {} pods, {missed} of them came up without, the API server did without {skipped} reviews",
        pods_there.len(),
    ));
    // The first one is that of the warm namespace.
    assert_eq!(pods_there.len(), during + 1, "no pod was refused");
    assert!(
        (skipped - f64::from(u32::try_from(missed).unwrap())).abs() < 0.5,
        "the API server counts each of them"
    );

    // From here on nothing of the killed one may be left: not a connection, not a way that leads nowhere.
    stage.create_namespace("killed-after").await.unwrap();
    let after = pods(&stage, "killed-after", AFTERWARDS, &Stop::already()).await;
    stage.figure(&format!("on one server, at once: {after}"));
    assert!(after.failures.is_empty(), "{} failures, such as {:?}", after.failures.len(), after.failures[0]);
    stage.installation().add_replica().await;
    stage.create_namespace("killed-again").await.unwrap();
    let again = pods(&stage, "killed-again", AFTERWARDS, &Stop::already()).await;
    stage.figure(&format!("on two again: {again}"));
    assert!(again.failures.is_empty(), "{} failures, such as {:?}", again.failures.len(), again.failures[0]);
}
