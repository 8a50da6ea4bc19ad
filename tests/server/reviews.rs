//! Real reviews, answered by the reviewer of `regcred serve`: well-formed whatever comes in.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::{Client, Config};
use prometheus::Registry;
use regcred::admission::{Needs, Reviewer};
use regcred::cluster::carrier::Carrier;
use regcred::cluster::pending::Pending;
use regcred::cluster::protection::Inquiry;
use regcred::configuration::Current;
use regcred::events::{Limits, Recorder};
use regcred::knowledge::Index;
use regcred::model::copy::copy_of;
use regcred::model::scope::Scope;
use regcred::model::source::SourceState;
use regcred::policy::Rule;
use regcred::server::{Readiness, ReviewRoutes};
use regcred::telemetry::admission_metrics::AdmissionMetrics;
use regcred::telemetry::copy_metrics::CopyMetrics;
use regcred::telemetry::event_metrics::EventMetrics;
use serde_json::{Value, json};

use crate::harness::credentials::{registry_credential, registry_secret};
use crate::kit::{Answer, Authority, Mounted, Options, TestServer, connect, exchange, issue, post, trusting};

const MIB: usize = 1024 * 1024;

/// A reviewer that knows namespace `team-a`, a credential for ghcr.io, and its copy there: it needs no API server.
fn reviewer(readiness: &Readiness) -> Reviewer {
    let index = Index::new("regcred-system");
    index.apply_namespace(&serde_json::from_value(json!({"name": "team-a"})).unwrap());
    let credential = registry_credential("ghcr", ("sources", "ghcr"), json!({"namespaces": ["*"]}));
    index.apply_credential(&serde_json::from_value(credential).unwrap()).unwrap();
    index.apply_source(&serde_json::from_value(registry_secret("sources", "ghcr", &["ghcr.io"])).unwrap());
    let known = index.snapshot();
    let credential = &known.credentials["ghcr"];
    let SourceState::Good(source) = &known.sources[&credential.source].state else {
        panic!("the source is good");
    };
    index.apply_copy(&copy_of(source, credential, &credential.copy_in("team-a")));
    let client = Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let (registry, index, pending) = (Registry::new(), Arc::new(index), Pending::default());
    let copies = CopyMetrics::register(&registry).unwrap();
    let carrier = Carrier::new(client.clone(), Arc::clone(&index), pending.clone(), copies);
    let metrics = AdmissionMetrics::register(&registry).unwrap();
    let inquiry = Inquiry::new(client.clone(), Scope::All);
    let needs = Needs::new(client.clone(), &Scope::All, carrier, inquiry, metrics.clone());
    let event_metrics = EventMetrics::register(&registry).unwrap();
    let (recorder, _) = Recorder::new(client, "regcred-0", Limits::default(), event_metrics);
    Reviewer::new(index, Current::default(), needs, pending, readiness.clone(), metrics, recorder)
}

/// The route of the mutating webhook.
fn review_route(routes: ReviewRoutes, readiness: &Readiness) -> ReviewRoutes {
    let reviewer = reviewer(readiness);
    routes.route(Rule::Inject.path(), move |body, deadline| {
        let reviewer = reviewer.clone();
        async move { reviewer.answer(Rule::Inject, body, deadline).await }
    })
}

struct Bench {
    server: TestServer,
    authority: Authority,
    _secret: Mounted,
}

impl Bench {
    async fn new() -> Self {
        let authority = Authority::new("the tests' authority");
        let secret = Mounted::new(&issue(&authority));
        let server =
            TestServer::start(secret.path(), Options { more_routes: review_route, ..Options::default() })
                .await;
        Self { server, authority, _secret: secret }
    }

    async fn send(&self, body: &[u8]) -> Answer {
        let mut stream =
            connect(self.server.webhook, trusting(&self.authority, &[b"http/1.1"])).await.unwrap();
        let mut request = post("/mutate/pods?timeout=3s", body.len()).into_bytes();
        request.extend_from_slice(body);
        exchange(&mut stream, &request).await.unwrap()
    }

    /// The response in an answer that must be a well-formed AdmissionReview.
    async fn response(&self, body: &[u8]) -> Value {
        let answer = self.send(body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json")),
            "{answer:?}"
        );
        let review: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&review["apiVersion"], &review["kind"]),
            (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
        );
        assert_eq!(review["response"]["allowed"], json!(true));
        review["response"].clone()
    }
}

const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// A review whose pod is this text.
fn review(pod: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{UID}","operation":"CREATE",
        "namespace":"team-a","kind":{{"group":"","version":"v1","kind":"Pod"}},
        "resource":{{"group":"","version":"v1","resource":"pods"}},"userInfo":{{"username":"u"}},"object":{pod}}}}}"#
    )
}

