//! What people see on a real API server: pods with their pull Secrets, warnings and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use harness::credentials::{registry_credential, registry_secret};
use harness::{ControlPlane, Installation};
use serde_json::{Value, json};

/// A registry host that no other test uses, its Secret, and a credential for these namespaces.
async fn offer(control_plane: &ControlPlane, name: &str, others: Value) -> String {
    let registry = format!("{name}.example");
    let sources = control_plane.namespace("sources").await;
    control_plane.apply(&registry_secret(&sources, name, &[&registry]).to_string()).await;
    control_plane.apply(&registry_credential(name, (&sources, name), others).to_string()).await;
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_a_private_image_gets_its_pull_secret_and_the_copy_is_there() {
    let control_plane = Installation::shared().await.control_plane();
    let namespace = control_plane.namespace("first").await;
    let registry = offer(control_plane, "first-light", json!({"namespaces": [namespace]})).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let image = format!("{registry}/team/app:1");
    let run = control_plane.kubectl(&["run", "app", "--image", &image, "--namespace", &namespace]).await;
    println!("{run:?}");
    let pod =
        control_plane.kubectl(&["get", "pod", "app", "--namespace", &namespace, "-o", "json"]).await.json();
    assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": "regcred-first-light"}]));
    let copy = ["get", "secret", "regcred-first-light", "--namespace", &namespace, "-o", "yaml"];
    println!("{}", control_plane.kubectl(&copy).await.succeeded());
}
