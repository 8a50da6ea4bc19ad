//! New content of a source, and how far it has come.

use serde_json::json;

use crate::scene::{Scene, condition};

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_told_when_every_copy_has_followed() {
    let scene = Scene::set("rotated").await;
    for _ in 0..3 {
        scene.namespace("rotated").await;
    }
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    assert!(scene.status().await["lastRotation"].is_null());
    let observed = scene.sum("regcred_copy_propagation_seconds_count", &[]).await;

    scene.break_source().await;
    let status =
        scene.until("broken", |status| condition(status, "SourceValid") == "False SecretUndecodable").await;
    assert_eq!(status["registries"], json!(["a.example"]));
    assert!(!status.to_string().contains("hunter2"));

    scene.bring_source(&["a.example", "b.example"]).await;
    let status = scene.until("rotated", |status| !status["lastRotation"].is_null()).await;
    assert_eq!(status["lastRotation"]["copies"], 3);
    assert!(status["lastRotation"]["seconds"].as_f64().unwrap() < 10.0, "{status}");
    assert_eq!(condition(&status, "Synced"), "True AllCurrent");
    let events = ["SourceBroken", "SourceRecovered", "RotationFinished"];
    scene.told("default", &scene.name, &events).await;
    let more = scene.sum("regcred_copy_propagation_seconds_count", &[]).await - observed;
    assert!((more - 3.0).abs() < 0.5, "{more}");
    assert!(scene.sum("regcred_copies", &[("state", "synced")]).await > 2.5);
    assert!(scene.sum("regcred_credentials", &[("ready", "true")]).await > 0.5);
}
