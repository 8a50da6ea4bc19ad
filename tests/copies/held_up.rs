//! A pod that is admitted, and stored only later: another webhook takes its time.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use regcred::model::copy::is_marked;
use serde_json::json;

use crate::harness::dummy_webhook::DummyWebhook;
use crate::harness::stage::pull_secrets;
use crate::scene::Scene;

/// The copy is marked while nobody sees the pod that counts on it. It waits for such a pod, which is there within the time to
/// settle.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_stored_after_its_copy_was_marked_finds_the_very_copy_that_it_was_admitted_with() {
    let scene = Scene::enter("held").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({})).await;
    scene.known(&namespace).await;
    let pods =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let webhook = DummyWebhook::hold_up(scene.control_plane(), &namespace, "slow", &pods).await;
    let mut number = 0;
    // A new webhook is asked after a moment.
    while webhook.calls() == 0 {
        number += 1;
        scene.create_pod_named(&namespace, &format!("first-{number}")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let copy = scene.until("the copy", async || scene.found(&namespace).await).await;

    webhook.hold(true);
    let before = webhook.calls();
    let create = scene.create_pod_named(&namespace, "held");
    let meanwhile = async {
        scene.until("the pod is held up", async || (webhook.calls() > before).then_some(())).await;
        for number in 1..=number {
            scene.delete_pod(&namespace, &format!("first-{number}")).await;
        }
        let is_marked = |copy: &Secret| is_marked(&copy.metadata);
        let marked = async || scene.found(&namespace).await.filter(is_marked);
        let marked = scene.until("the copy with a mark", marked).await;
        webhook.hold(false);
        marked
    };
    let (stored, marked) = tokio::join!(create, meanwhile);
    assert_eq!(pull_secrets(&stored), [scene.copy_name()]);
    assert_eq!(marked.metadata.uid, copy.metadata.uid);
    let found = scene.found(&namespace).await.expect("the copy, at once");
    assert_eq!(found.metadata.uid, copy.metadata.uid);
    let is_unmarked = async || scene.found(&namespace).await.filter(|copy| !is_marked(&copy.metadata));
    let kept = scene.until("the copy without its mark", is_unmarked).await;
    assert_eq!(kept.metadata.uid, copy.metadata.uid, "it was never deleted");
}
