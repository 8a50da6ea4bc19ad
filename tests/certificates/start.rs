//! The first start, on a cluster that has never seen regcred.

use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use serde_json::json;

use crate::harness::credentials::{pod, registry_credential, registry_secret};
use crate::harness::trust::{self, until_settled};
use crate::harness::{Installation, User};
use crate::{figure, turn};

/// From the installation to a pod with its Secret.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn after_one_command_a_pod_gets_its_secret_within_a_minute_and_all_replicas_share_one_authority() {
    let _turn = turn().await;
    let installation = Installation::install(&[]).await;
    let control_plane = installation.control_plane();
    control_plane.apply(&registry_secret("default", "source", &["registry.example"]).to_string()).await;
    let namespace = control_plane.namespace("team").await;
    let offer = json!({"namespaces": [namespace]});
    let credential = registry_credential("first", ("default", "source"), offer);
    control_plane.apply(&credential.to_string()).await;

    let begun = Instant::now();
    // Both at once, as the Deployment starts them.
    installation.add_replicas().await;
    let mut number = 0;
    loop {
        number += 1;
        let probe = pod(&namespace, &format!("pod-{number}"), &["registry.example/app:1"]);
        control_plane.apply_as(User::Developer, &probe.to_string()).await.succeeded();
        let get = ["get", "pod", &format!("pod-{number}"), "--namespace", &namespace, "-o", "json"];
        let created = control_plane.kubectl(&get).await.json();
        if created["spec"]["imagePullSecrets"] == json!([{"name": "regcred-first"}]) {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "no pull Secret after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    figure(&format!("a pod has its pull Secret {:.1?} after the start of two servers", begun.elapsed()));

    let authority = until_settled(&installation).await;
    for (name, bundle) in trust::bundles(control_plane).await {
        assert_eq!(bundle, std::slice::from_ref(&authority), "{name} trusts the one authority there is");
    }
    assert!(trust::former(control_plane).await.is_empty());
    let year = Duration::from_hours(365 * 24);
    let left = authority.not_after().duration_since(SystemTime::now()).unwrap();
    assert!(left <= year && left + Duration::from_mins(10) > year, "{left:?}");
    for replica in installation.replicas() {
        let metrics = replica.metrics().await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let leaf = metrics.sum("regcred_server_certificate_not_after_timestamp_seconds", &[]) - now;
        assert!(leaf <= 7.0 * 86_400.0 && leaf > 6.0 * 86_400.0, "a leaf for a week: {leaf}");
        let told = metrics.sum("regcred_certificate_authority_not_after_timestamp_seconds", &[]) - now;
        assert!((told - left.as_secs_f64()).abs() < 600.0, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_not_written_again_whoever_looks() {
    let _turn = turn().await;
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    let authority = until_settled(&installation).await;
    let position = control_plane.audit().position().await;
    // Changes that change nothing, and a third replica that finds everything there.
    for (kind, name) in
        [("secret", trust::SECRET), (trust::MUTATING, "regcred"), (trust::VALIDATING, "regcred")]
    {
        let annotate = ["annotate", kind, name, "--namespace", "regcred-system", "somebody=looked"];
        control_plane.kubectl(&annotate).await.succeeded();
    }
    let third = installation.add_replica().await;
    trust::until_served_by(&authority, &installation, &third).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ours = "system:serviceaccount:regcred-system:regcred";
    let writes = control_plane
        .audit()
        // A review of whose account it is stores nothing.
        .since(position, |call| {
            call.user == ours
                && !["get", "list", "watch"].contains(&call.verb.as_str())
                && call.resource != "selfsubjectreviews"
        });
    let writes: Vec<_> = writes.await.into_iter().map(|call| (call.verb, call.resource, call.code)).collect();
    // The third one's leaf may end a moment later than what was recorded.
    assert!(writes.len() <= 1 && writes.iter().all(|(_, resource, _)| resource == "secrets"), "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_webhook_configurations_it_is_ready_and_without_rights_it_is_not() {
    let _turn = turn().await;
    let installation = Installation::install(&[]).await;
    let control_plane = installation.control_plane();
    let delete = ["delete", trust::MUTATING, "regcred"];
    control_plane.kubectl(&delete).await.succeeded();
    control_plane.kubectl(&["delete", trust::VALIDATING, "regcred"]).await.succeeded();
    installation.add_replica().await;
    until_settled(&installation).await;

    control_plane
        .kubectl(&["delete", "rolebinding", "regcred", "--namespace", "regcred-system"])
        .await
        .succeeded();
    control_plane.kubectl(&["delete", "clusterrolebinding", "regcred"]).await.succeeded();
    let powerless = installation.launch().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (status, why) = powerless.get("/readyz").await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(why.contains("certificate"), "{why}");
    let log = powerless.log();
    assert!(log.contains("Secret regcred-authority could not be read"), "{log}");
    // Who served before goes on serving.
    assert_eq!(installation.replicas()[0].get("/readyz").await.unwrap().0, StatusCode::OK);
}