fn pod(more: &str) -> String {
    format!(r#"{{"spec":{{"containers":[{{"name":"c","image":"ghcr.io/a"}}]{more}}}}}"#)
}

fn patched(response: &Value) -> Option<Value> {
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some(), "{response}");
    let patch = STANDARD.decode(response.get("patch")?.as_str().unwrap()).unwrap();
    Some(serde_json::from_slice(&patch).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_is_base64_of_a_json_patch_and_the_uid_is_repeated() {
    let response = Bench::new().await.response(review(&pod("")).as_bytes()).await;
    assert_eq!(response["uid"], json!(UID));
    let expected =
        json!([{"op": "add", "path": "/spec/imagePullSecrets", "value": [{"name": "regcred-ghcr"}]}]);
    assert_eq!(patched(&response), Some(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_reviews_are_judged_up_to_the_limit() {
    let bench = Bench::new().await;
    let padded = |length: usize| {
        let empty = review(&pod(r#","note":"""#)).len();
        review(&pod(&format!(r#","note":"{}""#, "x".repeat(length - empty))))
    };
    for length in [MIB * 19 / 10, MIB * 21 / 10, 6 * MIB, 7 * MIB] {
        let body = padded(length);
        assert_eq!(body.len(), length);
        assert!(patched(&bench.response(body.as_bytes()).await).is_some(), "{length} bytes");
    }
    assert_eq!(bench.send(padded(7 * MIB + 1).as_bytes()).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_review_is_told_so() {
    let bench = Bench::new().await;
    let beta = review(&pod("")).replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    let without_uid = review(&pod("")).replace("\"uid\"", "\"id\"");
    for (body, sentence) in [
        (b"".as_slice(), "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xef\xbb\xbf{}", "the body is not JSON"),
        (review("\"\u{1}\"").as_bytes(), "the body is not JSON"),
        (&[b"{\"apiVersion\":\"\xff\"}".as_slice()].concat(), "the body is not JSON"),
        (b"[]", "no AdmissionReview of admission.k8s.io/v1"),
        (b"{}", "no AdmissionReview of admission.k8s.io/v1"),
        (b"null", "no AdmissionReview of admission.k8s.io/v1"),
        (beta.as_bytes(), "no AdmissionReview of admission.k8s.io/v1"),
        (without_uid.as_bytes(), "no AdmissionReview of admission.k8s.io/v1"),
        ("[".repeat(MIB).as_bytes(), "no AdmissionReview of admission.k8s.io/v1"),
    ] {
        let answer = bench.send(body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(sentence), "{:?}: {}", &body[..body.len().min(80)], answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_and_oddities_in_fields_that_are_not_read_change_nothing() {
    let bench = Bench::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for more in [
        format!(r#","note":{deep}"#),
        r#","note":1e999"#.to_owned(),
        r#","note":1,"note":2"#.to_owned(),
        r#","note":"\u0000\ud800""#.to_owned(),
        r#","tolerations":null,"invented":{"a":[]}"#.to_owned(),
    ] {
        let response = bench.response(review(&pod(&more)).as_bytes()).await;
        assert!(
            patched(&response).is_some() && response.get("warnings").is_none(),
            "{}",
            &more[..more.len().min(60)]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_cannot_be_read_passes_unchanged_and_with_a_warning() {
    let bench = Bench::new().await;
    let deep = format!(r#","volumes":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    for pod in [
        pod(&deep),
        pod(r#","containers":[]"#),
        pod(r#","imagePullSecrets":[],"imagePullSecrets":null"#),
        pod(r#","imagePullSecrets":{}"#),
        pod(r#","initContainers":[{"image":"\ud800"}]"#),
        "[]".to_owned(),
        "7".to_owned(),
    ] {
        let response = bench.response(review(&pod).as_bytes()).await;
        assert_eq!((response["uid"].as_str(), patched(&response)), (Some(UID), None));
        assert!(
            response["warnings"][0].as_str().unwrap().starts_with("regcred could not read this pod"),
            "{response}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_read_is_answered_by_its_uid() {
    let bench = Bench::new().await;
    for (change, uid) in [
        (r#""operation":"CREATE","operation":"CREATE""#, UID),
        (r#""operation":7"#, UID),
        (r#""uid":"another","operation":"CREATE""#, "another"),
    ] {
        let body = review(&pod("")).replace(r#""operation":"CREATE""#, change);
        let response = bench.response(body.as_bytes()).await;
        assert_eq!((response["uid"].as_str(), patched(&response)), (Some(uid), None), "{change}");
        assert!(
            response["warnings"][0].as_str().unwrap().contains("could not read this request"),
            "{response}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_uid_is_repeated_as_it_came() {
    let bench = Bench::new().await;
    for uid in ["", "ä\u{10ffff}", "a\"b\\c\n\u{7f}", &"x".repeat(10_000)] {
        let body = review(&pod("")).replace(&format!("\"{UID}\""), &json!(uid).to_string());
        assert_eq!(bench.response(body.as_bytes()).await["uid"], json!(uid));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_rule_looks_at_passes() {
    let bench = Bench::new().await;
    for (from, to) in
        [("\"CREATE\"", "\"DELETE\""), ("\"CREATE\"", "\"CONNECT\""), ("\"pods\"", "\"configmaps\"")]
    {
        let body = review(&pod("")).replace(from, to);
        let response = bench.response(body.as_bytes()).await;
        assert_eq!((patched(&response), response.get("warnings")), (None, None), "{to}");
    }
    let absent = review("null");
    assert_eq!(patched(&bench.response(absent.as_bytes()).await), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_the_cluster_is_known_the_api_server_is_asked_to_come_again() {
    let bench = Bench::new().await;
    let part = bench.server.readiness.part("namespaces");
    let answer = bench.send(review(&pod("")).as_bytes()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    part.ready();
    assert_eq!(bench.send(review(&pod("")).as_bytes()).await.status, 200);
}
