//! What is asked, how much of it at once, and what is made of answers that are late, refused or too long.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::*;
use crate::cluster::tests::{Answer, client, failure};
use crate::model::keyring::Target;
use crate::model::module::Content;

/// What an API server says to an account without the right.
const NO_RIGHT: &str = r#"secrets is forbidden: User "regcred" cannot list resource "secrets""#;
const LATE: &str = "the API server did not answer in time";

/// Path and query of each request.
type Requests = Arc<Mutex<Vec<String>>>;

/// Looks in these namespaces, or in all where none is named, at an API server that says this of a path, some time after it was
/// asked.
fn looking(
    namespaces: &[&str],
    takes: Duration,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (SelectedSecrets, Requests) {
    let requests = Requests::default();
    let asked = Arc::clone(&requests);
    let client = client(move |request: http::Request<Body>| {
        asked.lock().unwrap().push(request.uri().to_string());
        let answer = answer(request.uri().path());
        async move {
            sleep(takes).await;
            answer
        }
    });
    let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| (*name).into()).collect();
    (SelectedSecrets::new(client, Scope::of(&namespaces)), requests)
}

/// A list of Secrets.
fn list(items: &[Value], continues: &str) -> (u16, Value) {
    let metadata = json!({"resourceVersion": "1", "continue": continues});
    (200, json!({"apiVersion": "v1", "kind": "SecretList", "metadata": metadata, "items": items}))
}

/// The list of a namespace, in which one Secret is named as the namespace is.
fn one_in(path: &str) -> (u16, Value) {
    let namespace = path.split('/').nth(4).expect("a list of one namespace");
    list(&[json!({"metadata": {"namespace": namespace, "name": namespace}})], "")
}

/// Of use in these namespaces, or in all where none is named.
fn of_use_in(namespaces: &[&str]) -> SecretQuery {
    SecretQuery {
        selector: "example.io/creds=modules,tier=a".parse().unwrap(),
        namespaces: namespaces.iter().map(|name| (*name).into()).collect(),
    }
}

fn query() -> SecretQuery {
    of_use_in(&[])
}

/// Where the Secrets are that were found.
fn found(answer: &SecretsAnswer) -> Vec<&str> {
    match answer {
        SecretsAnswer::Found(secrets) => secrets.iter().map(|secret| &*secret.key.namespace).collect(),
        SecretsAnswer::Unknown(reason) => panic!("{reason}"),
    }
}

fn unknown(reason: &str) -> SecretsAnswer {
    SecretsAnswer::Unknown(reason.into())
}

#[tokio::test]
async fn one_list_by_the_labels_is_asked_for_and_what_comes_is_read() {
    let document = r#"{"auths":{"ghcr.io":{"username":"u","password":"p"}}}"#;
    let labels = json!({"operator.kyma-project.io/managed-by": "lifecycle-manager"});
    let secret = json!({
        "metadata": {"namespace": "kcp-system", "name": "modules", "labels": labels},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": k8s_openapi::ByteString(document.into())},
    });
    let of_type = json!({"metadata": {"namespace": "team-a", "name": "other"}, "type": "Opaque"});
    let answer = Some(list(&[secret, of_type], ""));
    let (looking, requests) = looking(&[], Duration::ZERO, move |_| answer.clone());

    let SecretsAnswer::Found(secrets) = looking.by(&query()).await else { panic!("they are known") };
    let asked = requests.lock().unwrap().join(" ");
    let (path, query) = asked.split_once('?').unwrap();
    let parameters: BTreeSet<&str> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    let expected = ["labelSelector=example.io%2Fcreds%3Dmodules%2Ctier%3Da", "limit=21"];
    assert_eq!((path, parameters), ("/api/v1/secrets", expected.into()));
    let read: Vec<_> = secrets.iter().map(|secret| (secret.key.to_string(), secret.is_managed)).collect();
    assert_eq!(read, [("kcp-system/modules".to_owned(), true), ("team-a/other".to_owned(), false)]);
    let Content::Keys(keys) = &secrets[0].content else { panic!("{secrets:?}") };
    assert!(keys.keyring().matching(&Target::new("ghcr.io/org")).is_some());
    assert_eq!(secrets[1].content, Content::OtherType("Opaque".into()));
}

#[tokio::test]
async fn each_listed_namespace_is_asked_by_itself_and_all_that_is_found_is_told() {
    let (looking, requests) =
        looking(&["team-b", "team-a", "registries"], Duration::ZERO, |path| Some(one_in(path)));
    assert_eq!(found(&looking.by(&query()).await), ["registries", "team-a", "team-b"]);
    let requests = requests.lock().unwrap();
    let paths: Vec<&str> = requests.iter().map(|uri| uri.split('?').next().unwrap()).collect();
    let path = |namespace| format!("/api/v1/namespaces/{namespace}/secrets");
    assert_eq!(paths, ["registries", "team-a", "team-b"].map(path));
}

