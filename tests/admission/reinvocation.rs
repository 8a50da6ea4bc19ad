//! Webhooks that change a pod after ours, upon which the API server asks us again.

use serde_json::{Value, json};

use super::neighbours;
use super::scene::{Scene, pull_secrets};
use crate::harness::credentials::pod;

/// What the API server notes of each call of our webhook for a pod: whether it changed the pod, in order.
async fn calls_for(scene: &Scene, namespace: &str, name: &str) -> Vec<bool> {
    let created = |call: &crate::harness::audit::Event| {
        call.verb == "create" && call.resource == "pods" && call.namespace == namespace && !call.is_dry_run()
    };
    let events = scene.control_plane().audit().since(0, created).await;
    let event = events.iter().find(|event| event.name == name || event.name.is_empty()).unwrap();
    let annotations = event.annotations.as_object().unwrap();
    let notes = annotations.iter().filter(|(key, _)| key.starts_with("mutation.webhook.admission.k8s.io/"));
    let notes = notes.filter_map(|(_, note)| serde_json::from_str::<Value>(note.as_str()?).ok());
    notes.filter(|note| note["configuration"] == "regcred").map(|note| note["mutated"] == true).collect()
}

#[tokio::test]
async fn a_second_call_for_the_same_pod_adds_nothing() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("again").await;
    let offer = scene.offer(&namespace).await;
    let marks = json!([{"op": "add", "path": "/metadata/annotations", "value": {"marked": "after-us"}}]);
    neighbours::changes_pods(&scene, &namespace, &marks).await;
    let stored = scene.create_pod(&pod(&namespace, "again", &[&offer.image()])).await.object();
    assert_eq!(stored["metadata"]["annotations"]["marked"], "after-us");
    assert_eq!(pull_secrets(&stored), [offer.copy()]);
    assert_eq!(calls_for(&scene, &namespace, "again").await, [true, false]);
}

#[tokio::test]
async fn a_container_that_another_webhook_adds_after_us_gets_its_pull_secret_too() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("sidecar").await;
    let offer = scene.offer(&namespace).await;
    let sidecar = scene.offer(&namespace).await;
    let container = json!({"name": "sidecar", "image": sidecar.image()});
    let adds = json!([{"op": "add", "path": "/spec/containers/-", "value": container}]);
    neighbours::changes_pods(&scene, &namespace, &adds).await;
    let stored = scene.create_pod(&pod(&namespace, "sidecar", &[&offer.image()])).await.object();
    assert_eq!(stored["spec"]["containers"][1]["image"], json!(sidecar.image()));
    assert_eq!(pull_secrets(&stored), [offer.copy(), sidecar.copy()]);
    assert_eq!(calls_for(&scene, &namespace, "sidecar").await, [true, true]);
    let mut names = scene.secret_names(&namespace).await;
    names.sort();
    let mut copies = [offer.copy(), sidecar.copy()];
    copies.sort();
    assert_eq!(names, copies);
}
