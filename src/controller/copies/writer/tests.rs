//! What is asked of the API server when a plan is carried out. What the API server makes of it is shown elsewhere.

use std::sync::Mutex;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::cluster::pending::Pending;
use crate::cluster::tests::client;
use crate::model::copy::tests::credential;
use crate::model::credential::Credential;
use crate::model::source::tests::source_secret;
use crate::telemetry::copy_metrics::CopyMetrics;

#[test]
fn what_came_to_nothing_is_not_tried_again_at_once() {
    let idle = |outcome: &Outcome| outcome.look_again_after() != Some(Duration::ZERO);
    let idle: Vec<Outcome> = Outcome::ALL.into_iter().filter(idle).collect();
    assert_eq!(idle, [Outcome::Kept, Outcome::Overtaken, Outcome::NamespaceGone, Outcome::Failed]);
    assert_eq!(Outcome::NamespaceGone.look_again_after(), None, "only the watch brings another answer");
}

/// Method, path and body of each request.
type Requests = Arc<Mutex<Vec<(String, String, Value)>>>;

const PLACE: &str = "/api/v1/namespaces/team-a/secrets/regcred-ghcr";
const PODS: &str = "/api/v1/namespaces/team-a/pods";
const NAMESPACE: &str = "/api/v1/namespaces/team-a";

/// A writer whose API server agrees to everything, and has these pods and a namespace with a label; and what it is asked.
fn writer(pods: &[Value], leadership: Leadership) -> (Writer, Requests) {
    let requests = Requests::default();
    let (asked, pods) = (Arc::clone(&requests), pods.to_vec());
    let client = client(move |request| {
        let (asked, pods) = (Arc::clone(&asked), pods.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            asked.lock().unwrap().push((parts.method.to_string(), parts.uri.path().to_owned(), body));
            let answer = match parts.uri.path() {
                PODS => {
                    json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": pods})
                }
                NAMESPACE => json!({
                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                    "metadata": {"name": "team-a", "labels": {"pull": "now"}},
                }),
                _ if parts.method == http::Method::DELETE => {
                    json!({"apiVersion": "v1", "kind": "Status", "status": "Success"})
                }
                _ => json!({
                    "apiVersion": "v1", "kind": "Secret",
                    "metadata": {"namespace": "team-a", "name": "regcred-ghcr", "uid": "2", "resourceVersion": "8"},
                }),
            };
            Some((200, answer))
        }
    });
    let index = Arc::new(Index::new("regcred-system"));
    let metrics = CopyMetrics::register(&prometheus::Registry::new()).unwrap();
    let carrier = Carrier::new(client.clone(), Arc::clone(&index), Pending::default(), metrics);
    (Writer { client, index, carrier, leadership }, requests)
}

fn wanted() -> Wanted {
    Wanted { credential: credential().into(), place: ObjectKey::new("team-a", "regcred-ghcr") }
}

fn guard() -> Guard {
    Guard { uid: "2".into(), resource_version: "7".into() }
}

/// A plan for a copy whose credential is offered so, and not here as far as is known.
fn withdraw(offer: &Value, is_adopted: bool) -> Plan {
    let mut object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}},
    });
    object["spec"].as_object_mut().unwrap().append(&mut offer.as_object().unwrap().clone());
    let credential = Credential::parse(&serde_json::from_value(object).unwrap()).unwrap();
    Plan::Withdraw {
        wanted: Wanted { credential: credential.into(), ..wanted() },
        guard: guard(),
        is_adopted,
    }
}

