//! One write at a time for a copy, a bounded number in all, and what the API server's refusals mean.

use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::cluster::tests::client;
use crate::model::source::tests::registry_secret;

fn passing(reason: &str) -> Obstacle {
    Obstacle::Passing(reason.into())
}

fn lasting(reason: &str) -> Obstacle {
    Obstacle::Lasting(reason.into())
}

/// In the API server's own words.
#[rstest]
#[case::quota(
    403,
    "secrets",
    r#"secrets "a" is forbidden: exceeded quota: few"#,
    passing("exceeded quota: few")
)]
#[case::no_right(
    403,
    "secrets",
    "secrets is forbidden: User x cannot create",
    passing("User x cannot create")
)]
#[case::policy(422, "secrets", r#"secrets "a" is forbidden: Policy denied"#, passing("Policy denied"))]
#[case::webhook(
    422,
    "",
    "admission webhook denied the request",
    passing("admission webhook denied the request")
)]
#[case::invalid(422, "Secret", r#"Secret "a" is invalid: x"#, lasting(r#"Secret "a" is invalid: x"#))]
#[case::too_large(413, "", "too large", lasting("too large"))]
#[case::no_namespace(404, "namespaces", "not found", Obstacle::NamespaceGone)]
#[case::overloaded(429, "", "try again", passing("try again"))]
fn only_what_the_api_server_never_accepts_is_given_up(
    #[case] code: u16,
    #[case] kind: &str,
    #[case] message: &str,
    #[case] expected: Obstacle,
) {
    let status = json!({"code": code, "message": message, "details": {"kind": kind}});
    let error = kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()));
    assert_eq!(obstacle_of(&error), expected);
}

/// A carrier whose API server counts the requests and never answers them, and what it shares with its caller.
fn silent() -> (Carrier, Arc<Index>, Pending, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let client = client(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let (index, pending) = (Arc::new(Index::new("regcred-system")), Pending::default());
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": "ghcr", "uid": "uid-of-ghcr"},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["*"]},
    });
    index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
    index.apply_source(&registry_secret("{}"));
    let metrics = CopyMetrics::register(&prometheus::Registry::new()).unwrap();
    (Carrier::new(client, Arc::clone(&index), pending.clone(), metrics), index, pending, requests)
}

fn wanted(index: &Index, namespace: &str) -> Wanted {
    Wanted::new(&index.snapshot().credentials["ghcr"], namespace)
}

/// Lets everything run that can, without a second passing.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn one_write_of_a_copy_is_under_way_however_many_ask_for_it() {
    let (carrier, index, pending, requests) = silent();
    let ask = |_| {
        let (carrier, wanted) = (carrier.clone(), wanted(&index, "team-a"));
        async move { carrier.create(wanted).await }
    };
    let answers = tokio::spawn(futures::future::join_all((0..100).map(ask)));
    settle().await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    // The API server never answers: all are told when the write's time is over, and the retry loop has it.
    let answers = answers.await.unwrap();
    assert!(
        answers.iter().all(|answer| *answer == CopyAnswer::failed("the API server did not answer in time"))
    );
    assert_eq!((requests.load(Ordering::SeqCst), pending.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_a_copy_is_taken_off_whatever_has_become_of_its_source() {
    let (carrier, index, _, requests) = silent();
    let known = index.snapshot();
    let wanted = wanted(&index, "team-a");
    let source = known.good_source(&wanted.credential).unwrap();
    let mut copy = copy_of(source, &wanted.credential, &wanted.place);
    let mark = ("regcred.dev/unneeded-since".to_owned(), "2026-01-01T00:00:00Z".to_owned());
    copy.metadata.annotations.get_or_insert_default().extend([mark]);
    index.apply_copy(&copy);
    index.apply_source(&registry_secret("{"));
    carrier.create(wanted).await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_goes_on_when_its_caller_has_left() {
    let (carrier, index, _, requests) = silent();
    let left =
        tokio::time::timeout(Duration::from_millis(10), carrier.create(wanted(&index, "team-a"))).await;
    assert!(left.is_err());
    let again = carrier.create(wanted(&index, "team-a")).await;
    assert_eq!(
        (again, requests.load(Ordering::SeqCst)),
        (CopyAnswer::failed("the API server did not answer in time"), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn more_writes_than_are_allowed_at_once_come_soon_and_are_no_setback() {
    let (carrier, index, pending, requests) = silent();
    for number in 0..WRITES_AT_ONCE {
        let (carrier, wanted) = (carrier.clone(), wanted(&index, &format!("team-{number}")));
        tokio::spawn(async move { carrier.create(wanted).await });
    }
    settle().await;
    let one_more = wanted(&index, "one-more");
    let answer = carrier.create(one_more.clone()).await;
    assert_eq!(answer, CopyAnswer::failed("too many copies are being created at once"));
    assert_eq!((requests.load(Ordering::SeqCst), pending.len()), (WRITES_AT_ONCE, 1));
    assert!(index.snapshot().setback(&one_more.key(), Instant::now()).is_none());
}
