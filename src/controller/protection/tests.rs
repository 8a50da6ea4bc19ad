//! The way from what the watches show to what is written, with an API server that answers as a test wants it to.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::{Answer, client, failure};
use crate::events::Limits;
use crate::model::protection::{IN_USE_LABEL, RESERVATION_PREFIX};
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};
use crate::model::scope::Scope;
use crate::telemetry::event_metrics::EventMetrics;

const NAMESPACE: &str = "/api/v1/namespaces/garden-dev/secrets/";
/// How long after a reservation a write may still come, in these tests.
const SETTLE: Duration = Duration::from_millis(300);

fn secret(name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {
            "namespace": "garden-dev", "name": name, "uid": "1", "resourceVersion": "7", "annotations": annotations,
        },
    })
}

fn marked(name: &str, annotations: &Value) -> Value {
    let mut secret = secret(name, annotations);
    secret["metadata"]["labels"] = json!({IN_USE_LABEL: "true"});
    secret
}

/// Requests other than those of the watch: method, name of the Secret, body.
type Requests = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A leader whose API server has these marked Secrets, and any other that is asked for.
fn protection(marked: Vec<Value>) -> (Protection, ProtectionMetrics, Requests) {
    let requests = Requests::default();
    let asked = Arc::clone(&requests);
    let client = client(move |request| {
        let (asked, marked) = (Arc::clone(&asked), marked.clone());
        async move {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default();
            let Some(name) = parts.uri.path().strip_prefix(NAMESPACE) else {
                return watched(query, &marked);
            };
            let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
            asked.lock().unwrap().push((parts.method.to_string(), name.to_owned(), body));
            Some((200, secret(name, &json!({}))))
        }
    });
    let registry = prometheus::Registry::new();
    let (recorder, _) = Recorder::new(
        client.clone(),
        "regcred-0",
        Limits::default(),
        EventMetrics::register(&registry).unwrap(),
    );
    let metrics = ProtectionMetrics::register(&registry).unwrap();
    let protection = Protection {
        index: Arc::new(Index::new("regcred-system")),
        inquiry: Inquiry::new(client.clone(), Scope::All),
        client,
        changes: Changes::default(),
        leadership: Leadership::until(Instant::now() + Duration::from_mins(1)),
        settle: SETTLE,
        recorder,
        metrics: metrics.clone(),
    };
    (protection, metrics, requests)
}

/// The list comes in pages, and then nothing.
fn watched(query: &str, marked: &[Value]) -> Answer {
    assert!(query.contains("labelSelector=regcred.dev%2Fin-use"), "{query}");
    match (query.contains("sendInitialEvents"), query.contains("watch=true")) {
        (true, _) => Some(failure(400, "not served")),
        (false, true) => None,
        (false, false) => Some((
            200,
            json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                "metadata": {"resourceVersion": "9"}, "items": marked,
            }),
        )),
    }
}

fn point_to(index: &Index, names: &[&str]) {
    for name in names {
        let referrer = Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", name) };
        let secrets = vec![Reference::new(ObjectKey::new("garden-dev", name), "spec.resources[0]")];
        index.apply_referrer(referrer, Pointers::to(secrets));
    }
}

/// Leads for a while, and tells what was asked.
async fn run(protection: Protection, requests: &Requests, enough: usize) -> Vec<(String, String)> {
    let running = tokio::spawn(async move { protection.lead().await });
    let begun = Instant::now();
    while requests.lock().unwrap().len() < enough && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Time for what should not come.
    tokio::time::sleep(SETTLE).await;
    running.abort();
    let mut asked: Vec<(String, String)> =
        requests.lock().unwrap().iter().map(|(method, name, _)| (name.clone(), method.clone())).collect();
    asked.sort();
    asked
}

fn asked(name: &str, method: &str) -> (String, String) {
    (name.to_owned(), method.to_owned())
}

#[tokio::test]
async fn a_secret_that_is_used_is_marked_and_one_that_is_marked_costs_no_call() {
    let (protection, _, requests) = protection(vec![marked("before", &json!({}))]);
    point_to(&protection.index, &["before", "new"]);
    assert_eq!(run(protection, &requests, 2).await, [asked("new", "GET"), asked("new", "PATCH")]);
}

#[tokio::test]
async fn what_comes_to_be_used_while_it_leads_is_marked() {
    let (protection, _, requests) = protection(Vec::new());
    let (index, changes) = (Arc::clone(&protection.index), protection.changes.clone());
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        point_to(&index, &["new"]);
        changes.add(&Change::References(ObjectKey::new("garden-dev", "new")));
    };
    let (asked_for, ()) = tokio::join!(run(protection, &requests, 2), later);
    assert_eq!(asked_for, [asked("new", "GET"), asked("new", "PATCH")]);
}

#[tokio::test]
async fn a_reservation_that_says_nothing_is_withdrawn_when_its_time_is_over() {
    let reservation = format!("{RESERVATION_PREFIX}a");
    let (protection, metrics, requests) = protection(vec![marked("one", &json!({reservation: "?"}))]);
    point_to(&protection.index, &["one"]);
    let begun = Instant::now();
    assert_eq!(run(protection, &requests, 1).await, [asked("one", "PATCH")]);
    assert!(begun.elapsed() >= SETTLE);
    assert_eq!(metrics.shown(), [1, 1, 0]);
    let patch = requests.lock().unwrap()[0].2.clone();
    let removed = json!({"op": "remove", "path": "/metadata/annotations/reservation.regcred.dev~1a"});
    assert_eq!(patch[2], removed, "{patch}");
}

#[tokio::test]
async fn nothing_is_known_or_done_of_secrets_outside_the_scope() {
    let (mut protection, _, requests) = protection(Vec::new());
    let index = Index::new("regcred-system").with_scope(Scope::of(&["team-a".into()]));
    protection.index = Arc::new(index);
    point_to(&protection.index, &["new"]);
    assert_eq!(run(protection, &requests, 0).await, []);
}

#[tokio::test]
async fn what_cannot_be_the_name_of_a_secret_is_no_path_to_something_else() {
    let (protection, _, requests) = protection(Vec::new());
    point_to(&protection.index, &["../configmaps/one", "one?dryRun=All", "", "new"]);
    assert_eq!(run(protection, &requests, 2).await, [asked("new", "GET"), asked("new", "PATCH")]);
}