/// Every plan that writes, and what it is called.
fn plans() -> Vec<(&'static str, Plan)> {
    let source = source_secret(r#"{"auths":{"ghcr.io":{}}}"#);
    let key = || wanted().key();
    vec![
        ("create", Plan::Create(wanted())),
        ("update", Plan::Update { wanted: wanted(), guard: guard(), source, hold: Hold::Owned }),
        ("recreate", Plan::Recreate(wanted(), guard())),
        ("mark", Plan::Mark(wanted(), guard())),
        ("unmark", Plan::Unmark(wanted(), guard())),
        ("delete", Plan::Delete(key(), guard())),
        ("withdraw", withdraw(&json!({"namespaces": ["other"]}), false)),
        ("withdraw adopted", withdraw(&json!({"namespaces": ["other"]}), true)),
        ("delete unneeded", Plan::DeleteUnneeded(wanted(), guard())),
        ("release", Plan::Release(key(), guard())),
    ]
}

fn taken(requests: &Requests) -> Vec<(String, String, Value)> {
    std::mem::take(&mut *requests.lock().unwrap())
}

#[tokio::test]
async fn every_change_and_every_deletion_names_the_version_that_it_was_decided_on() {
    let (writer, requests) = writer(&[], Leadership::until(Instant::now() + Duration::from_mins(1)));
    let mut guarded = Vec::new();
    for (name, plan) in plans() {
        writer.carry_out(plan).await;
        for (method, _, body) in taken(&requests) {
            let is_guarded = match method.as_str() {
                "DELETE" => body["preconditions"] == json!({"uid": "2", "resourceVersion": "7"}),
                "PATCH" => {
                    body[0] == json!({"op": "test", "path": "/metadata/uid", "value": "2"})
                        && body[1] == json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"})
                }
                // It never touches what is there.
                "GET" | "POST" => continue,
                other => panic!("{other}"),
            };
            assert!(is_guarded, "{name}: {body}");
            guarded.push(name);
        }
    }
    let withdraw = ["withdraw", "withdraw adopted"];
    let others = ["update", "recreate", "mark", "unmark", "delete", "delete unneeded", "release"];
    let (withdrawn, guarded): (Vec<&str>, Vec<&str>) =
        guarded.into_iter().partition(|name| withdraw.contains(name));
    assert_eq!((withdrawn, guarded), (withdraw.into(), others.into()));
}

#[tokio::test]
async fn whoever_does_not_lead_any_more_begins_no_write() {
    let (writer, requests) = writer(&[], Leadership::until(Instant::now()));
    for (name, plan) in plans() {
        assert_eq!(writer.carry_out(plan).await, Outcome::Overtaken, "{name}");
        let begun: Vec<_> = taken(&requests).into_iter().filter(|(method, ..)| method != "GET").collect();
        assert_eq!(begun, [], "{name}");
    }
}

/// A pod that has the image, or one that names the Secret.
fn pod(image: &str, names: &str) -> Value {
    json!({
        "metadata": {"namespace": "team-a", "name": "app", "uid": "5", "resourceVersion": "6"},
        "spec": {"containers": [{"name": "app", "image": image}], "imagePullSecrets": [{"name": names}]},
    })
}

#[rstest]
#[case::nobody(&[], &[("GET", PODS), ("DELETE", PLACE)])]
#[case::a_pod_that_names_it(&[pod("ghcr.io/app", "regcred-ghcr")], &[("GET", PODS), ("PATCH", PLACE)])]
#[tokio::test]
async fn a_marked_copy_goes_only_if_no_pod_that_there_is_now_needs_it(
    #[case] pods: &[Value],
    #[case] expected: &[(&str, &str)],
) {
    let (writer, requests) = writer(pods, Leadership::until(Instant::now() + Duration::from_mins(1)));
    writer
        .index
        .apply_namespace(&kube::core::ObjectMeta { name: Some("team-a".into()), ..Default::default() });
    writer.carry_out(Plan::DeleteUnneeded(wanted(), guard())).await;
    let asked = taken(&requests);
    let asked: Vec<(&str, &str)> =
        asked.iter().map(|(method, path, _)| (method.as_str(), path.as_str())).collect();
    assert_eq!(asked, expected);
}

#[rstest]
#[case::the_spec_alone_says_no(json!({"namespaces": ["other"]}), &[("DELETE", PLACE)])]
#[case::the_labels_say_no(
    json!({"namespaceSelector": {"matchLabels": {"pull": "before"}}}),
    &[("GET", NAMESPACE), ("DELETE", PLACE)]
)]
#[case::the_watch_is_late(json!({"namespaceSelector": {"matchLabels": {"pull": "now"}}}), &[("GET", NAMESPACE)])]
#[tokio::test]
async fn a_copy_that_is_not_offered_any_more_goes_only_if_the_namespace_as_it_is_now_confirms_it(
    #[case] offer: Value,
    #[case] expected: &[(&str, &str)],
) {
    let (writer, requests) = writer(&[], Leadership::until(Instant::now() + Duration::from_mins(1)));
    writer.carry_out(withdraw(&offer, false)).await;
    let asked = taken(&requests);
    let asked: Vec<(&str, &str)> =
        asked.iter().map(|(method, path, _)| (method.as_str(), path.as_str())).collect();
    assert_eq!(asked, expected);
}