#[rstest]
#[case::no_right(Some(failure(403, NO_RIGHT)), "no right to list them")]
#[case::overloaded(Some(failure(429, "try again")), "try again")]
#[case::no_connection(None, "the API server could not be reached")]
#[case::unreadable(Some((200, json!({"items": [{"data": "hunter2"}]}))), "the API server's answer could not be read")]
#[tokio::test]
async fn what_cannot_be_listed_is_unknown_and_the_reason_tells_of_no_content(
    #[case] answer: Answer,
    #[case] reason: &str,
) {
    let (looking, _) = looking(&[], Duration::ZERO, move |_| answer.clone());
    assert_eq!(looking.by(&query()).await, unknown(reason));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_not_waited_for_and_waiting_for_a_turn_counts() {
    let (looking, requests) = looking(&[], Duration::from_hours(1), |_| None);
    let begun = Instant::now();
    let look = |after| {
        let looking = looking.clone();
        async move {
            sleep(after).await;
            let asked = Instant::now();
            let answer = looking.by(&query()).await;
            (answer, asked.elapsed())
        }
    };
    let first = (0..AT_ONCE).map(|_| tokio::spawn(look(Duration::ZERO))).collect::<Vec<_>>();
    let waiting = tokio::spawn(look(Duration::from_secs(1)));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(requests.lock().unwrap().len(), AT_ONCE, "the last one waits for its turn");
    for look in first {
        assert_eq!(look.await.unwrap(), (unknown(LATE), TIMEOUT));
    }
    assert_eq!(waiting.await.unwrap(), (unknown(LATE), TIMEOUT));
    assert_eq!(begun.elapsed(), TIMEOUT + Duration::from_secs(1));
    assert_eq!(requests.lock().unwrap().len(), AT_ONCE + 1, "turns are given back");
}

#[tokio::test(start_paused = true)]
async fn few_lists_are_under_way_at_once_however_many_look() {
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, highest) = (Arc::clone(&under_way), Arc::clone(&most));
    let client = client(move |request: http::Request<Body>| {
        let now = count.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(now, Ordering::SeqCst);
        let count = Arc::clone(&count);
        async move {
            sleep(Duration::from_millis(100)).await;
            count.fetch_sub(1, Ordering::SeqCst);
            Some(one_in(request.uri().path()))
        }
    });
    let looking = SelectedSecrets::new(client, Scope::of(&["team-a".into(), "team-b".into()]));
    let looks = (0..10).map(|_| {
        let looking = looking.clone();
        async move { looking.by(&query()).await }
    });
    for answer in futures::future::join_all(looks).await {
        assert_eq!(found(&answer), ["team-a", "team-b"]);
    }
    assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_not_waited_for_one_after_the_other() {
    let names: Vec<String> = (0..3 * AT_ONCE).map(|number| format!("team-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (looking, _) = looking(&names, Duration::from_secs(1), |path| Some(one_in(path)));
    let begun = Instant::now();
    assert_eq!(found(&looking.by(&query()).await), names);
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[rstest]
#[case::gone(
    Some((404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"}))),
    Ok(&["team-a"][..])
)]
#[case::there(
    Some((200, json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "team-b"},
    }))),
    Err("no right in team-b")
)]
#[case::not_known(Some(failure(500, "ill")), Err("no right in team-b"))]
#[tokio::test]
async fn a_listed_namespace_that_has_gone_has_no_secrets_and_the_rights_in_it_have_gone_along(
    #[case] namespace: Answer,
    #[case] expected: Result<&[&str], &str>,
) {
    let (looking, _) = looking(&["team-a", "team-b"], Duration::ZERO, move |path| match path {
        "/api/v1/namespaces/team-b/secrets" => Some(failure(403, NO_RIGHT)),
        "/api/v1/namespaces/team-b" => namespace.clone(),
        _ => Some(one_in(path)),
    });
    let answer = looking.by(&query()).await;
    match expected {
        Ok(namespaces) => assert_eq!(found(&answer), namespaces),
        Err(reason) => assert_eq!(answer, unknown(reason)),
    }
}

#[rstest]
#[case::there(&["team-a", "gone"], &["team-a"], 1)]
#[case::elsewhere_alone(&["empty"], &["team-a"], 2)]
#[tokio::test]
async fn others_are_looked_for_only_where_there_is_none_that_is_of_use(
    #[case] of_use: &[&str],
    #[case] expected: &[&str],
    #[case] lists: usize,
) {
    let (looking, requests) = looking(&["team-a", "empty"], Duration::ZERO, |path| {
        Some(if path.contains("/empty/") { list(&[], "") } else { one_in(path) })
    });
    assert_eq!(found(&looking.by(&of_use_in(of_use)).await), expected);
    let asked = requests.lock().unwrap();
    assert_eq!(asked.len(), lists, "{asked:?}");
}

#[tokio::test]
async fn a_crowd_where_they_are_of_no_use_hides_none_that_is() {
    let crowd: Vec<Value> = (0..21)
        .map(|number| json!({"metadata": {"namespace": "tenant", "name": number.to_string()}}))
        .collect();
    let (looking, _) = looking(&[], Duration::ZERO, move |path| {
        Some(if path.contains("/namespaces/") { one_in(path) } else { list(&crowd, "more") })
    });
    assert_eq!(found(&looking.by(&of_use_in(&["kcp-system"])).await), ["kcp-system"]);
    assert_eq!(looking.by(&query()).await, unknown("more than 20"));
}

/// A token to go on by says only that there is something behind, perhaps with other labels.
#[tokio::test]
async fn as_many_as_are_looked_at_are_not_too_many_whatever_comes_behind() {
    let secrets: Vec<Value> = (0..20)
        .map(|number| json!({"metadata": {"namespace": "team", "name": number.to_string()}}))
        .collect();
    let (looking, _) = looking(&[], Duration::ZERO, move |_| Some(list(&secrets, "more")));
    assert_eq!(found(&looking.by(&query()).await).len(), 20);
}
