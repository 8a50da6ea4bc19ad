//! Lists and who shares them.

use std::time::Duration;

use futures::future::join_all;
use rstest::rstest;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::server::{SHOOTS, Server, key, list_of, page_of, shoot};
use crate::cluster::protection::{Inquiry, Trust};
use crate::model::protection::Listing;

/// By which objects the Secret is used, or why that is not known.
async fn users(inquiry: &Inquiry, secret: &str) -> Result<Vec<String>, String> {
    match inquiry.referrers(&key(secret), Trust::Fresh).await {
        Listing::Complete(uses) => Ok(uses.iter().map(|(referrer, _)| referrer.to_string()).collect()),
        Listing::Unknown(reason) => Err(reason.to_string()),
    }
}

fn asking(inquiry: &Inquiry, secret: &'static str) -> JoinHandle<Result<Vec<String>, String>> {
    let inquiry = inquiry.clone();
    tokio::spawn(async move { users(&inquiry, secret).await })
}

fn names(names: &[&str]) -> Result<Vec<String>, String> {
    names.iter().map(|name| Ok(format!("Shoot garden-dev/{name}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_together_share_one_list() {
    let server = Server::with_shoots("v1beta1");
    server.say(SHOOTS, 200, list_of(&[shoot("b", "s"), shoot("a", "s"), shoot("c", "other")]));
    let inquiry = server.inquiry(&[]);
    let all = join_all((0..20).map(|_| users(&inquiry, "s"))).await;
    assert!(all.iter().all(|found| *found == names(&["a", "b"])), "{all:?}");
    let asked = server.requests(SHOOTS);
    assert_eq!(asked, [format!("GET {SHOOTS}?&limit=500")], "and it is a consistent one");
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_a_list_runs_gets_a_later_one_and_all_who_do_get_the_same() {
    let server = Server::with_shoots("v1beta1");
    server.take(Duration::from_secs(1));
    let inquiry = server.inquiry(&[]);
    let first = asking(&inquiry, "s");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(server.requests(SHOOTS).len(), 1);
    server.say(SHOOTS, 200, list_of(&[shoot("a", "s")]));
    let later = [asking(&inquiry, "s"), asking(&inquiry, "s"), asking(&inquiry, "other")];
    sleep(Duration::from_millis(400)).await;
    assert_eq!(server.requests(SHOOTS).len(), 1, "one at a time");
    assert_eq!(first.await.unwrap(), names(&[]));
    let [one, two, three] = later;
    assert_eq!(one.await.unwrap(), names(&["a"]));
    assert_eq!(two.await.unwrap(), names(&["a"]));
    assert_eq!(three.await.unwrap(), names(&[]));
    assert_eq!(server.requests(SHOOTS).len(), 2);
    assert_eq!(users(&inquiry, "s").await, names(&["a"]));
    assert_eq!(server.requests(SHOOTS).len(), 3, "and nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_reviews_does_not_keep_a_list_from_beginning() {
    let server = Server::with_shoots("v1beta1");
    let inquiry = server.inquiry(&[]);
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(asking(&inquiry, "s"));
        sleep(Duration::from_millis(10)).await;
    }
    join_all(all).await;
    let lists = server.requests(SHOOTS).len();
    assert!((2..=3).contains(&lists), "{lists} lists in a second");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_takes_nothing_from_the_others() {
    let server = Server::with_shoots("v1beta1");
    server.say(SHOOTS, 200, list_of(&[shoot("a", "s")]));
    server.take(Duration::from_secs(1));
    let inquiry = server.inquiry(&[]);
    let gives_up = [asking(&inquiry, "s"), asking(&inquiry, "s")];
    sleep(Duration::from_millis(1)).await;
    let stays = asking(&inquiry, "s");
    gives_up[0].abort();
    sleep(Duration::from_millis(500)).await;
    gives_up[1].abort();
    assert_eq!(stays.await.unwrap(), names(&["a"]));
    assert_eq!(server.requests(SHOOTS).len(), 1);
    let alone = asking(&inquiry, "s");
    sleep(Duration::from_millis(1)).await;
    alone.abort();
    assert_eq!(users(&inquiry, "s").await, names(&["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_is_given_up_and_the_next_one_begins() {
    let server = Server::with_shoots("v1beta1");
    server.take(Duration::from_hours(1));
    let inquiry = server.inquiry(&[]);
    let hangs = asking(&inquiry, "s");
    sleep(Duration::from_secs(1)).await;
    server.take(Duration::ZERO);
    let waits = asking(&inquiry, "s");
    assert_eq!(hangs.await.unwrap(), Err("Shoots: the API server did not answer in time".to_owned()));
    assert_eq!(waits.await.unwrap(), names(&[]));
}

#[tokio::test]
async fn every_page_is_read() {
    let server = Server::with_shoots("v1beta1");
    server.say(SHOOTS, 200, page_of(&[shoot("b", "s")], "two"));
    server.say(&format!("{SHOOTS}?continue=two"), 200, page_of(&[shoot("c", "s")], "three"));
    server.say(&format!("{SHOOTS}?continue=three"), 200, list_of(&[shoot("a", "s")]));
    assert_eq!(users(&server.inquiry(&[]), "s").await, names(&["a", "b", "c"]));
}

#[tokio::test]
async fn a_token_that_has_expired_begins_the_list_anew_once() {
    let server = Server::with_shoots("v1beta1");
    server.say(SHOOTS, 200, page_of(&[shoot("a", "s")], "two"));
    server.refuse(&format!("{SHOOTS}?continue=two"), 410, "expired");
    let inquiry = server.inquiry(&[]);
    assert_eq!(users(&inquiry, "s").await, Err("Shoots: expired".to_owned()));
    assert_eq!(server.requests(SHOOTS).len(), 4);
}

#[rstest]
#[case::no_right(403, "no", Err("Shoots: no"))]
#[case::overloaded(429, "too many", Err("Shoots: too many"))]
#[case::unavailable(503, "not now", Err("Shoots: not now"))]
#[case::not_there_although_it_is_served(404, "not here", Err("Shoots: not here"))]
#[tokio::test]
async fn what_cannot_be_listed_is_unknown(
    #[case] code: u16,
    #[case] message: &str,
    #[case] expected: Result<Vec<String>, &str>,
) {
    let server = Server::with_shoots("v1beta1");
    server.refuse(SHOOTS, code, message);
    assert_eq!(users(&server.inquiry(&[]), "s").await, expected.map_err(str::to_owned));
}

#[rstest]
#[case::no_list(json!({"metadata": {}}))]
#[case::nameless(list_of(&[json!({"metadata": {}})]))]
#[case::no_object(json!("a login page"))]
#[tokio::test]
async fn what_is_no_list_shows_nothing(#[case] body: serde_json::Value) {
    let server = Server::with_shoots("v1beta1");
    server.say(SHOOTS, 200, body);
    let unreadable = "Shoots: the API server's answer could not be read";
    assert_eq!(users(&server.inquiry(&[]), "s").await, Err(unreadable.to_owned()));
}

#[tokio::test]
async fn a_kind_that_goes_or_comes_in_another_version_is_found_out_by_listing_it() {
    let server = Server::with_shoots("v1beta1");
    let inquiry = server.inquiry(&[]);
    assert_eq!(users(&inquiry, "s").await, names(&[]));
    server.serve("v1");
    let path = SHOOTS.replace("v1beta1", "v1");
    server.say(&path, 200, list_of(&[shoot("a", "s")]));
    assert_eq!(users(&inquiry, "s").await, names(&["a"]));
    for path in [&path, "/apis/core.gardener.cloud", "/apis/core.gardener.cloud/v1"] {
        server.drop_path(path);
    }
    assert_eq!(users(&inquiry, "s").await, names(&[]));
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_not_there_cost_nothing_but_the_question() {
    let server = Server::default();
    let inquiry = server.inquiry(&[]);
    for _ in 0..3 {
        assert_eq!(inquiry.referrers(&key("s"), Trust::Remembered).await, Listing::Complete(Vec::new()));
    }
    let asked = server.requests("");
    assert!(asked.iter().all(|request| !request.contains("limit=")), "{asked:?}");
    let groups = ["core.gardener.cloud", "security.gardener.cloud", "core.kyma-project.io"];
    assert!(groups.iter().all(|group| server.requests(group).len() <= 2), "{asked:?}");
}

#[tokio::test]
async fn bindings_are_looked_for_wherever_they_may_be() {
    const GROUP: &str = "/apis/security.gardener.cloud";
    let binding = |namespace: &str| {
        let reference = json!({"apiVersion": "v1", "kind": "Secret", "name": "s", "namespace": "garden-dev"});
        json!({"metadata": {"namespace": namespace, "name": "b"}, "credentialsRef": reference})
    };
    let server = Server::with_shoots("v1beta1");
    let version = json!({"groupVersion": "security.gardener.cloud/v1alpha1", "version": "v1alpha1"});
    server.say(GROUP, 200, json!({"name": "security.gardener.cloud", "versions": [version]}));
    let bindings = json!({
        "name": "credentialsbindings", "kind": "CredentialsBinding", "namespaced": true, "singularName": "", "verbs": [],
    });
    let version = json!({"groupVersion": "security.gardener.cloud/v1alpha1", "resources": [bindings]});
    server.say(&format!("{GROUP}/v1alpha1"), 200, version);
    server.say(&format!("{GROUP}/v1alpha1/credentialsbindings"), 200, list_of(&[binding("x"), binding("y")]));
    let of = |namespace: &str| format!("{GROUP}/v1alpha1/namespaces/{namespace}/credentialsbindings");
    server.say(&of("y"), 200, list_of(&[binding("y")]));
    let expected = |namespaces: &[&str]| {
        Ok(namespaces.iter().map(|name| format!("CredentialsBinding {name}/b")).collect::<Vec<_>>())
    };
    assert_eq!(users(&server.inquiry(&[]), "s").await, expected(&["x", "y"]));

    server.refuse(&of("gone"), 403, "no right");
    let no_such = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "details": {"name": "gone"}});
    server.say("/api/v1/namespaces/gone", 404, no_such);
    assert_eq!(users(&server.inquiry(&["y", "gone"]), "s").await, expected(&["y"]));

    // What is seen is true, also when something else cannot be.
    server.refuse(SHOOTS, 503, "not now");
    assert_eq!(users(&server.inquiry(&["y"]), "s").await, expected(&["y"]));
    assert_eq!(users(&server.inquiry(&["y"]), "other").await, Err("Shoots: not now".to_owned()));
}
