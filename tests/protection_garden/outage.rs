//! While the API server of Shoots is away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::gardener::shoot;
use crate::harness::trust::{self, MUTATING, VALIDATING, configuration};
use crate::harness::{ControlPlane, Garden, Options};
use crate::{stage, turn};

/// What comes by a watch comes within a moment; a busy machine takes longer.
const SOON: Duration = Duration::from_secs(30);

async fn delete(
    control_plane: &ControlPlane,
    namespace: &str,
    name: &str,
) -> crate::harness::kubectl::Output {
    control_plane.kubectl(&["delete", "secret", name, "--namespace", namespace, "--wait=false"]).await
}

/// Waits until a Secret has the mark, and no reservation any more: the leader has seen the write through.
async fn until_taken_up(control_plane: &ControlPlane, namespace: &str, name: &str) {
    let get = ["get", "secret", name, "--namespace", namespace, "-o", "jsonpath={.metadata}"];
    let begun = Instant::now();
    loop {
        let metadata = control_plane.kubectl(&get).await.succeeded();
        if metadata.contains("regcred.dev/in-use") && !metadata.contains("reservation.regcred.dev/") {
            return;
        }
        assert!(begun.elapsed() < SOON, "{name} is as it was after {SOON:?}: {metadata}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_marked_stays_for_as_long_as_nobody_can_tell_and_what_is_not_goes_with_a_warning() {
    let _turn = turn().await;
    let garden = Garden::start(Options::default(), &[]).await;
    let first = garden.installation().control_plane();
    let project = garden.project().await;
    stage::guarded(&garden, &project).await;
    for name in ["used", "free"] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": project, "name": name},
            "stringData": {"username": "john", "password": "swordfish"},
        });
        first.apply(&secret.to_string()).await;
    }
    first.apply(&shoot(&project, "shoot", &["used"]).to_string()).await;
    until_taken_up(first, &project, "used").await;
    let refused = delete(first, &project, "used").await.failed();
    assert!(refused.contains("is still used by Shoot"), "{refused}");

    garden.second().stop_api_server().await;
    let refused = delete(first, &project, "used").await.failed();
    assert!(refused.contains("could not be looked at") && refused.contains("try again"), "{refused}");
    assert!(refused.contains("(ServiceUnavailable)"), "{refused}");
    let answer = delete(first, &project, "free").await;
    assert!(
        answer.stderr.contains("Warning: ") && answer.stderr.contains("could not see"),
        "{}",
        answer.stderr
    );
    answer.succeeded();

    garden.second().start_api_server().await;
    let begun = Instant::now();
    loop {
        let refused = delete(first, &project, "used").await.failed();
        if refused.contains("is still used by Shoot") {
            break;
        }
        assert!(refused.contains("try again") && begun.elapsed() < SOON, "{refused}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let remove = ["delete", "shoot", "shoot", "--namespace", &project];
    first.kubectl(&remove).await.succeeded();
    delete(first, &project, "used").await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_calls_by_url_is_kept_trusted_where_its_host_is_ours_and_only_there() {
    let _turn = turn().await;
    let garden = Garden::start(Options::default(), &["--bundle-propagation=1s"]).await;
    let first = garden.installation().control_plane();
    let elsewhere = json!({
        "name": "elsewhere.regcred.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "failurePolicy": "Ignore", "clientConfig": {"url": "https://127.0.0.2:8443/mutate/pods"},
        "rules": [{"apiGroups": ["nowhere.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
    });
    let add = json!([{"op": "add", "path": "/webhooks/0", "value": elsewhere}]).to_string();
    first.kubectl(&["patch", MUTATING, "regcred", "--type=json", "--patch", &add]).await.succeeded();
    let former = trust::authority(first).await.unwrap();
    trust::delete_secret(first).await;
    let new = trust::until_replaced(first, &former, trust::SOON).await;
    for replica in garden.installation().replicas() {
        trust::until_served_by(&new, garden.installation(), &replica).await;
    }
    let mut ours = 0;
    for (name, bundle) in trust::bundles(first).await {
        assert_eq!(bundle.contains(&new), name != "elsewhere.regcred.dev", "{name}");
        ours += usize::from(bundle.contains(&new));
    }
    assert_eq!(ours, regcred::policy::Rule::ALL.len());
    let mutating = configuration(first, MUTATING, "regcred").await.unwrap();
    assert_eq!(mutating["webhooks"][0]["clientConfig"], elsewhere["clientConfig"]);
    let validating = configuration(first, VALIDATING, "regcred").await.unwrap();
    for entry in validating["webhooks"].as_array().unwrap() {
        assert_eq!(entry["clientConfig"]["service"], Value::Null, "{}", entry["name"]);
    }
}
