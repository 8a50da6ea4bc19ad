//! What all tests together leave behind: the calls in the audit log, the servers' logs and metrics, what people
//! were told. The name of this module makes it the last to begin.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use serde_json::json;

use super::scene::{Scene, secrets};
use super::talk;
use crate::harness::credentials::pod;

const ACCOUNT: &str = "system:serviceaccount:regcred-system:regcred";
/// In every password of these tests.
const CANARY: &str = "password-of-";

/// What base64 makes of a text wherever it stands in a longer one: all characters that no neighbour decides.
fn encodings(plain: &str) -> Vec<String> {
    let at = |shift: usize| {
        let bytes = [&b"..."[..shift], plain.as_bytes()].concat();
        let encoded = BASE64_STANDARD_NO_PAD.encode(&bytes);
        encoded[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
    };
    (0..3).map(at).collect()
}

/// The first line that holds the canary or what base64 makes of it, once or twice over.
fn first_password(text: &str) -> Option<&str> {
    let once = encodings(CANARY);
    let twice: Vec<String> = once.iter().flat_map(|once| encodings(once)).collect();
    let secrets: Vec<String> = [CANARY.to_owned()].into_iter().chain(once).chain(twice).collect();
    text.lines().find(|line| secrets.iter().any(|secret| line.contains(secret.as_str())))
}

pub(super) fn assert_tells_no_password(whose: &str, text: &str) {
    assert_eq!(first_password(text), None, "{whose} tells a password");
}

/// What the API server answers to a call that should not have been made: without the right, or of the wrong form.
const WRONG: [u64; 7] = [400, 401, 403, 405, 406, 413, 415];

#[tokio::test]
async fn nothing_that_regcred_does_is_refused() {
    let scene = Scene::enter().await;
    // A copy that it creates, and one that it finds another Secret in the place of.
    let (namespace, occupied) = (scene.namespace("traced").await, scene.namespace("occupied").await);
    let offer = scene.offer_unseen("traced", json!({"namespaces": [namespace, occupied]})).await;
    scene.known(&namespace, &offer).await;
    scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    scene.create(&secrets(&occupied), &json!({"metadata": {"name": offer.copy()}})).await;
    scene.create_pod(&pod(&occupied, "app", &[&offer.image()])).await.object();
    scene.the_others_are_over().await;

    let calls = scene.control_plane().audit().since(0, |call| call.user == ACCOUNT).await;
    assert!(calls.iter().any(|call| call.verb == "create" && call.namespace == namespace));
    let refused: Vec<_> = calls
        .iter()
        .filter(|call| WRONG.contains(&call.code) && !Scene::refusals_expected(&call.namespace))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test]
async fn no_password_is_in_a_log_a_metric_an_audit_annotation_or_a_warning() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("canary").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    scene.the_others_are_over().await;
    let copy = scene.secret(&namespace, &offer.copy()).await.to_string();
    assert!(first_password(&copy).is_some(), "a password is found where one is");

    for replica in scene.installation().replicas() {
        let log = replica.log();
        assert!(log.contains(&offer.copy()), "{} logs what it decides: {log}", replica.name());
        assert_tells_no_password(replica.name(), &log);
        assert_tells_no_password("a metric", replica.metrics().await.text());
    }
    let audit = std::fs::read_to_string(scene.control_plane().folder().join("audit.log")).unwrap();
    assert_tells_no_password("the audit log", &audit);
    assert_tells_no_password("a warning", &talk::said().join("\n"));
}
