//! The documented rotation: a new Secret, the Shoot is pointed at it, the old one is deleted. No step waits for anything.

use serde_json::json;

use crate::scene::{Kubectl, caching, credentials, installation, is_marked, mutable, reservations};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_rotation_has_the_right_verdict_at_once() {
    let kubectl = Kubectl::new(installation().await.control_plane(), "rotation").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds-v1")).await.succeeded();
    kubectl.apply(&caching(namespace, "shoot", "creds-v1")).await.succeeded();
    assert!(is_marked(&kubectl.secret("creds-v1").await.unwrap()), "before the Shoot is stored");
    let early = kubectl.delete_secret("creds-v1").await.failed();
    assert!(
        early.contains(&format!("is still used by Shoot {namespace}/shoot (spec.resources[0]")),
        "{early}"
    );

    kubectl.apply(&credentials(namespace, "creds-v2")).await.succeeded();
    kubectl.apply(&caching(namespace, "shoot", "creds-v2")).await.succeeded();
    kubectl.delete_secret("creds-v1").await.succeeded();
    assert!(kubectl.secret("creds-v1").await.is_none());
    let early = kubectl.delete_secret("creds-v2").await.failed();
    assert!(early.contains("is still used by Shoot"), "{early}");

    let back = kubectl.apply(&caching(namespace, "shoot", "creds-v1")).await.failed();
    assert!(back.contains("secrets \"creds-v1\" not found"), "a rollback to what is gone: {back}");

    // The extension goes, and its Secret may go.
    let dropped = json!({"spec": {"resources": null, "extensions": null}});
    kubectl.patch("shoot", "shoot", &dropped).await.succeeded();
    kubectl.delete_secret("creds-v2").await.succeeded();
    assert!(kubectl.secret("creds-v2").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_through_the_resources_is_judged_by_what_the_new_secret_holds() {
    let kubectl = Kubectl::new(installation().await.control_plane(), "content").await;
    let namespace = kubectl.namespace.as_str();
    for secret in [credentials(namespace, "creds-v1"), mutable(namespace, "creds-v2")] {
        kubectl.apply(&secret).await.succeeded();
    }
    kubectl.apply(&caching(namespace, "shoot", "creds-v1")).await.succeeded();
    let refused = kubectl.apply(&caching(namespace, "shoot", "creds-v2")).await.failed();
    assert!(
        refused.contains(&format!("the referenced secret \"{namespace}/creds-v2\" should be immutable")),
        "{refused}"
    );
    assert!(!refused.contains("swordfish"), "{refused}");
    let untouched = kubectl.secret("creds-v2").await.unwrap();
    assert!(!is_marked(&untouched) && reservations(&untouched).is_empty(), "{untouched}");
    kubectl.delete_secret("creds-v2").await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marks_go_when_nothing_points_to_the_secret_any_more() {
    let kubectl = Kubectl::new(installation().await.control_plane(), "unmarked").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.apply(&caching(namespace, "shoot", "creds")).await.succeeded();
    let settled = |secret: &serde_json::Value| is_marked(secret) && reservations(secret).is_empty();
    kubectl.until("creds", "marked without reservations", settled).await;
    kubectl.run(&["delete", "shoot", "shoot"]).await.succeeded();
    let unmarked = kubectl.until("creds", "unmarked", |secret| !is_marked(secret)).await;
    assert_eq!(unmarked["metadata"]["labels"], json!({"team": "a"}), "{unmarked}");
}
