//! Copies that are there while pods need them: they come with the first one, and go in two steps after the last.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::credentials::{pod, raw_secret, registry_credential};
use crate::harness::stage::pull_secrets;
use crate::harness::{Installation, reviews};
use crate::scene::{Scene, content};

const UNNEEDED_SINCE: &str = "regcred.dev/unneeded-since";
/// The pauses of the scene.
const UNNEEDED_GRACE: Duration = Duration::from_secs(2);
const SETTLE_TIME: Duration = Duration::from_secs(4);
const ACCOUNT: &str = "system:serviceaccount:regcred-system:regcred";

/// Offers the credential to namespaces in which pods need it, and waits until every server knows.
async fn offer(scene: &Scene, namespace: &str) {
    scene.offer(json!({})).await;
    scene.known(namespace).await;
}

/// Since when the copy is marked as no longer needed, by the leader's clock, in whole seconds.
fn marked_since(copy: &Secret) -> Option<Timestamp> {
    let mark = copy.metadata.annotations.as_ref()?.get(UNNEEDED_SINCE)?;
    Some(mark.parse().unwrap())
}

async fn is_marked(scene: &Scene, namespace: &str) -> Secret {
    let marked = async || scene.found(namespace).await.filter(|copy| marked_since(copy).is_some());
    scene.until(&format!("a marked copy in {namespace}"), marked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_comes_with_the_first_pod_and_goes_in_two_steps_after_the_last() {
    let scene = Scene::enter("demand").await;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    assert_eq!(scene.found(&namespace).await, None, "no pod needs it");
    for name in ["first", "second"] {
        let stored = scene.create_pod_named(&namespace, name).await;
        assert_eq!(pull_secrets(&stored), [scene.copy_name()]);
    }
    let copy = scene.found(&namespace).await.expect("it was there before the pod");
    assert_eq!(content(&copy), scene.document("first"));

    scene.delete_pod(&namespace, "first").await;
    let time = UNNEEDED_GRACE + SETTLE_TIME;
    scene.throughout(time, async || scene.found(&namespace).await == Some(copy.clone())).await;

    let before = Timestamp::now();
    scene.delete_pod(&namespace, "second").await;
    let marked = is_marked(&scene, &namespace).await;
    assert_eq!(marked.metadata.uid, copy.metadata.uid);
    let since = marked_since(&marked).unwrap();
    // The mark's own second has begun before it was written.
    let waited = Duration::try_from(since.duration_since(before)).unwrap_or_default();
    assert!(waited + Duration::from_secs(1) >= UNNEEDED_GRACE, "marked {waited:?} after the last pod");
    scene.copy_goes(&namespace).await;
    let waited = Duration::try_from(Timestamp::now().duration_since(since)).unwrap();
    assert!(waited >= SETTLE_TIME, "deleted {waited:?} after the mark");

    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()], "and it comes again");
    assert!(scene.found(&namespace).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_comes_between_the_two_steps_keeps_the_copy() {
    let scene = Scene::enter("between").await;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    scene.create_pod_named(&namespace, "first").await;
    scene.delete_pod(&namespace, "first").await;
    let marked = is_marked(&scene, &namespace).await;
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
    // Whoever answered may not have seen the mark yet; then it is the leader that takes it off, once it sees the pod.
    let is_unmarked = |copy: &Secret| marked_since(copy).is_none();
    let kept = scene
        .until("the copy without its mark", async || scene.found(&namespace).await.filter(is_unmarked))
        .await;
    assert_eq!(kept.metadata.uid, marked.metadata.uid, "it was never deleted");
    scene.throughout(2 * SETTLE_TIME, async || scene.found(&namespace).await == Some(kept.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_finishes_needs_its_copy_no_longer() {
    let scene = Scene::enter("finished").await;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    scene.create_pod_named(&namespace, "job").await;
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &namespace);
    let finished = kube::api::Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
    pods.patch_status("job", &kube::api::PatchParams::default(), &finished).await.unwrap();
    scene.copy_goes(&namespace).await;
    assert!(pods.get_opt("job").await.unwrap().is_some(), "the pod is there all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_watch_on_pods_a_copy_comes_and_is_never_removed() {
    let scene = Scene::enter_own_with("unwatched", &["--watch-pods=false"]).await;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    let stored = scene.create_pod_named(&namespace, "only").await;
    assert_eq!(pull_secrets(&stored), [scene.copy_name()]);
    scene.set_source("second").await;
    let copy = scene.copy_holds(&namespace, "second").await;
    scene.delete_pod(&namespace, "only").await;
    let time = 2 * (UNNEEDED_GRACE + SETTLE_TIME);
    scene.throughout(time, async || scene.found(&namespace).await == Some(copy.clone())).await;
    let about_pods = |call: &crate::harness::audit::Event| call.user == ACCOUNT && call.resource == "pods";
    assert_eq!(scene.control_plane().audit().count(about_pods).await, 0, "nobody asks for pods");
}

/// Where no leader knows what pods need, only the server remembers that has answered for the pod.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_pod_waits_for_comes_with_its_source_from_the_server_that_was_asked() {
    let scene = Scene::enter_own_with("awaited", &["--watch-pods=false"]).await;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    scene.secrets("sources").delete(&scene.name, &DeleteParams::default()).await.unwrap();
    let warned = pod(&namespace, "asked", &[&scene.image()]);
    reviews::until_warned(scene.installation, &warned, "waits for its source").await;
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
    assert_eq!(scene.found(&namespace).await, None);
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_was_admitted_while_nobody_answered_gets_its_copy() {
    let scene = Scene::enter_in_turn("unanswered").await;
    let installation: &Installation = scene.installation;
    let namespace = scene.namespace().await;
    offer(&scene, &namespace).await;
    installation.service().set_backends(Vec::new());
    for replica in installation.replicas() {
        replica.backend().cut();
    }
    let stored = scene.create_pod_named(&namespace, "missed").await;
    installation.publish();
    assert_eq!(pull_secrets(&stored), Vec::<String>::new(), "nobody was asked");
    scene.copy_holds(&namespace, "first").await;
    scene.delete_pod(&namespace, "missed").await;
    scene.copy_goes(&namespace).await;
}

#[rstest]
#[case::container(|pod: &mut Value, image: &str| pod["spec"]["containers"][0]["image"] = image.into())]
#[case::init_container(|pod: &mut Value, image: &str| {
    pod["spec"]["initContainers"] = json!([{"name": "init", "image": image}]);
})]
#[case::image_volume(|pod: &mut Value, image: &str| {
    pod["spec"]["volumes"] = json!([{"name": "model", "image": {"reference": image}}]);
})]
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_was_there_before_its_credential_gets_its_copy_whichever_part_of_it_needs_one(
    #[case] put: fn(&mut Value, &str),
) {
    let scene = Scene::enter("before").await;
    let (namespace, other) = (scene.namespace().await, scene.namespace().await);
    for (namespace, needs) in [(&namespace, true), (&other, false)] {
        let mut object = pod(namespace, "app", &["elsewhere.example/app"]);
        object["spec"]["serviceAccountName"] = "runner".into();
        if needs {
            put(&mut object, &scene.image());
        }
        let pods: Api<Pod> = Api::namespaced(scene.client.clone(), namespace);
        pods.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    scene.offer(json!({})).await;
    scene.copy_holds(&namespace, "first").await;
    assert_eq!(scene.found(&other).await, None, "a pod that needs no key of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_secret_of_a_registry_type_is_copied() {
    let scene = Scene::enter("opaque").await;
    let namespace = scene.namespace().await;
    let sources = scene.secrets("sources");
    sources.delete(&scene.name, &DeleteParams::default()).await.unwrap();
    let mut opaque = raw_secret("sources", &scene.name, &scene.document("opaque"));
    opaque["type"] = "Opaque".into();
    sources.create(&PostParams::default(), &serde_json::from_value(opaque).unwrap()).await.unwrap();
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.looked_at(&namespace).await;
    assert_eq!(scene.found(&namespace).await, None);
    sources.delete(&scene.name, &DeleteParams::default()).await.unwrap();
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_never_a_source() {
    let scene = Scene::enter("second-hand").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    let second = format!("{}-again", scene.name);
    let spec = json!({"namespaces": [namespace], "distribution": "Eager"});
    let credential = registry_credential(&second, (&namespace, &scene.copy_name()), spec);
    scene.control_plane().apply(&credential.to_string()).await;
    scene.looked_at(&namespace).await;
    let secrets = scene.secrets(&namespace);
    assert_eq!(secrets.get_opt(&format!("regcred-{second}")).await.unwrap(), None);
    // Nobody can be given a copy of it either.
    let needs = pod(&namespace, "app", &[&scene.image()]);
    reviews::until_known(scene.installation, &needs, &scene.copy_name()).await;
}
