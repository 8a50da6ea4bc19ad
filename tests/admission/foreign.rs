//! A Secret of the copy's name that is not regcred's: it is left as it is, and no pod is given its name.

use http::Method;
use serde_json::{Value, json};

use super::asking::Opinion;
use super::scene::{CREDENTIALS, Offer, Scene, pods, pull_secrets, secrets};
use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, registry_credential, registry_secret};

async fn left_alone(scene: &Scene, namespace: &str, offer: &Offer, foreign: Value) {
    let stored = scene.create(&secrets(namespace), &foreign).await;
    let app = pod(namespace, "app", &[&offer.image()]);
    let dry_run = format!("{}?dryRun=All", pods(namespace));
    let foretold = scene.call(User::Developer, Method::POST, &dry_run, Some(&app)).await;
    let answer = scene.create_pod(&app).await;
    let expected = format!(
        "Secret {namespace}/{} is not regcred's and not added to the pod: delete it, or set another copyName",
        offer.copy()
    );
    assert_eq!((&answer.warnings, &foretold.warnings), (&vec![expected.clone()], &vec![expected]));
    assert!(pull_secrets(&foretold.object()).is_empty());
    assert!(pull_secrets(&answer.object()).is_empty());
    assert_eq!(scene.secret(namespace, &offer.copy()).await, stored);
}

#[tokio::test]
async fn a_secret_with_other_bytes_is_left_as_it_is() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("bytes").await;
    let offer = scene.offer(&namespace).await;
    let foreign = registry_secret(&namespace, &offer.copy(), &["elsewhere.example"]);
    left_alone(&scene, &namespace, &offer, foreign).await;
}

#[tokio::test]
async fn a_secret_with_equal_bytes_is_left_as_it_is() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("equal").await;
    let offer = scene.offer(&namespace).await;
    let mut foreign = registry_secret(&namespace, &offer.source.1, &[&offer.registry]);
    foreign["metadata"]["name"] = offer.copy().into();
    left_alone(&scene, &namespace, &offer, foreign).await;
}

#[tokio::test]
async fn a_copy_cloned_from_another_namespace_is_left_as_it_is() {
    let scene = Scene::enter().await;
    let (namespace, origin) = (scene.namespace("clone").await, scene.namespace("origin").await);
    let offer = scene.offer_unseen("clone", json!({"namespaces": [namespace, origin]})).await;
    scene.known(&namespace, &offer).await;
    scene.create_pod(&pod(&origin, "app", &[&offer.image()])).await.object();
    let copy = scene.secret(&origin, &offer.copy()).await;
    let mut metadata = json!({"name": offer.copy()});
    for marks in ["labels", "annotations"] {
        metadata[marks] = copy["metadata"][marks].clone();
    }
    let clone = json!({"metadata": metadata, "type": copy["type"], "data": copy["data"]});
    left_alone(&scene, &namespace, &offer, clone).await;
}

#[tokio::test]
async fn after_it_is_deleted_a_new_pod_gets_the_name_and_the_copy() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("deleted").await;
    let offer = scene.offer(&namespace).await;
    let foreign = registry_secret(&namespace, &offer.copy(), &["elsewhere.example"]);
    left_alone(&scene, &namespace, &offer, foreign).await;
    scene.delete(&format!("{}/{}", secrets(&namespace), offer.copy())).await;
    // A conflict is remembered for some seconds, so that it costs the API server no call for each pod.
    let injected = async || {
        let answer = scene.create_pod(&pod(&namespace, &unique("app"), &[&offer.image()])).await;
        (pull_secrets(&answer.object()) == [offer.copy()]).then_some(())
    };
    scene.eventually("a pod with the pull Secret", injected).await;
    let copy = scene.secret(&namespace, &offer.copy()).await;
    assert_eq!(copy["metadata"]["labels"]["regcred.dev/copy"], "true");
}

#[tokio::test]
async fn the_copy_of_another_credential_is_not_taken_over() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("rivals").await;
    let spec = json!({"namespaces": [namespace], "copyName": "shared"});
    let (first, second) = (unique("a-rival"), unique("b-rival"));
    let sources = scene.sources().await;
    for name in [&first, &second] {
        scene.create(&secrets(sources), &registry_secret(sources, name, &[&format!("{name}.example")])).await;
        scene.create(CREDENTIALS, &registry_credential(name, (sources, name), spec.clone())).await;
        let asked = pod(&namespace, "asked", &[&format!("{name}.example/app")]);
        let is_known = |opinion: &Opinion| {
            // The first by name has the place, also before any copy is there.
            let says = if *name == first {
                "would create"
            } else {
                &format!("is for regcred {first}, so not for regcred {name}")
            };
            (opinion.names == ["shared"]) == (*name == first)
                && opinion.warnings.len() == 1
                && opinion.warnings[0].contains(says)
        };
        scene.until(&asked, is_known).await;
    }
    let image = |name: &str| format!("{name}.example/app");
    let stored = scene.create_pod(&pod(&namespace, "first", &[&image(&first)])).await.object();
    assert_eq!(pull_secrets(&stored), ["shared"]);
    let copy = scene.secret(&namespace, "shared").await;
    let answer = scene.create_pod(&pod(&namespace, "second", &[&image(&second)])).await;
    let expected = format!("Secret {namespace}/shared is for regcred {first}, so not for regcred {second}: ");
    assert!(answer.warnings[0].starts_with(&expected), "{:?}", answer.warnings);
    assert!(pull_secrets(&answer.object()).is_empty());
    let both = scene.create_pod(&pod(&namespace, "both", &[&image(&first), &image(&second)])).await;
    assert!(both.warnings[0].starts_with(&expected), "{:?}", both.warnings);
    assert_eq!(pull_secrets(&both.object()), ["shared"]);
    assert_eq!(scene.secret(&namespace, "shared").await, copy);
}
