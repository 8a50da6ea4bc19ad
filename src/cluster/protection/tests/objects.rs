//! Single objects: what points to a Secret, the Secret, and who may do what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};

use super::server::{SHOOTS, Server, key, referrer, shoot};
use crate::cluster::protection::Inquiry;
use crate::cluster::tests::{Answer, client, failure};
use crate::model::ObjectKey;
use crate::model::protection::{Bypass, Claim, LiveReferrer, Reservation, SecretAnswer};
use crate::model::reference::{Referrer, ReferrerKind};
use crate::model::scope::Scope;
use crate::review::Requester;

const SECRET: &str = "/api/v1/namespaces/garden-dev/secrets/s";

/// That an object of this name is not there.
fn no_such(name: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "details": {"name": name}})
}

#[tokio::test]
async fn a_referrer_is_told_with_what_it_points_to() {
    let server = Server::with_shoots("v1beta1");
    server.say(&format!("{SHOOTS}/a"), 200, shoot("a", "s"));
    let live = server.inquiry(&[]).referrer(&referrer("a")).await;
    let LiveReferrer::Found { uid, resource_version, .. } = &live else { panic!("{live:?}") };
    assert_eq!((&**uid, &**resource_version), ("uid-of-a", "7"));
    assert_eq!(live.places(&key("s")).len(), 1);
}

#[tokio::test]
async fn a_referrer_is_absent_if_it_is_not_there_or_its_kind_is_not() {
    let server = Server::with_shoots("v1beta1");
    server.say(&format!("{SHOOTS}/a"), 404, no_such("a"));
    let inquiry = server.inquiry(&[]);
    assert_eq!(inquiry.referrer(&referrer("a")).await, LiveReferrer::Absent);
    let binding = Referrer { kind: ReferrerKind::RegistryCacheConfig, key: key("a") };
    assert_eq!(inquiry.referrer(&binding).await, LiveReferrer::Absent);
}

#[tokio::test]
async fn a_kind_that_was_absent_is_asked_for_anew_and_one_of_another_version_found() {
    let server = Server::default();
    let inquiry = server.inquiry(&[]);
    assert_eq!(inquiry.referrer(&referrer("a")).await, LiveReferrer::Absent);
    for version in ["v1beta1", "v1"] {
        server.serve(version);
        let path = SHOOTS.replace("v1beta1", version);
        server.say(&format!("{path}/a"), 200, shoot("a", "s"));
        let live = inquiry.referrer(&referrer("a")).await;
        assert!(matches!(live, LiveReferrer::Found { .. }), "{version}: {live:?}");
    }
}

#[rstest]
#[case::no_right(403)]
#[case::unavailable(503)]
#[case::a_path_that_is_not_there_although_it_is_served(404)]
#[tokio::test]
async fn a_referrer_that_cannot_be_read_is_not_absent(#[case] code: u16) {
    let server = Server::with_shoots("v1beta1");
    server.refuse(&format!("{SHOOTS}/a"), code, "no");
    let live = server.inquiry(&[]).referrer(&referrer("a")).await;
    assert_eq!(live, LiveReferrer::Unknown("no".into()));
}

#[tokio::test]
async fn what_is_no_object_is_not_known() {
    let server = Server::with_shoots("v1beta1");
    server.say(&format!("{SHOOTS}/a"), 200, json!({"metadata": {"uid": "1"}}));
    let live = server.inquiry(&[]).referrer(&referrer("a")).await;
    assert_eq!(live, LiveReferrer::Unknown("the API server's answer is no object".into()));
}

#[rstest]
#[case("garden-dev", "../secrets/s")]
#[case("garden-dev", "a?watch=true")]
#[case("..", "a")]
#[case("", "a")]
#[tokio::test]
async fn no_path_is_made_of_what_people_can_write(#[case] namespace: &str, #[case] name: &str) {
    let server = Server::with_shoots("v1beta1");
    let referrer = Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new(namespace, name) };
    assert_eq!(server.inquiry(&[]).referrer(&referrer).await, LiveReferrer::Absent);
    assert_eq!(server.requests(""), [""; 0]);
}

