//! The bench itself: what the other tests take for granted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use harness::certificates::Authority;
use harness::dummy_webhook::{self, DummyWebhook};
use harness::network::{Backend, Mode};
use harness::oracle::{Oracle, Question};
use harness::proxy::{Proxy, WatchDelay};
use harness::{ControlPlane, Options, User};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

/// Far more than anything here takes on an idle machine, and less than a person waits.
const SECONDS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_secret_can_be_created_and_read_by_those_who_may() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("users").await;
    let create = ["create", "secret", "generic", "s", "--from-literal=a=b", "-n", &namespace];
    control_plane.kubectl_as(User::Developer, &create).await.succeeded();
    let get = ["get", "secret", "s", "-n", &namespace, "-o", "json"];
    assert_eq!(control_plane.kubectl(&get).await.json()["data"]["a"], "Yg==");
    let refusal = control_plane.kubectl_as(User::Stranger, &get).await.failed();
    assert!(refusal.contains("Forbidden"), "{refusal}");
}

#[tokio::test]
async fn the_audit_log_counts_calls_by_user_verb_resource_and_answer() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("audit").await;
    let before = control_plane.audit().position().await;
    let client = control_plane.client(User::Developer).await;
    let maps: Api<ConfigMap> = Api::namespaced(client, &namespace);
    for (name, refused) in [("a", false), ("b", false), ("a", true)] {
        assert_eq!(maps.create(&PostParams::default(), &map(name)).await.is_err(), refused, "{name}");
    }
    let dry_run = PostParams { dry_run: true, field_manager: None };
    maps.create(&dry_run, &map("c")).await.unwrap();
    let calls =
        control_plane.audit().since(before, |call| call.namespace == namespace && call.user == "developer");
    let calls = calls.await;
    let count =
        |code, dry_run| calls.iter().filter(|call| call.code == code && call.is_dry_run() == dry_run).count();
    assert_eq!((count(201, false), count(409, false), count(201, true)), (2, 1, 1));
    assert!(calls.iter().all(|call| call.verb == "create" && call.resource == "configmaps"));
}

#[tokio::test]
async fn the_api_servers_metrics_can_be_read() {
    let metrics = ControlPlane::shared().await.metrics().await;
    assert!(metrics.sum("apiserver_request_total", &[("resource", "namespaces")]) > 0.0);
    assert!(metrics.sum("apiserver_admission_webhook_fail_open_count", &[("name", "nobody")]).abs() < 0.5);
}

#[tokio::test]
async fn a_webhook_is_reached_through_its_service_until_the_way_is_cut() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("webhook").await;
    let authority = Authority::new("webhook");
    let name = format!("echo.{namespace}.svc");
    let (first, second) =
        (DummyWebhook::start(&authority, &name).await, DummyWebhook::start(&authority, &name).await);
    control_plane.apply(&dummy_webhook::objects(&namespace, "echo", &authority.pem())).await;
    let service = control_plane.network().service(&namespace, "echo", 443);
    let backends = vec![Backend::new(first.address()), Backend::new(second.address())];
    service.set_backends(backends.clone());
    let client = control_plane.client(User::Developer).await;
    let maps: Api<ConfigMap> = Api::namespaced(client, &namespace);
    let create = async |name: &str| {
        let begin = Instant::now();
        (maps.create(&PostParams::default(), &map(name)).await.map(drop), begin.elapsed())
    };
    // A new webhook configuration reaches the API server's admission within about a second.
    let mut tries = 0;
    while first.calls() + second.calls() == 0 {
        create(&format!("first-{tries}")).await.0.unwrap();
        tries += 1;
        assert!(tries < 500, "the webhook is never called");
    }

    for number in 0..4 {
        for backend in &backends {
            backend.cut();
        }
        // What is sent at the very moment of a cut is lost, for the API server does not send a review twice: at
        // most one review for each connection that was cut.
        let cut: usize = backends.iter().map(|backend| backend.connections()).sum();
        let name = format!("cut-{number}");
        let mut lost = 0;
        while let Err(error) = create(&name).await.0 {
            lost += 1;
            assert!(lost <= cut, "{lost} reviews lost of {cut} connections: {error}");
        }
    }
    assert!(backends.iter().all(|backend| backend.connections() > 0), "connections go to each in turn");

    service.set_backends(vec![backends[1].clone()]);
    backends[0].set_mode(Mode::Refused);
    let (seen_before, served_before) = (first.calls(), second.calls());
    create("moved").await.0.unwrap();
    assert_eq!((first.calls(), second.calls()), (seen_before, served_before + 1));

    let delay = Duration::from_millis(400);
    backends[1].set_mode(Mode::Slow { to_server: delay, to_client: delay });
    let (answer, elapsed) = create("slow").await;
    answer.unwrap();
    assert!(elapsed >= 2 * delay && elapsed < SECONDS, "{elapsed:?}");

    backends[1].set_mode(Mode::BlackHole);
    let (answer, elapsed) = create("lost").await;
    let error = answer.unwrap_err().to_string();
    assert!(
        error.contains("failed calling webhook") && elapsed >= dummy_webhook::TIMEOUT,
        "{elapsed:?} {error}"
    );

    backends[1].set_mode(Mode::Refused);
    let (answer, elapsed) = create("refused").await;
    let error = answer.unwrap_err().to_string();
    assert!(
        error.contains("failed calling webhook") && elapsed < dummy_webhook::TIMEOUT,
        "{elapsed:?} {error}"
    );

    backends[1].set_mode(Mode::Open);
    create("open-again").await.0.unwrap();
}

