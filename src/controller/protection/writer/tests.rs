//! What is asked of the API server when a plan is carried out. What the API server makes of it is shown elsewhere.

use std::sync::Mutex;
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::cluster::tests::{Answer, client, failure};
use crate::events::Limits;
use crate::model::protection::RESERVATION_PREFIX;
use crate::model::scope::Scope;
use crate::telemetry::event_metrics::EventMetrics;

/// Method, whether metadata alone is asked for, and body of each request.
type Requests = Arc<Mutex<Vec<(String, bool, Value)>>>;

const PLACE: &str = "/api/v1/namespaces/garden-dev/secrets/docker-creds";

fn secret() -> ObjectKey {
    ObjectKey::new("garden-dev", "docker-creds")
}

fn guard() -> Guard {
    Guard { uid: "1".into(), resource_version: "7".into() }
}

fn leading() -> Leadership {
    Leadership::until(Instant::now() + Duration::from_mins(1))
}

fn metadata(labels: &Value, deleted_at: Option<&str>) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {
            "namespace": "garden-dev", "name": "docker-creds", "uid": "1", "resourceVersion": "7", "labels": labels,
            "deletionTimestamp": deleted_at,
        },
    })
}

/// A writer whose API server answers a GET and a PATCH so; and what it is asked.
fn writer(got: Answer, patched: Answer, leadership: Leadership) -> (Writer, Requests) {
    let requests = Requests::default();
    let asked = Arc::clone(&requests);
    let client = client(move |request| {
        let (asked, got, patched) = (Arc::clone(&asked), got.clone(), patched.clone());
        async move {
            let (parts, body) = request.into_parts();
            assert_eq!(parts.uri.path(), PLACE);
            let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
            let accepted = parts.headers.get(http::header::ACCEPT).unwrap().to_str().unwrap();
            let is_metadata = accepted.contains("as=PartialObjectMetadata;");
            asked.lock().unwrap().push((parts.method.to_string(), is_metadata, body));
            if parts.method == http::Method::GET { got } else { patched }
        }
    });
    let metrics = EventMetrics::register(&prometheus::Registry::new()).unwrap();
    let (recorder, _) = Recorder::new(client.clone(), "regcred-0", Limits::default(), metrics);
    let inquiry = Inquiry::new(client.clone(), Scope::All);
    (Writer { client, inquiry, leadership, recorder }, requests)
}

fn agreeing(leadership: Leadership) -> (Writer, Requests) {
    let there = Some((200, metadata(&json!({}), None)));
    writer(there.clone(), there, leadership)
}

fn annotations() -> Vec<Arc<str>> {
    ["a", "b"].map(|attempt| format!("{RESERVATION_PREFIX}{attempt}").into()).into()
}

#[rstest]
#[case::withdraw(
    Plan::Withdraw(guard(), annotations()),
    &["/metadata/annotations/reservation.regcred.dev~1a", "/metadata/annotations/reservation.regcred.dev~1b"]
)]
#[case::take_off(Plan::TakeOff(guard()), &["/metadata/labels/regcred.dev~1in-use"])]
#[tokio::test]
async fn what_is_taken_off_is_taken_off_the_version_that_was_seen(
    #[case] plan: Plan,
    #[case] removed: &[&str],
) {
    let (writer, requests) = agreeing(leading());
    assert_eq!(writer.carry_out(&secret(), plan).await, Outcome::Written);
    let mut expected = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": "1"}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}),
    ];
    expected.extend(removed.iter().map(|path| json!({"op": "remove", "path": path})));
    assert_eq!(*requests.lock().unwrap(), [("PATCH".to_owned(), true, expected.into())]);
}

#[tokio::test]
async fn the_mark_is_put_on_the_very_secret_that_was_looked_at() {
    let (writer, requests) = agreeing(leading());
    assert_eq!(writer.carry_out(&secret(), Plan::Label).await, Outcome::Written);
    let patch = json!({"metadata": {"uid": "1", "labels": {"regcred.dev/in-use": "true"}}});
    let expected = [("GET".to_owned(), true, Value::Null), ("PATCH".to_owned(), true, patch)];
    assert_eq!(*requests.lock().unwrap(), expected);
}

/// As the API server says it of a name that it does not know.
fn absent() -> (u16, Value) {
    let (code, mut status) = failure(404, "secrets \"docker-creds\" not found");
    status["reason"] = "NotFound".into();
    (code, status)
}

/// What there is instead of a Secret that is to be marked.
#[rstest]
#[case::nothing(Some(absent()), Some(Absence::Gone))]
#[case::one_that_goes(Some((200, metadata(&json!({}), Some("2026-01-01T00:00:00Z")))), Some(Absence::Going))]
#[case::one_that_is_marked(Some((200, metadata(&json!({"regcred.dev/in-use": "true"}), None))), None)]
#[tokio::test]
async fn nothing_is_written_where_nothing_is_to_be_marked(
    #[case] got: Answer,
    #[case] expected: Option<Absence>,
) {
    let (writer, requests) = writer(got, None, leading());
    let found = match writer.carry_out(&secret(), Plan::Label).await {
        Outcome::Gone(absence, _) => Some(absence),
        Outcome::Overtaken => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(found, expected);
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[rstest]
#[case::label(Plan::Label, &["GET"])]
#[case::withdraw(Plan::Withdraw(guard(), annotations()), &[])]
#[case::take_off(Plan::TakeOff(guard()), &[])]
#[tokio::test]
async fn whoever_does_not_lead_any_more_begins_no_write(#[case] plan: Plan, #[case] expected: &[&str]) {
    let (writer, requests) = agreeing(Leadership::until(Instant::now()));
    assert_eq!(writer.carry_out(&secret(), plan).await, Outcome::Overtaken);
    let asked: Vec<String> = requests.lock().unwrap().iter().map(|(method, ..)| method.clone()).collect();
    assert_eq!(asked, expected);
}

#[rstest]
#[case::another_version(Some(failure(422, "the server rejected our request")), Outcome::Overtaken)]
#[case::conflict(Some(failure(409, "the object has been modified")), Outcome::Overtaken)]
#[case::gone(Some(absent()), Outcome::Overtaken)]
#[case::no_right(Some(failure(403, "forbidden")), Outcome::Failed)]
#[case::down(None, Outcome::Failed)]
#[tokio::test]
async fn what_has_changed_meanwhile_is_looked_at_again_and_other_errors_make_a_pause(
    #[case] patched: Answer,
    #[case] expected: Outcome,
) {
    let (writer, _) = writer(None, patched, leading());
    assert_eq!(writer.carry_out(&secret(), Plan::TakeOff(guard())).await, expected);
}