#[rstest]
#[case::absent(Some((404, no_such("s"))), SecretAnswer::Absent)]
#[case::no_right(Some(failure(403, "no")), SecretAnswer::Unknown("no".into()))]
#[case::unavailable(Some(failure(503, "not now")), SecretAnswer::Unknown("not now".into()))]
#[case::no_connection(None, SecretAnswer::Unknown("the API server could not be reached".into()))]
#[case::unreadable(
    Some((200, json!({"data": "hunter2"}))), SecretAnswer::Unknown("the API server's answer could not be read".into())
)]
#[tokio::test]
async fn a_secret_is_absent_only_if_it_is_said_to_be(#[case] answer: Answer, #[case] expected: SecretAnswer) {
    let client = client(move |_| {
        let answer = answer.clone();
        async move { answer }
    });
    let inquiry = Inquiry::new(client, Scope::All);
    assert_eq!(inquiry.secret(&key("s")).await, expected);
    assert_eq!(inquiry.reserve(&key("s"), "1", &reservation()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_is_not_waited_for_longer_than_a_review_may_take() {
    let inquiry = Inquiry::new(client(|_| std::future::pending::<Answer>()), Scope::All);
    let late = || SecretAnswer::Unknown("the API server did not answer in time".into());
    let begun = tokio::time::Instant::now();
    assert_eq!(inquiry.secret(&key("s")).await, late());
    assert!(matches!(inquiry.referrer(&referrer("a")).await, LiveReferrer::Unknown(_)));
    assert!(matches!(inquiry.bypass(&requester(), &key("s")).await, Bypass::Unknown(_)));
    assert_eq!(begun.elapsed(), Duration::from_secs(9), "3 seconds each");
    let begun = tokio::time::Instant::now();
    assert_eq!(inquiry.reserve(&key("s"), "1", &reservation()).await, late());
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
}

fn reservation() -> Reservation {
    let claim = Claim { referrer: referrer("a"), uid: "uid-of-a".into(), over: None };
    Reservation { attempt: "attempt".into(), claim }
}

fn secret(uid: &str) -> Value {
    json!({"metadata": {"namespace": "garden-dev", "name": "s", "uid": uid}})
}

#[tokio::test]
async fn a_reservation_and_the_label_are_one_merge_patch_of_this_very_secret() {
    let server = Server::default();
    server.say(SECRET, 200, secret("1"));
    let answer = server.inquiry(&[]).reserve(&key("s"), "1", &reservation()).await;
    assert!(matches!(answer, SecretAnswer::Found(_)), "{answer:?}");
    assert_eq!(server.requests(""), [format!("PATCH {SECRET}?&fieldManager=regcred")]);
    let metadata = json!({
        "uid": "1",
        "labels": {"regcred.dev/in-use": "true"},
        "annotations": {
            "reservation.regcred.dev/attempt": r#"{"kind":"Shoot","namespace":"garden-dev","name":"a","uid":"uid-of-a"}"#,
        },
    });
    assert_eq!(server.bodies(), [json!({"metadata": metadata})]);
}

/// A Secret whose uid is `uids[n]` by the time of the n-th patch; the last one stays. Which uids were patched comes with it.
fn created_anew(uids: &'static [&'static str], code: u16) -> (Inquiry, Arc<Mutex<Vec<String>>>) {
    let patched = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&patched);
    let client = client(move |request: http::Request<Body>| {
        let seen = Arc::clone(&seen);
        async move {
            let is_patch = *request.method() == http::Method::PATCH;
            let body = request.into_body().collect_bytes().await.unwrap();
            let mut seen = seen.lock().unwrap();
            if !is_patch {
                return Some((200, secret(uids[seen.len().min(uids.len()) - 1])));
            }
            let body: Value = serde_json::from_slice(&body).unwrap();
            let uid = body["metadata"]["uid"].as_str().unwrap().to_owned();
            let is_it = uids[seen.len().min(uids.len() - 1)] == uid;
            seen.push(uid.clone());
            Some(if is_it { (200, secret(&uid)) } else { failure(code, "of another") })
        }
    });
    (Inquiry::new(client, Scope::All), patched)
}

#[rstest]
#[case::as_it_was_read(&["1"], true, &["1"])]
#[case::created_anew(&["2"], true, &["1", "2"])]
#[case::created_anew_twice(&["2", "3"], true, &["1", "2", "3"])]
#[case::again_and_again(&["2", "3", "4", "5"], false, &["1", "2", "3"])]
#[tokio::test]
async fn a_reservation_lands_on_the_secret_that_is_there(
    #[case] uids: &'static [&'static str],
    #[case] lands: bool,
    #[case] expected: &[&str],
    #[values(409, 422)] code: u16,
) {
    let (inquiry, patched) = created_anew(uids, code);
    let answer = inquiry.reserve(&key("s"), "1", &reservation()).await;
    assert_eq!(matches!(answer, SecretAnswer::Found(_)), lands, "{answer:?}");
    assert_eq!(*patched.lock().unwrap(), expected);
}

#[tokio::test]
async fn what_refuses_the_very_secret_is_told() {
    let client = client(|request: http::Request<Body>| async move {
        let is_patch = *request.method() == http::Method::PATCH;
        Some(if is_patch { failure(422, "annotations too long") } else { (200, secret("1")) })
    });
    let answer = Inquiry::new(client, Scope::All).reserve(&key("s"), "1", &reservation()).await;
    assert_eq!(answer, SecretAnswer::Unknown("annotations too long".into()));
}

fn requester() -> Requester {
    Requester {
        username: "jane".to_owned(),
        uid: "uid-of-jane".to_owned(),
        groups: vec!["admins".to_owned()],
        extra: [("scopes".to_owned(), vec!["all".to_owned()])].into(),
    }
}

#[rstest]
#[case::allowed(201, json!({"allowed": true}), Bypass::Allowed)]
#[case::not_allowed(201, json!({"allowed": false}), Bypass::Denied)]
#[case::denied(201, json!({"allowed": true, "denied": true}), Bypass::Denied)]
#[case::not_asked(403, json!({"allowed": true}), Bypass::Unknown("no".into()))]
#[tokio::test]
async fn who_may_let_a_secret_in_use_go_is_for_the_api_server_to_say(
    #[case] code: u16,
    #[case] status: Value,
    #[case] expected: Bypass,
) {
    let server = Server::default();
    let answer = if code == 403 { failure(403, "no").1 } else { json!({"spec": {}, "status": status}) };
    server.say("/apis/authorization.k8s.io/v1/subjectaccessreviews", code, answer);
    assert_eq!(server.inquiry(&[]).bypass(&requester(), &key("s")).await, expected);
    let spec = json!({
        "user": "jane", "uid": "uid-of-jane", "groups": ["admins"], "extra": {"scopes": ["all"]},
        "resourceAttributes": {
            "verb": "bypass", "group": "regcred.dev", "resource": "secretprotections", "namespace": "garden-dev", "name": "s",
        },
    });
    assert_eq!(server.bodies()[0]["spec"], spec);
}
