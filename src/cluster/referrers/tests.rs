//! Kinds that come and go, and what is known of them then.

use rstest::rstest;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::cluster::changes::Subscription;
use crate::cluster::protection::tests::server::{Server, key, list_of, shoot};
use crate::configuration::{Configuration, Current};
use crate::model::protection::{Claim, Reservation};
use crate::model::scope::Scope;

/// The Shoots of all namespaces.
const ALL_SHOOTS: &str = "/apis/core.gardener.cloud/v1beta1/shoots";

struct Watching {
    index: Arc<Index>,
    readiness: Readiness,
    seen: Subscription,
    running: JoinHandle<()>,
}

impl Watching {
    fn begin(server: &Server, namespaces: &[&str]) -> Self {
        Self::begin_by(server, namespaces, Current::default())
    }

    fn begin_by(server: &Server, namespaces: &[&str], rules: Current) -> Self {
        let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| (*name).into()).collect();
        let index = Arc::new(Index::new("regcred-system").with_scope(Scope::of(&namespaces)));
        let (readiness, changes) = (Readiness::new(), Changes::default());
        let (seen, inquiry) = (changes.subscribe(), server.inquiry(&[]));
        let kinds = inquiry.kinds().clone();
        let running =
            tokio::spawn(run(server.client(), Arc::clone(&index), kinds, changes, rules, &readiness));
        Self { index, readiness, seen, running }
    }

    /// Who points to the Secret, after so many seconds.
    async fn users(&self, secret: &str, seconds: u64) -> Vec<String> {
        sleep(Duration::from_secs(seconds)).await;
        assert!(!self.running.is_finished());
        let uses = self.index.snapshot().references.of(&key(secret));
        uses.iter().map(|one| one.referrer.key.name.to_string()).collect()
    }

    /// Who selects Secrets with the label `a=b`, after so many seconds.
    async fn selecting(&self, seconds: u64) -> Vec<String> {
        sleep(Duration::from_secs(seconds)).await;
        let known = self.index.snapshot();
        let selecting = known.references.selecting(&[("a".to_owned(), "b".to_owned())].into());
        selecting.into_values().flatten().map(ToString::to_string).collect()
    }

    fn is_ready(&self) -> bool {
        !self.readiness.is_incomplete()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_and_what_happens_to_it_is_known_and_told() {
    let server = Server::with_shoots("v1beta1");
    server.say(ALL_SHOOTS, 200, list_of(&[shoot("a", "s"), shoot("b", "other")]));
    server.tell("ADDED", &shoot("c", "s"));
    server.tell("DELETED", &shoot("a", "s"));
    server.tell("MODIFIED", &shoot("c", "s"));
    let watching = Watching::begin(&server, &[]);
    assert!(!watching.is_ready(), "its part is registered before anything is asked");
    assert_eq!(watching.users("s", 5).await, ["a"]);
    assert!(watching.is_ready());
    watching.seen.take();
    assert_eq!(watching.users("s", 10).await, ["a", "c"]);
    assert_eq!(watching.seen.take(), HashSet::from([Change::References(key("s"))]));
    assert_eq!(watching.users("s", 10).await, ["c"]);
    let is_over = |name: &str| {
        let referrer = Referrer { kind: ReferrerKind::Shoot, key: key(name) };
        let claim = Claim { referrer, uid: format!("uid-of-{name}").into(), over: None };
        let reservation = Reservation { attempt: "attempt".into(), claim };
        watching.index.snapshot().references.is_over(&reservation)
    };
    assert!(is_over("a") && !is_over("c"), "what was deleted is known by its uid");
    assert_eq!(watching.seen.take(), HashSet::from([Change::References(key("s"))]));
    assert_eq!(watching.users("s", 10).await, ["c"]);
    assert!(watching.seen.take().is_empty(), "what says the same as before is no change");
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_waited_for_and_forgotten_when_it_goes_and_found_in_another_version() {
    let server = Server::default();
    let watching = Watching::begin(&server, &[]);
    assert_eq!(watching.users("s", 1).await, [""; 0]);
    assert!(watching.is_ready(), "nobody waits for a kind that may never come");
    for version in ["v1beta1", "v1"] {
        server.serve(version);
        let path = ALL_SHOOTS.replace("v1beta1", version);
        server.say(&path, 200, list_of(&[shoot(version, "s")]));
        assert_eq!(watching.users("s", 120).await, [version]);
    }
    for path in [&*ALL_SHOOTS.replace("v1beta1", "v1"), "/apis/core.gardener.cloud"] {
        server.drop_path(path);
    }
    watching.seen.take();
    assert_eq!(watching.users("s", 120).await, [""; 0]);
    assert!(watching.seen.take().contains(&Change::Everything));
    assert!(watching.is_ready());
}

#[rstest]
#[case::forbidden_to_list(ALL_SHOOTS, 403)]
#[case::group_unavailable("/apis/core.gardener.cloud", 503)]
#[case::version_unavailable("/apis/core.gardener.cloud/v1beta1", 503)]
#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_is_not_taken_for_absent(#[case] path: &str, #[case] code: u16) {
    let server = Server::with_shoots("v1beta1");
    server.refuse(path, code, "no");
    let watching = Watching::begin(&server, &[]);
    assert_eq!(watching.users("s", 10).await, [""; 0]);
    assert!(!watching.is_ready());
    assert_eq!(watching.users("s", 300).await, [""; 0]);
    assert!(watching.is_ready(), "pods wait for a while alone");
    server.serve("v1beta1");
    server.say(ALL_SHOOTS, 200, list_of(&[shoot("a", "s")]));
    assert_eq!(watching.users("s", 120).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_cannot_be_asked_for_any_more_is_not_forgotten() {
    let server = Server::with_shoots("v1beta1");
    server.say(ALL_SHOOTS, 200, list_of(&[shoot("a", "s")]));
    let watching = Watching::begin(&server, &[]);
    assert_eq!(watching.users("s", 2).await, ["a"]);
    server.drop_path(ALL_SHOOTS);
    server.refuse("/apis/core.gardener.cloud", 503, "not now");
    assert_eq!(watching.users("s", 300).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn each_listed_namespace_is_watched_by_itself() {
    let server = Server::with_shoots("v1beta1");
    server.refuse(ALL_SHOOTS, 403, "no");
    let of_namespace = ALL_SHOOTS.replace("/shoots", "/namespaces/garden-dev/shoots");
    server.say(&of_namespace, 200, list_of(&[shoot("a", "s")]));
    let gone = ALL_SHOOTS.replace("/shoots", "/namespaces/gone/shoots");
    server.refuse(&gone, 403, "no");
    let watching = Watching::begin(&server, &["garden-dev", "gone"]);
    assert_eq!(watching.users("s", 2).await, ["a"]);
    assert!(watching.is_ready(), "a namespace that is gone has taken the rights in it along");
}

/// What is done about the last Secret.
fn last_secret(action: &str) -> Configuration {
    let header = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration";
    let findings = format!("modules: {{findings: {{lastSecret: {action}}}}}");
    Configuration::parse(&format!("{header}\n{findings}")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_selects_secrets_is_followed_as_long_as_something_is_done_about_the_last_one() {
    const GROUP: &str = "/apis/operator.kyma-project.io";
    let server = Server::default();
    let version = json!({"groupVersion": "operator.kyma-project.io/v1beta2", "version": "v1beta2"});
    server.say(GROUP, 200, json!({"name": "operator.kyma-project.io", "versions": [version]}));
    let manifests =
        json!({"name": "manifests", "kind": "Manifest", "namespaced": true, "singularName": "", "verbs": []});
    let resources = json!({"groupVersion": "operator.kyma-project.io/v1beta2", "resources": [manifests]});
    server.say(&format!("{GROUP}/v1beta2"), 200, resources);
    let selector = json!({"matchLabels": {"a": "b"}});
    let manifest = |name: &str| {
        json!({
            "metadata": {"namespace": "kcp-system", "name": name, "uid": name, "resourceVersion": "7"},
            "spec": {"install": {"source": {"repo": "ghcr.io", "name": "m", "credSecretSelector": selector}}},
        })
    };
    server.say(&format!("{GROUP}/v1beta2/manifests"), 200, list_of(&[manifest("a")]));
    server.tell("ADDED", &manifest("b"));
    server.tell("DELETED", &manifest("a"));
    let rules = Current::default();
    rules.replace(last_secret("Ignore"));
    let watching = Watching::begin_by(&server, &[], rules.clone());
    assert_eq!(watching.selecting(60).await, [""; 0]);
    assert_eq!(server.requests(GROUP), [""; 0], "nobody asks for it");
    rules.replace(Configuration::default());
    assert_eq!(watching.selecting(5).await, ["Manifest kcp-system/a"]);
    watching.seen.take();
    assert_eq!(watching.selecting(30).await, ["Manifest kcp-system/b"]);
    assert!(watching.seen.take().is_empty(), "no Secret is marked for it");
    rules.replace(last_secret("Ignore"));
    assert_eq!(watching.selecting(1).await, [""; 0]);
}

#[test]
fn an_object_is_read_whatever_it_says_of_its_kind() {
    for kind in [json!(null), json!("Shoot")] {
        let mut object = shoot("a", "s");
        object["kind"] = kind;
        object["metadata"]["labels"] = json!("of another type");
        let observed: Observed = serde_json::from_str(&object.to_string()).unwrap();
        assert_eq!(key_of(&observed.metadata), Some(key("a")));
        assert_eq!(observed.metadata.resource_version.as_deref(), Some("7"));
    }
}
