//! That copies hold what their source holds, and what becomes of them when it is broken or gone.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;

use crate::scene::{Scene, content};

/// How long copies outlive their source in the scene.
const SOURCE_GRACE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_follows_its_source_in_place() {
    let scene = Scene::enter("follow").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let before = scene.copy_holds(&namespace, "first").await;
    scene.set_source("second").await;
    let after = scene.copy_holds(&namespace, "second").await;
    assert_eq!(before.metadata.uid, after.metadata.uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_source_changes_no_copy() {
    let scene = Scene::enter("garbage").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    scene.set_raw_source(r#"{"auths":{"a":{"auth":"%%%"}}}"#).await;
    scene
        .throughout(Duration::from_secs(10), async || {
            scene.found(&namespace).await.map(|copy| (content(&copy), copy.metadata.resource_version))
        })
        .await;
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_re_created_within_its_grace_costs_no_copy() {
    let scene = Scene::enter("again").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let before = scene.copy_holds(&namespace, "first").await;
    scene.secrets("sources").delete(&scene.name, &DeleteParams::default()).await.unwrap();
    scene
        .throughout(Duration::from_secs(4), async || {
            scene.found(&namespace).await.map(|copy| copy.metadata.resource_version)
        })
        .await;
    scene.set_source("second").await;
    let after = scene.copy_holds(&namespace, "second").await;
    assert_eq!(before.metadata.uid, after.metadata.uid);
    // Also when the grace is over that had begun with the deletion.
    scene.throughout(SOURCE_GRACE, async || scene.found(&namespace).await == Some(after.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_re_created_within_its_grace_costs_no_copy_that_pods_asked_for() {
    let scene = Scene::enter("again-asked").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({})).await;
    scene.known(&namespace).await;
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
    let before = scene.copy_holds(&namespace, "first").await;
    scene.secrets("sources").delete(&scene.name, &DeleteParams::default()).await.unwrap();
    let still = async || scene.found(&namespace).await == Some(before.clone());
    scene.throughout(SOURCE_GRACE / 2, still).await;
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()], "and pods are given it");
    scene.set_source("second").await;
    let after = scene.copy_holds(&namespace, "second").await;
    assert_eq!(before.metadata.uid, after.metadata.uid);
    scene.throughout(SOURCE_GRACE, async || scene.found(&namespace).await == Some(after.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_source_that_stays_away_go_after_its_grace() {
    let scene = Scene::enter("away").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    scene.secrets("sources").delete(&scene.name, &DeleteParams::default()).await.unwrap();
    scene.copy_goes(&namespace).await;
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
}
