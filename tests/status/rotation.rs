//! New content of a source, and how far it has come.

use serde_json::json;

use crate::scene::{Scene, TIMEOUT, condition};

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

/// How often the source gets other content.
const ROTATIONS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_waits_until_every_copy_holds_the_secret_that_it_has_just_written() {
    let scene = Scene::set("piped").await;
    let mut namespaces = Vec::new();
    for _ in 0..5 {
        namespaces.push(scene.namespace("piped").await);
    }
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    let wait = async |version: &str, timeout: &str| {
        let what = format!("--for=jsonpath={{.status.source.resourceVersion}}={version}");
        let object = format!("regcred/{}", scene.name);
        scene.control_plane().kubectl(&["wait", &what, &object, timeout]).await
    };
    let is_everywhere = async |namespaces: &[String], registry: &str| {
        for namespace in namespaces {
            let copy = format!("regcred-{}", scene.name);
            let get = ["get", "secret", &copy, "--namespace", namespace, "-o", "json"];
            let copy = scene.control_plane().kubectl(&get).await.json();
            assert_eq!(copy["data"], scene.source_of(&[registry])["data"], "{namespace}");
        }
    };
    for number in 0..ROTATIONS {
        let registry = format!("r{number}.example");
        let version = scene.replace_source(&[&registry]).await;
        wait(&version, TIMEOUT).await.succeeded();
        is_everywhere(&namespaces, &registry).await;
    }

    // A namespace in which something else is in the place.
    let (taken, copy) = (scene.control_plane().namespace("taken").await, format!("regcred-{}", scene.name));
    let metadata = json!({"name": copy, "namespace": taken});
    scene.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})).await;
    scene.kubectl(&["label", "namespace", &taken, &format!("status={}", scene.name)]).await;
    scene.wait_for("Conflict").await;
    let version = scene.replace_source(&["last.example"]).await;
    assert!(wait(&version, "--timeout=8s").await.failed().contains("timed out"));
    scene.kubectl(&["delete", "secret", &copy, "--namespace", &taken]).await;
    wait(&version, TIMEOUT).await.succeeded();
    namespaces.push(taken);
    is_everywhere(&namespaces, "last.example").await;
}
