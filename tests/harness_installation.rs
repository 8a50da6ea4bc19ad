//! An installation on the bench: replicas behind the Service, their end, their replacement, their way to the
//! API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::sync::Arc;

use harness::network::Mode;
use harness::{Installation, User, credentials};
use http::StatusCode;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;

/// Each replica's pause before it drains; the Deployment's default of 10 s would only make this test longer.
const QUICK_END: &[&str] = &["--drain-pause=2s"];

#[tokio::test]
async fn reviews_reach_the_replicas_and_no_pod_fails_while_they_are_replaced() {
    let installation = Installation::start(QUICK_END).await;
    let control_plane = installation.control_plane();
    let namespace = control_plane.namespace("replaced").await;
    let before = fail_open(&installation).await;
    let (first, second) = (&installation.replicas()[0], &installation.replicas()[1]);
    assert_eq!(first.get("/readyz").await.unwrap().0, StatusCode::OK);
    assert!(first.metrics().await.text().contains("regcred_"), "its metrics have the project's prefix");

    let pods = pods(&installation, &namespace).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let creating = {
        let (pods, stop, namespace) = (pods.clone(), Arc::clone(&stop), namespace.clone());
        tokio::spawn(async move {
            let mut created = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let name = format!("during-{created}");
                pods.create(&PostParams::default(), &pod(&namespace, &name)).await.unwrap();
                created += 1;
            }
            created
        })
    };
    installation.roll().await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let created = creating.await.unwrap();
    assert!(created > 10, "only {created} pods were created meanwhile");
    assert!(first.has_ended() && second.has_ended());
    assert!((fail_open(&installation).await - before).abs() < 0.5, "no review failed");

    for replica in installation.replicas() {
        replica.backend().set_mode(Mode::Refused);
    }
    pods.create(&PostParams::default(), &pod(&namespace, "cut")).await.unwrap();
    assert!(fail_open(&installation).await > before, "the way is cut, and the pod comes up all the same");
    let account = "system:serviceaccount:regcred-system:regcred";
    let calls = control_plane.audit().count(|call| call.user == account).await;
    assert!(calls > 0, "the servers call the API server as their ServiceAccount");
}

async fn fail_open(installation: &Installation) -> f64 {
    installation.control_plane().metrics().await.sum("apiserver_admission_webhook_fail_open_count", &[])
}

async fn pods(installation: &Installation, namespace: &str) -> Api<Pod> {
    Api::namespaced(installation.control_plane().client(User::Developer).await, namespace)
}

fn pod(namespace: &str, name: &str) -> Pod {
    serde_json::from_value(credentials::pod(namespace, name, &["ghcr.io/private/image"])).unwrap()
}
