//! What the protocol assumes, and what comes of it where that is not so: a write is stored later after it was admitted than
//! `--settle-time` says.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use crate::harness::User;
use crate::harness::replica::server_binary;
use crate::stage::{Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_that_is_stored_after_the_settle_time_can_have_lost_its_secret_and_people_are_told() {
    let stage = Stage::set_with("late", "--settle-time=2s").await;
    let secret = stage.create_secret("creds").await;
    let write = stage.admitted(|| stage.create_shoot("shoot", &secret)).await;
    until("the leader has given the Shoot up", async || stage.marks(&secret).await == Some((false, 0))).await;
    stage.delete_secret(&secret).await.unwrap().unwrap();
    stage.shoots.hold(false);
    write.await.unwrap().unwrap();
    assert!(stage.has_lost("shoot", &secret).await, "what is assumed is not needed");

    let dangling = async || stage.leader.metrics().await.sum("regcred_dangling_references", &[]);
    until("it is TOLD as a metric", async || dangling().await > 0.5).await;
    let client = stage.control_plane().client(User::Admin).await;
    let events: Api<Event> = Api::namespaced(client, &stage.namespace);
    let expected = format!(
        "Secret {}/creds, which spec.resources[0] names, does not exist: create it again, or point the Shoot at another",
        stage.namespace
    );
    until("it is TOLD as an Event on the Shoot", async || {
        let events = events.list(&ListParams::default()).await.unwrap().items;
        events.iter().any(|event| {
            let regarding = event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref());
            regarding == Some("shoot")
                && event.reason.as_deref() == Some("SecretMissing")
                && event.note.as_ref() == Some(&expected)
        })
    })
    .await;
    let used = refs(&stage).await;
    assert!(used.contains(&format!("Shoot {}/shoot (spec.resources[0])", stage.namespace)), "{used}");

    stage.create_secret("creds").await;
    until("it is mended", async || {
        dangling().await < 0.5 && stage.marks(&secret).await.is_some_and(|(is_marked, _)| is_marked)
    })
    .await;
}

/// What `regcred refs` says of the Secret that is not there.
async fn refs(stage: &Stage) -> String {
    let kubeconfig = stage.control_plane().kubeconfig(User::Admin);
    let output = tokio::process::Command::new(server_binary())
        .args(["refs", "secret", &format!("{}/creds", stage.namespace)])
        .env("KUBECONFIG", kubeconfig)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