#[tokio::test]
async fn a_proxy_makes_watches_late_and_nothing_else() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("proxy").await;
    let proxy = Proxy::start(control_plane.access()).await;
    let kubeconfig: Kubeconfig = serde_json::from_value(proxy.kubeconfig(&User::Developer.token())).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(kube::Client::try_from(config).unwrap(), &namespace);
    let list = maps.list(&kube::api::ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let mut events = maps.watch(&WatchParams::default(), &version).await.unwrap().boxed();

    let delay = Duration::from_secs(1);
    proxy.delay_watches(WatchDelay::Fixed(delay));
    let begin = Instant::now();
    maps.create(&PostParams::default(), &map("late")).await.unwrap();
    maps.get("late").await.unwrap();
    let at_once = begin.elapsed();
    loop {
        let event = tokio::time::timeout(SECONDS, events.try_next()).await.unwrap().unwrap().unwrap();
        if matches!(&event, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("late")) {
            break;
        }
    }
    let arrived = begin.elapsed();
    assert!(at_once < delay && arrived >= delay, "{at_once:?} {arrived:?}");

    proxy.delay_watches(WatchDelay::Hold);
    maps.create(&PostParams::default(), &map("held")).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), events.try_next()).await.is_err());
    proxy.delay_watches(WatchDelay::None);
    assert!(tokio::time::timeout(SECONDS, events.try_next()).await.unwrap().unwrap().is_some());

    proxy.cut();
    assert!(maps.get("late").await.is_err());
    proxy.mend();
    maps.get("late").await.unwrap();
}

#[tokio::test]
async fn the_api_server_can_be_stopped_and_started_with_its_data() {
    let control_plane =
        ControlPlane::start(Options { controller_manager: false, ..Options::default() }).await;
    control_plane.kubectl(&["create", "namespace", "kept"]).await.succeeded();
    control_plane.stop_api_server().await;
    control_plane.kubectl(&["get", "namespace", "kept"]).await.failed();
    control_plane.start_api_server().await;
    control_plane.kubectl(&["get", "namespace", "kept"]).await.succeeded();
    let folder = control_plane.folder().to_owned();
    drop(control_plane);
    let kept = std::env::var_os(harness::watchdog::KEEP_VARIABLE).is_some();
    assert_eq!(folder.exists(), kept, "{}", folder.display());
}

#[test]
fn the_oracle_knows_what_the_kubelet_makes_of_busybox() {
    let answer = Oracle::start().ask(Question::Image("busybox".to_owned()));
    assert_eq!((answer.repository.as_str(), answer.tag.as_str()), ("docker.io/library/busybox", "latest"));
}

#[test]
fn the_oracle_answers_fifty_thousand_questions_in_order() {
    let questions =
        (0..50_000).map(|number| Question::Image(format!("registry.example/path/image-{number}:tag")));
    let answers = Oracle::start().ask_all(questions);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.repository, format!("registry.example/path/image-{number}"));
    }
}

fn map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}
