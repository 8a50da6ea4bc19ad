//! Namespaces that are asked for their consent, on an installation that asks them.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::asking;
use super::scene::{Offer, Scene, pull_secrets, secrets};
use crate::harness::control_plane::unique;
use crate::harness::credentials::pod;
use crate::harness::{Installation, background};

async fn scene() -> Scene {
    static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
    Scene::enter_on(INSTALLATION.get_or_init(|| start("--consent=two-sided")).await).await
}

async fn start(consent: &'static str) -> Installation {
    background::spawn(async move { Installation::start(&[consent]).await }).await.expect("a start")
}

/// Sets labels of the namespace, and waits until every server gives its pods these names.
async fn label(scene: &Scene, namespace: &str, offer: &Offer, labels: Value, names: &[String]) {
    scene.merge(&format!("/api/v1/namespaces/{namespace}"), &json!({"metadata": {"labels": labels}})).await;
    scene.until(&pod(namespace, "asked", &[&offer.image()]), |opinion| opinion.names == names).await;
}

async fn given(scene: &Scene, namespace: &str, offer: &Offer) -> Vec<String> {
    pull_secrets(&scene.create_pod(&pod(namespace, &unique("pod"), &[&offer.image()])).await.object())
}

#[tokio::test]
async fn a_namespace_gets_only_what_it_accepts_and_never_what_it_refuses() {
    let scene = scene().await;
    let namespace = scene.namespace("asked").await;
    let offers = json!({"namespaces": [namespace]});
    let accepted = scene.offer_unseen("accepted", offers.clone()).await;
    let other = scene.offer_unseen("other", offers).await;
    let accept = format!("accept.regcred.dev/{}", accepted.credential);
    let refuse = format!("refuse.regcred.dev/{}", accepted.credential);

    assert!(given(&scene, &namespace, &accepted).await.is_empty(), "nobody has accepted anything");
    label(&scene, &namespace, &accepted, json!({accept.clone(): "true"}), &[accepted.copy()]).await;
    assert_eq!(given(&scene, &namespace, &accepted).await, [accepted.copy()]);
    scene.secret(&namespace, &accepted.copy()).await;
    assert!(given(&scene, &namespace, &other).await.is_empty(), "this one is not accepted");
    assert_eq!(scene.secret_names(&namespace).await, [accepted.copy()]);

    label(&scene, &namespace, &accepted, json!({refuse.clone(): "true"}), &[]).await;
    assert!(given(&scene, &namespace, &accepted).await.is_empty(), "a refusal wins");
    label(&scene, &namespace, &accepted, json!({refuse: null, accept: "false"}), &[]).await;
    assert!(given(&scene, &namespace, &accepted).await.is_empty(), "only true accepts");
}

/// The watch shows a new namespace later than its first pod comes: then it is read.
#[tokio::test]
async fn the_first_pod_of_a_new_namespace_finds_its_consent_minded() {
    let scene = scene().await;
    let offer = scene.offer_unseen("everywhere", json!({"namespaces": ["new-*"]})).await;
    let known = scene.namespace("new-known").await;
    let accept = format!("accept.regcred.dev/{}", offer.credential);
    label(&scene, &known, &offer, json!({accept.clone(): "true"}), &[offer.copy()]).await;
    for (labels, expected) in [(json!({accept: "true"}), vec![offer.copy()]), (json!({}), Vec::new())] {
        for replica in scene.installation().replicas() {
            let namespace = unique("new");
            let object = json!({"metadata": {"name": namespace, "labels": labels}});
            scene.create("/api/v1/namespaces", &object).await;
            let app = pod(&namespace, "app", &[&offer.image()]);
            assert_eq!(asking::ask(scene.installation(), &replica, &app).await.names, expected, "{object}");
        }
    }
}

#[tokio::test]
async fn where_only_refusals_count_everybody_gets_it_who_does_not_refuse() {
    static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
    let installation = INSTALLATION.get_or_init(|| start("--consent=refusal")).await;
    let scene = Scene::enter_on(installation).await;
    let namespace = scene.namespace("asked").await;
    let offer = scene.offer_unseen("offered", json!({"namespaces": [namespace]})).await;
    let refuse = format!("refuse.regcred.dev/{}", offer.credential);
    label(&scene, &namespace, &offer, json!({}), &[offer.copy()]).await;
    assert_eq!(given(&scene, &namespace, &offer).await, [offer.copy()]);
    scene.secret(&namespace, &offer.copy()).await;
    label(&scene, &namespace, &offer, json!({refuse.clone(): "true"}), &[]).await;
    assert!(given(&scene, &namespace, &offer).await.is_empty());
    let copy = format!("{}/{}", secrets(&namespace), offer.copy());
    scene.eventually("no copy", async || scene.get(&copy).await.is_none().then_some(())).await;
    label(&scene, &namespace, &offer, json!({refuse: "false"}), &[offer.copy()]).await;
    assert_eq!(given(&scene, &namespace, &offer).await, [offer.copy()], "only true refuses");
}
