//! What regcred leaves as it is: sources, what is another's, and whatever a rule that makes no sense would reach.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::credentials::{raw_secret, registry_credential};
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_left_as_it_is_also_when_its_own_namespace_is_offered_a_copy_of_its_name() {
    let scene = Scene::enter("own").await;
    let namespace = scene.namespace().await;
    let sources = scene.secrets("sources");
    let before = sources.get(&scene.name).await.unwrap();
    let spec = json!({
        "namespaces": [namespace, "sources"], "copyName": scene.name,
        "distribution": "Eager", "conflict": "Overwrite",
    });
    let credential = registry_credential(&scene.name, ("sources", &scene.name), spec);
    scene.control_plane().apply(&credential.to_string()).await;
    let elsewhere = async || scene.secrets(&namespace).get_opt(&scene.name).await.unwrap();
    scene.until("the copy elsewhere", elsewhere).await;
    scene.looked_at(&namespace).await;
    assert_eq!(sources.get(&scene.name).await.unwrap(), before);
    scene.control_plane().kubectl(&["delete", "regcred", &scene.name]).await.succeeded();
    scene.until("no copy elsewhere", async || elsewhere().await.is_none().then_some(())).await;
    assert_eq!(sources.get(&scene.name).await.unwrap(), before);
    let copies = ListParams::default().labels("regcred.dev/copy");
    assert_eq!(sources.list(&copies).await.unwrap().items, Vec::<Secret>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_of_another_credential_is_no_place_of_a_copy_until_it_is_a_source_no_more() {
    let scene = Scene::enter("no-place").await;
    let (namespace, elsewhere) = (scene.namespace_without_label().await, scene.namespace().await);
    let source = raw_secret(&namespace, &scene.copy_name(), &scene.document("of the other"));
    let other = format!("{}-other", scene.name);
    let offer = json!({"namespaces": [elsewhere], "distribution": "Eager"});
    let credential = registry_credential(&other, (&namespace, &scene.copy_name()), offer);
    for object in [source, credential] {
        scene.control_plane().apply(&object.to_string()).await;
    }
    let copy = format!("regcred-{other}");
    scene.until(&copy, async || scene.secrets(&elsewhere).get_opt(&copy).await.unwrap()).await;
    let before = scene.found(&namespace).await;

    scene.offer(json!({"distribution": "Eager", "conflict": "Overwrite"})).await;
    scene.label_namespace(&namespace, Some(&scene.name)).await;
    scene.copy_holds(&elsewhere, "first").await;
    scene.looked_at(&namespace).await;
    assert_eq!(scene.found(&namespace).await, before);
    scene.control_plane().kubectl(&["delete", "regcred", &other]).await.succeeded();
    scene.copy_holds(&namespace, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_secret_is_the_same_after_a_credential_was_created_changed_and_deleted() {
    let scene = Scene::enter("theirs").await;
    let (namespace, other) = (scene.namespace().await, scene.namespace().await);
    let theirs = raw_secret(&namespace, &scene.copy_name(), r#"{"auths":{"theirs.example":{}}}"#);
    let theirs: Secret = serde_json::from_value(theirs).unwrap();
    let before = scene.secrets(&namespace).create(&PostParams::default(), &theirs).await.unwrap();

    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&other, "first").await;
    scene.set_source("second").await;
    scene.copy_holds(&other, "second").await;
    // Another name, and back again.
    scene.offer(json!({"distribution": "Eager", "copyName": format!("other-{}", scene.name)})).await;
    scene.copy_goes(&other).await;
    scene.offer(json!({"distribution": "Eager", "conflict": "Adopt"})).await;
    scene.copy_holds(&other, "second").await;
    scene.offer(json!({"distribution": "Eager", "excludeNamespaces": [namespace]})).await;
    scene.looked_at(&other).await;
    scene.control_plane().kubectl(&["delete", "regcred", &scene.name]).await.succeeded();
    scene.copy_goes(&other).await;
    scene.throughout(Duration::from_secs(2), async || scene.found(&namespace).await).await;
    assert_eq!(scene.found(&namespace).await, Some(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_is_empty_or_blank_is_refused_and_never_means_everything() {
    let scene = Scene::enter("blank").await;
    let images = |pattern: &str| json!({"namespaces": ["team-*"], "images": [pattern]});
    let specs: [Value; 8] = [
        images(""),
        images(" "),
        images("\t"),
        images("ghcr.io/ org"),
        json!({"namespaces": [""]}),
        json!({"namespaces": [" "]}),
        json!({"namespaces": ["team-*"], "excludeNamespaces": [""]}),
        json!({}),
    ];
    for spec in specs {
        let credential = registry_credential(&scene.name, ("sources", &scene.name), spec.clone());
        let answer = scene.control_plane().apply_as(User::Admin, &credential.to_string()).await;
        assert!(answer.failed().contains("is invalid"), "{spec}");
    }
}
