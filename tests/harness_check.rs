//! The bench itself: what the other tests take for granted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod harness;

use harness::oracle::{Oracle, Question};
use harness::{ControlPlane, User};

#[tokio::test]
async fn a_secret_can_be_created_and_read_by_those_who_may() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("users").await;
    let create = [
        "create",
        "secret",
        "generic",
        "s",
        "--from-literal=a=b",
        "-n",
        &namespace,
    ];
    control_plane
        .kubectl_as(User::Developer, &create)
        .await
        .succeeded();
    let get = ["get", "secret", "s", "-n", &namespace, "-o", "json"];
    assert_eq!(control_plane.kubectl(&get).await.json()["data"]["a"], "Yg==");
    let refusal = control_plane.kubectl_as(User::Stranger, &get).await.failed();
    assert!(refusal.contains("Forbidden"), "{refusal}");
}

#[test]
fn the_oracle_knows_what_the_kubelet_makes_of_busybox() {
    let answer = Oracle::start().ask(Question::Image("busybox".to_owned()));
    assert_eq!(
        (answer.repository.as_str(), answer.tag.as_str()),
        ("docker.io/library/busybox", "latest")
    );
}
