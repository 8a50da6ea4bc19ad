//! While nobody answers: what is in use stays, and nobody else is held up.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::control_plane::Options;
use crate::harness::credentials::pod;
use crate::harness::gardener::shoot;
use crate::scene::{HELD, Kubectl, caching, credentials, is_marked, mutable, start};

const FAILED: &str = "failed calling webhook \"secrets-in-use.regcred.dev\"";

/// A Shoot with each of the places that name a Secret, or a binding: the API server itself must see that it changes.
fn places_of_secrets() -> Vec<Value> {
    let of_spec = |field: &str, value: Value| json!({"spec": {field: value}});
    let of_api_server = |value: Value| json!({"spec": {"kubernetes": {"kubeAPIServer": value}}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "name": "other"});
    let worker = json!({"name": "worker", "controlPlane": {"backup": {"credentialsRef": secret}}});
    vec![
        of_spec("resources", json!([{"name": "other", "resourceRef": secret}])),
        of_spec("extensions", json!([{"type": "registry-cache"}])),
        of_spec("dns", json!({"providers": [{"secretName": "other"}]})),
        of_spec("dns", json!({"providers": [{"credentialsRef": secret}]})),
        of_spec("secretBindingName", json!("other")),
        of_spec("credentialsBindingName", json!("other")),
        of_spec("provider", json!({"workers": [worker]})),
        of_api_server(json!({"admissionPlugins": [{"name": "a", "kubeconfigSecretName": "other"}]})),
        of_api_server(json!({"structuredAuthorization": {"kubeconfigs": [{"secretName": "other"}]}})),
    ]
}

/// Each of them is one: a place that is read newly belongs here, and into the entry's condition.
#[test]
fn each_place_is_one_that_names_a_secret_or_a_binding() {
    let extensions = 1;
    for (number, object) in places_of_secrets().into_iter().enumerate() {
        let raw = serde_json::value::to_raw_value(&object).expect("JSON");
        let shoot = regcred::model::gardener::Shoot::read(&raw);
        let count = shoot.references("any").len() + shoot.bindings().len();
        assert_eq!(count, usize::from(number != extensions), "{object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_stays_and_everything_else_goes_on() {
    let installation = start(Options::default(), &[]).await;
    let kubectl = Kubectl::new(installation.control_plane(), "outage").await;
    let namespace = kubectl.namespace.as_str();
    for secret in
        [mutable(namespace, "used"), credentials(namespace, "free"), credentials(namespace, "other")]
    {
        kubectl.apply(&secret).await.succeeded();
    }
    kubectl.apply(&shoot(namespace, "shoot", &["used"])).await.succeeded();
    let hold = json!({"metadata": {"finalizers": [HELD, "example.com/held"]}});
    kubectl.patch("secret", "used", &hold).await.succeeded();
    let used = kubectl.secret("used").await.unwrap();
    assert!(is_marked(&used), "{used}");
    // A reservation that no leader takes away any more.
    let reservation =
        json!({"kind": "Shoot", "namespace": namespace, "name": "never", "uid": "1"}).to_string();
    let reserve = json!({"metadata": {"annotations": {"reservation.regcred.dev/attempt": reservation}}});
    kubectl.patch("secret", "used", &reserve).await.succeeded();
    for replica in installation.replicas() {
        installation.lose_replica(&Arc::clone(&replica)).await;
    }

    let refused = async |patch: Value, why: &str| {
        let told = kubectl.patch("secret", "used", &patch).await.failed();
        assert!(told.contains(FAILED), "{why}: {told}");
    };
    let deletion = kubectl.delete_secret("used").await.failed();
    assert!(deletion.contains(FAILED), "{deletion}");
    refused(json!({"metadata": {"labels": {"regcred.dev/in-use": null}}}), "its label").await;
    refused(
        json!({"metadata": {"annotations": {"reservation.regcred.dev/attempt": null}}}),
        "its reservation",
    )
    .await;
    refused(json!({"metadata": {"annotations": {"reservation.regcred.dev/attempt": "{}"}}}), "what it says")
        .await;
    for finalizer in regcred::model::protection::PROTECTING_FINALIZERS {
        let hold = json!({"metadata": {"finalizers": [HELD, finalizer, "example.com/held"]}});
        kubectl.patch("secret", "used", &hold).await.succeeded();
        let kept = if finalizer == HELD { json!([]) } else { json!([HELD]) };
        refused(json!({"metadata": {"finalizers": kept}}), finalizer).await;
        let strip = json!({"metadata": {"finalizers": [HELD, "example.com/held"]}});
        kubectl.patch_as_controller("used", &strip).await.succeeded();
    }
    let replaced = kubectl.with(&["replace"], &mutable(namespace, "used")).await.failed();
    assert!(replaced.contains(FAILED), "{replaced}");

    let passes = async |patch: Value| drop(kubectl.patch("secret", "used", &patch).await.succeeded());
    passes(json!({"stringData": {"password": "other"}, "metadata": {"labels": {"team": "b"}}})).await;
    passes(json!({"metadata": {"finalizers": [HELD, "example.com/held", "example.com/more"]}})).await;
    passes(json!({"metadata": {"finalizers": [HELD, "example.com/held"]}})).await;
    let strip = json!({"metadata": {"finalizers": ["example.com/held"]}});
    kubectl.patch_as_controller("used", &strip).await.succeeded();

    kubectl.delete_secret("free").await.succeeded();
    assert!(kubectl.secret("free").await.is_none());
    kubectl.apply(&pod(namespace, "pod", &["busybox"])).await.succeeded();
    let new = kubectl.apply(&shoot(namespace, "new", &["other"])).await.failed();
    assert!(new.contains("failed calling webhook \"secret-references.regcred.dev\""), "{new}");
    let changed = kubectl.apply(&caching(namespace, "shoot", "other")).await.failed();
    assert!(changed.contains("failed calling webhook \"secret-references.regcred.dev\""), "{changed}");

    for patch in places_of_secrets() {
        let told = kubectl.patch("shoot", "shoot", &patch).await.failed();
        assert!(told.contains("failed calling webhook \"secret-references.regcred.dev\""), "{patch}: {told}");
    }

    let shoot_passes = async |patch: Value| drop(kubectl.patch("shoot", "shoot", &patch).await.succeeded());
    shoot_passes(json!({"metadata": {"labels": {"a": "b"}, "finalizers": ["gardener"]}})).await;
    shoot_passes(json!({"spec": {"hibernation": {"enabled": true}, "kubernetes": {"version": "1.37.1"}}}))
        .await;
    shoot_passes(json!({"spec": {"provider": {"workers": [{"name": "worker", "maximum": 3}]}}})).await;
    let status = r#"{"status": {"observedGeneration": 1}}"#;
    let of_status = ["patch", "shoot", "shoot", "--subresource=status", "--type=merge", "--patch", status];
    kubectl.run(&of_status).await.succeeded();
    kubectl.run(&["delete", "shoot", "shoot", "--wait=false"]).await.succeeded();
    shoot_passes(json!({"spec": {"resources": []}})).await;
    shoot_passes(json!({"metadata": {"finalizers": []}})).await;
    kubectl.run(&["wait", "--for=delete", "shoot/shoot", "--timeout=60s"]).await.succeeded();
}
