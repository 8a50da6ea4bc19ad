//! Where copies are: everywhere the credential is offered, and nowhere else.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_eager_credential_is_in_every_namespace_that_there_is_and_in_each_that_comes() {
    let scene = Scene::enter("eager").await;
    let there = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&there, "first").await;
    let comes = scene.namespace().await;
    scene.copy_holds(&comes, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_labelled_gets_a_copy_and_loses_it_with_the_label() {
    let scene = Scene::enter("label").await;
    let namespace = scene.namespace().await;
    scene.label_namespace(&namespace, None).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let other = scene.namespace().await;
    scene.copy_holds(&other, "first").await;
    assert_eq!(scene.found(&namespace).await, None);
    scene.label_namespace(&namespace, Some(&scene.name)).await;
    scene.copy_holds(&namespace, "first").await;
    scene.label_namespace(&namespace, None).await;
    scene.copy_goes(&namespace).await;
    scene.copy_holds(&other, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_go_with_their_credential() {
    let scene = Scene::enter("gone").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    scene.control_plane().kubectl(&["delete", "regcred", &scene.name]).await.succeeded();
    scene.copy_goes(&namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_deleted_or_edited_is_healed() {
    let scene = Scene::enter("heal").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let first = scene.copy_holds(&namespace, "first").await;
    scene.secrets(&namespace).delete(&scene.copy_name(), &DeleteParams::default()).await.unwrap();
    let second = scene.copy_holds(&namespace, "first").await;
    assert_ne!(first.metadata.uid, second.metadata.uid);
    let edit = json!({"data": {".dockerconfigjson": "e30=", "more": "e30="}, "metadata": {"labels": {"theirs": "stays"}}});
    scene
        .secrets(&namespace)
        .patch(&scene.copy_name(), &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    let healed = scene.copy_holds(&namespace, "first").await;
    assert_eq!(healed.metadata.uid, second.metadata.uid);
    assert_eq!(healed.data.unwrap().len(), 1, "what was added to it is gone");
    assert_eq!(healed.metadata.labels.unwrap()["theirs"], "stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_terminating_namespace_does_not_keep_the_others_from_their_copies() {
    let scene = Scene::enter("ending").await;
    let ending = scene.namespace().await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(scene.client.clone());
    let hold = json!({"metadata": {"name": "held", "finalizers": ["example.com/held"]}, "apiVersion": "v1", "kind": "ConfigMap"});
    let objects: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::namespaced(scene.client.clone(), &ending);
    objects.create(&PostParams::default(), &serde_json::from_value(hold).unwrap()).await.unwrap();
    namespaces.delete(&ending, &DeleteParams::default()).await.unwrap();
    let since = scene.control_plane().audit().position().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    for _ in 0..3 {
        let other = scene.namespace().await;
        scene.copy_holds(&other, "first").await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let writes = scene
        .control_plane()
        .audit()
        .since(since, |call| call.namespace == ending && call.verb == "create")
        .await;
    assert!(writes.is_empty(), "nobody writes where nothing can be created: {writes:?}");
    let free = json!({"metadata": {"finalizers": null}});
    objects.patch("held", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
}
