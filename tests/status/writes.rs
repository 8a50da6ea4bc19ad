//! How often statuses are written.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::audit::Event;
use crate::scene::{Scene, condition};

/// How long changes come, and how long nothing happens: several times the five seconds between two writes.
const WHILE: Duration = Duration::from_secs(16);

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_changes_brings_one_write_in_five_seconds() {
    let scene = Scene::set("stormy").await;
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    let (position, began) = (scene.control_plane().audit().position().await, Instant::now());
    let mut namespaces = 0;
    while began.elapsed() < WHILE {
        scene.namespace("stormy").await;
        namespaces += 1;
    }
    let took = began.elapsed();
    let writes = scene.writes(position).await;
    // One at the beginning and one after each whole pause.
    let most = 1 + usize::try_from(took.as_secs() / 5).unwrap();
    assert!((2..=most).contains(&writes.len()), "{} writes in {took:?}", writes.len());
    assert!(writes.iter().all(|write| write.code == 200 && write.verb == "patch"), "{writes:?}");
    let status = scene
        .until("synced", |status| {
            status["copies"]["synced"] == namespaces && condition(status, "Synced") == "True AllCurrent"
        })
        .await;
    assert_eq!(status["summary"]["synced"], format!("{namespaces}/{namespaces}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_of_credentials_is_read_and_nothing_written() {
    let scene = Scene::set("quiet").await;
    scene.namespace("quiet").await;
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    // What was on its way has arrived, also of the tests before: their Events are gathered for a minute.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let position = scene.control_plane().audit().position().await;
    tokio::time::sleep(WHILE).await;
    let mut calls = scene.calls(position).await;
    // Whether the certificate is still the right one is looked at from time to time, which has nothing to do with credentials.
    let looks_at_certificate = |call: &Event| {
        call.verb == "get"
            && (call.name == "regcred-authority" || call.group == "admissionregistration.k8s.io")
    };
    calls.retain(|call| !looks_at_certificate(call));
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_somebody_else_wrote_is_put_right() {
    let scene = Scene::set("meddled").await;
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    let lie = json!({"status": {"copies": {"wanted": 7}, "registries": ["lie.example"]}}).to_string();
    scene
        .kubectl(&["patch", "regcred", &scene.name, "--subresource=status", "--type=merge", "-p", &lie])
        .await;
    let status = scene.until("right", |status| status["registries"] == json!(["a.example"])).await;
    assert_eq!(status["copies"]["wanted"], 0);
}
