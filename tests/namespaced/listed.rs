//! What works in the listed namespaces.

use serde_json::json;

use crate::harness::User;
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_gets_its_secret_the_copy_follows_its_source_and_comes_again() {
    let scene = Scene::enter("worked").await;
    scene.set_source("registries", "first").await;
    scene.offer("registries", json!({"namespaces": ["team-*"]})).await;
    scene.pod_with_secret("team-a").await;
    let uid = scene.copy_holds("team-a", "first").await;

    scene.set_source("registries", "second").await;
    assert_eq!(scene.copy_holds("team-a", "second").await, uid, "it is changed in place");

    let delete = ["delete", "secret", &scene.copy(), "--namespace", "team-a"];
    scene.control_plane().kubectl_as(User::Admin, &delete).await.succeeded();
    assert_ne!(scene.copy_holds("team-a", "second").await, uid, "pods name it, so it comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eager_credential_is_carried_to_the_listed_namespaces_it_selects() {
    let scene = Scene::enter("eager").await;
    scene.set_source("registries", "first").await;
    scene.offer("registries", json!({"namespaces": ["*"], "distribution": "Eager"})).await;
    // Beside its source, under another name, as anywhere.
    for namespace in ["team-a", "registries"] {
        scene.copy_holds(namespace, "first").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_deleted_and_comes_again_is_seen_although_it_is_watched_by_name() {
    let scene = Scene::enter("again").await;
    scene.offer("registries", json!({"namespaces": ["team-a"]})).await;
    scene.set_source("registries", "first").await;
    scene.pod_with_secret("team-a").await;
    let uid = scene.copy_holds("team-a", "first").await;
    let delete = ["delete", "secret", &scene.name, "--namespace", "registries"];
    scene.control_plane().kubectl(&delete).await.succeeded();
    scene.set_source("registries", "second").await;
    assert_eq!(scene.copy_holds("team-a", "second").await, uid);
}
