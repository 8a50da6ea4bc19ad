//! The outcomes of a pod that needs a credential whose source is good: with the copy there, created, or refused.

use serde_json::Value;

use super::neighbours::Refusal;
use super::scene::{Offer, Scene, pull_secrets, secrets};
use crate::harness::credentials::pod;

const ACCOUNT: &str = "system:serviceaccount:regcred-system:regcred";

/// How often regcred has tried to create a copy.
async fn attempts(scene: &Scene, namespace: &str) -> usize {
    let audit = scene.control_plane().audit();
    audit.count(|call| call.user == ACCOUNT && call.verb == "create" && call.namespace == namespace).await
}

/// The data of a Secret and of its source are the same.
async fn assert_is_copy(scene: &Scene, offer: &Offer, copy: &Value) {
    let source = scene.get(&format!("{}/{}", secrets(&offer.source.0), offer.source.1)).await.unwrap();
    assert_eq!((&copy["type"], &copy["data"]), (&source["type"], &source["data"]));
    assert_eq!(copy["metadata"]["labels"]["regcred.dev/copy"], "true");
}

#[tokio::test]
async fn a_copy_that_is_missing_is_created_once_and_one_that_is_there_is_used() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("created").await;
    let offer = scene.offer(&namespace).await;
    for name in ["first", "second", "third", "fourth"] {
        let answer = scene.create_pod(&pod(&namespace, name, &[&offer.image()])).await;
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
        assert_is_copy(&scene, &offer, &scene.secret(&namespace, &offer.copy()).await).await;
    }
    // Each of the two servers may not have heard of the other's copy.
    let attempts = attempts(&scene, &namespace).await;
    assert!((1..=2).contains(&attempts), "{attempts} attempts");
}

/// The name is injected, the warning says why the copy is not there yet, and the copy comes without another pod.
async fn mended_by_the_retry_loop(
    scene: &Scene,
    namespace: &str,
    refusal: Refusal,
    offer: &Offer,
    reason: &str,
) {
    let answer = scene.create_pod(&pod(namespace, "app", &[&offer.image()])).await;
    let expected = format!("pull Secret {} will be created later: {reason}", offer.copy());
    let [warning] = answer.warnings.as_slice() else {
        panic!("{:?}", answer.warnings);
    };
    assert!(warning.starts_with(&expected), "{warning:?} is not {expected:?}");
    assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    assert!(scene.secret_names(namespace).await.is_empty());
    refusal.lift(scene).await;
    assert_is_copy(scene, offer, &scene.secret(namespace, &offer.copy()).await).await;
}

#[tokio::test]
async fn a_copy_that_a_quota_refuses_is_created_when_the_quota_is_lifted() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("quota").await;
    let offer = scene.offer(&namespace).await;
    let quota = Refusal::by_quota(&scene, &namespace).await;
    mended_by_the_retry_loop(&scene, &namespace, quota, &offer, "exceeded quota: few").await;
}

#[tokio::test]
async fn a_copy_that_a_policy_refuses_is_created_when_the_policy_is_gone() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("policy").await;
    let offer = scene.offer(&namespace).await;
    let policy = Refusal::by_policy(&scene, &namespace).await;
    let reason = format!("ValidatingAdmissionPolicy '{namespace}'");
    mended_by_the_retry_loop(&scene, &namespace, policy, &offer, &reason).await;
}

#[tokio::test]
async fn a_copy_that_another_webhook_refuses_is_created_when_the_webhook_is_gone() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("vault").await;
    let offer = scene.offer(&namespace).await;
    let webhook = Refusal::by_webhook(&scene, &namespace).await;
    mended_by_the_retry_loop(&scene, &namespace, webhook, &offer, "admission webhook \"zz-neighbour").await;
}

#[tokio::test]
async fn while_a_copy_is_refused_pods_are_told_and_the_api_server_is_left_in_peace() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("peace").await;
    let offer = scene.offer(&namespace).await;
    let _quota = Refusal::by_quota(&scene, &namespace).await;
    for number in 0..20 {
        let answer = scene.create_pod(&pod(&namespace, &format!("app-{number}"), &[&offer.image()])).await;
        assert!(answer.warnings[0].contains("exceeded quota"), "{:?}", answer.warnings);
        assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    }
    // Twenty pods take less than the first pauses (5 s, then 10 s) of the two servers.
    let attempts = attempts(&scene, &namespace).await;
    assert!(attempts <= 4, "{attempts} attempts for 20 pods");
}
