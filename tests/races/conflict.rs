//! A Secret that is not ours, in the copy's place.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};

use crate::harness::credentials::registry_secret;
use crate::harness::stage::Stage;

/// The back-off after the first attempt and after the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
/// Pods are created until this long before the back-off ends.
const MARGIN: Duration = Duration::from_secs(1);
/// The second back-off is not waited for to its end in full by pods: this many show that it lasts.
const PODS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_is_asked_about_once_per_back_off_and_left_as_it_is() {
    let stage = Stage::set("conflict").await;
    let audit = stage.control_plane().audit();
    let replica = stage.installation().replicas()[0].clone();
    stage.ask_only(&replica);
    stage.create_namespace("conflict").await.unwrap();
    let secrets: Api<Secret> = stage.api("conflict");
    let foreign = registry_secret("conflict", &stage.copy(), &["elsewhere.example"]);
    let foreign: Secret = serde_json::from_value(foreign).unwrap();
    let foreign = secrets.create(&PostParams::default(), &foreign).await.unwrap();

    let mut number = 0;
    let mut create = async || {
        number += 1;
        stage.create_pod("conflict", &format!("pod-{number}")).await.unwrap()
    };
    let mut since = audit.position().await;
    // When the attempt was made, at the earliest and at the latest.
    let mut not_before = Instant::now();
    let mut not_after = not_before;
    for pause in PAUSES {
        tokio::time::sleep(not_after.saturating_duration_since(Instant::now())).await;
        assert!(create().await.is_empty(), "no pod names a Secret that is not ours");
        not_after = Instant::now();
        // The pod's, or the replica's own when the back-off before has just ended.
        let asked = calls(&stage, since, &replica).await;
        assert_eq!(asked, [("create", 409), ("get", 200)], "one attempt before a back-off of {pause:?}");

        since = audit.position().await;
        let mut quiet = 0;
        while quiet < PODS && not_before.elapsed() < pause.saturating_sub(MARGIN) {
            assert!(create().await.is_empty());
            quiet += 1;
        }
        // What was begun in time has to have ended in time, or it says nothing.
        assert!(
            quiet > 0 && not_before.elapsed() < pause,
            "the machine is too slow for a back-off of {pause:?}"
        );
        assert_eq!(calls(&stage, since, &replica).await, [], "{quiet} pods during the back-off of {pause:?}");
        stage.figure(&format!("{quiet} pods during the back-off of {pause:?}: no call about the copy"));
        not_before += pause;
        not_after += pause;
    }
    assert_eq!(secrets.get(&stage.copy()).await.unwrap(), foreign, "the foreign Secret is as it was");

    secrets.delete(&stage.copy(), &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(not_after.saturating_duration_since(Instant::now())).await;
    assert_eq!(create().await, [stage.copy()], "the next attempt finds the place free");
    assert!(stage.is_whole(&secrets.get(&stage.copy()).await.unwrap()));
}

/// What a server has asked about the copy, and the answers.
async fn calls(
    stage: &Stage,
    since: usize,
    replica: &crate::harness::replica::Replica,
) -> Vec<(&'static str, u64)> {
    let mut calls = Vec::new();
    for verb in ["create", "get"] {
        let made = stage.calls(since, verb, replica).await;
        calls.extend(made.into_iter().map(|call| (verb, call.code)));
    }
    calls
}
