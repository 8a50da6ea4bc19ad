//! What is not ours, and what an admin has taken away.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::StatusCode;
use regcred::policy::Rule;
use serde_json::{Value, json};

use crate::harness::certificates::Authority;
use crate::harness::trust::{
    self, MUTATING, VALIDATING, configuration, delete_secret, until_replaced, until_settled,
};
use crate::harness::{ControlPlane, Installation};
use crate::turn;

/// An entry that never matches anything.
fn entry(name: &str, service: &str, bundle: Option<&str>) -> Value {
    let mut entry = json!({
        "name": name,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "rules": [{"apiGroups": ["nowhere.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
        "clientConfig": {"service": {"name": service, "namespace": "regcred-system", "path": "/", "port": 443}},
    });
    if let Some(bundle) = bundle {
        entry["clientConfig"]["caBundle"] = BASE64_STANDARD.encode(bundle).into();
    }
    entry
}

/// Makes regcred write all that it ever writes: a new authority, into every bundle of ours.
async fn stir(installation: &Installation) {
    let control_plane = installation.control_plane();
    let former = until_settled(installation).await;
    delete_secret(control_plane).await;
    until_replaced(control_plane, &former, trust::SOON).await;
    until_settled(installation).await;
}

async fn patch(control_plane: &ControlPlane, kind: &str, operations: &Value) {
    let operations = operations.to_string();
    let command = ["patch", kind, "regcred", "--type=json", "--patch", &operations];
    control_plane.kubectl(&command).await.succeeded();
}

/// The entries of a configuration without what regcred keeps there.
fn without_our_bundles(configuration: &Value) -> Value {
    let mut entries = configuration["webhooks"].clone();
    for entry in entries.as_array_mut().unwrap() {
        if entry["name"].as_str().unwrap().ends_with(".regcred.dev") {
            entry["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        }
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_stays_as_it_is_byte_for_byte() {
    let _turn = turn().await;
    let installation =
        Installation::start(&["--bundle-propagation=1s", "--webhook-hosts=regcred.example.com"]).await;
    let control_plane = installation.control_plane();
    let bundle = Authority::new("foreign").pem();
    let foreign = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        // It even calls our Service under a name of our domain, but it is not the configuration that is ours.
        "metadata": {"name": "foreign", "labels": {"app.kubernetes.io/name": "regcred"}},
        "webhooks": [entry("copied.regcred.dev", "regcred", None), entry("other.example.com", "other", Some(&bundle))],
    });
    control_plane.apply(&foreign.to_string()).await;
    let mut by_url = entry("other-host.regcred.dev", "any", None);
    by_url["clientConfig"] = json!({"url": "https://elsewhere.example:8443/mutate/pods"});
    let operations = json!([
        {"op": "add", "path": "/webhooks/0", "value": entry("first.example.com", "regcred", Some(&bundle))},
        {"op": "add", "path": "/webhooks/-", "value": entry("last.example.com", "other", None)},
        {"op": "add", "path": "/webhooks/-", "value": entry("other-service.regcred.dev", "other", None)},
        {"op": "add", "path": "/webhooks/-", "value": by_url},
    ]);
    patch(control_plane, MUTATING, &operations).await;
    let before = (
        configuration(control_plane, MUTATING, "foreign").await,
        configuration(control_plane, MUTATING, "regcred").await.unwrap(),
        configuration(control_plane, VALIDATING, "regcred").await.unwrap(),
    );

    stir_beside_foreign(&installation).await;

    assert_eq!(configuration(control_plane, MUTATING, "foreign").await, before.0);
    let mutating = configuration(control_plane, MUTATING, "regcred").await.unwrap();
    let validating = configuration(control_plane, VALIDATING, "regcred").await.unwrap();
    for (now, before) in [(&mutating, &before.1), (&validating, &before.2)] {
        assert_eq!(without_our_bundles(now), without_our_bundles(before));
        for field in ["uid", "labels", "annotations", "generateName", "ownerReferences", "finalizers"] {
            assert_eq!(now["metadata"][field], before["metadata"][field], "{field}");
        }
    }
    assert_ne!(mutating["metadata"]["resourceVersion"], before.1["metadata"]["resourceVersion"]);
    for (place, trusted) in [(0, Some(bundle.as_str())), (4, None), (5, None), (6, None)] {
        let there = &mutating["webhooks"][place]["clientConfig"]["caBundle"];
        assert_eq!(*there, trusted.map_or(Value::Null, |bundle| BASE64_STANDARD.encode(bundle).into()));
    }
}

/// Like [`stir`], where not every entry trusts us.
async fn stir_beside_foreign(installation: &Installation) {
    let control_plane = installation.control_plane();
    let former = trust::authority(control_plane).await.unwrap();
    delete_secret(control_plane).await;
    let new = until_replaced(control_plane, &former, trust::SOON).await;
    for replica in installation.replicas() {
        trust::until_served_by(&new, installation, &replica).await;
    }
    let ours = Rule::ALL.map(Rule::webhook);
    let bundles = trust::bundles(control_plane).await;
    let count = bundles
        .iter()
        .filter(|(name, bundle)| ours.contains(&name.as_str()) && bundle.contains(&new))
        .count();
    assert_eq!(count, ours.len(), "ours trust the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_took_away_stays_away_and_what_comes_back_is_made_right() {
    let _turn = turn().await;
    let installation = Installation::start(&["--bundle-propagation=1s"]).await;
    let control_plane = installation.control_plane();
    let position = control_plane.audit().position().await;
    patch(control_plane, VALIDATING, &json!([{"op": "remove", "path": "/webhooks/0"}])).await;
    stir(&installation).await;
    let validating = configuration(control_plane, VALIDATING, "regcred").await.unwrap();
    let is_removed = |entry: &Value| entry["name"] == "ephemeral-containers.regcred.dev";
    assert!(!validating["webhooks"].as_array().unwrap().iter().any(is_removed), "{validating}");

    control_plane.kubectl(&["delete", MUTATING, "regcred"]).await.succeeded();
    stir(&installation).await;
    // Longer than anything that follows from a change takes.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(configuration(control_plane, MUTATING, "regcred").await, None);
    for replica in installation.replicas() {
        assert_eq!(replica.get("/readyz").await.unwrap().0, StatusCode::OK);
    }
    let ours = "system:serviceaccount:regcred-system:regcred";
    let creates = control_plane.audit().since(position, |call| {
        call.user == ours
            && call.group == "admissionregistration.k8s.io"
            && ["create", "update"].contains(&call.verb.as_str())
    });
    assert!(creates.await.is_empty(), "it has not even tried");

    let manifests = format!("{}/manifests", env!("CARGO_MANIFEST_DIR"));
    control_plane.kubectl(&["apply", "-k", &manifests]).await.succeeded();
    let authority = until_settled(&installation).await;
    let bundles = trust::bundles(control_plane).await;
    assert_eq!(bundles.len(), Rule::ALL.len());
    assert!(bundles.iter().all(|(_, bundle)| bundle.contains(&authority)));
}
