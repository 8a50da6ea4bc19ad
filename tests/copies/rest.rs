//! That nothing is asked and nothing is written when all is as it should be.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::harness::audit::Event;
use crate::harness::credentials::{pod, raw_secret, registry_credential};
use crate::harness::replica::Replica;
use crate::harness::{Installation, User};

const NAMESPACES: usize = 8;
/// Longer than a watch lasts, so that each ends once and begins anew.
const REST: Duration = Duration::from_secs(65);
/// Statuses are written within five seconds, Events within a few more; a machine that is busy takes longer.
const UNTIL_REST: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(1);
/// Everything but watches, and the look at each object of the certificates once a minute.
const VERBS: [&str; 6] = ["list", "create", "update", "patch", "delete", "deletecollection"];

/// Where the certificates are, and what trusts them.
const OF_CERTIFICATES: [&str; 3] =
    ["secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_listed_and_nothing_is_written() {
    let installation = Installation::start(&["--unneeded-grace=1s", "--settle-time=2s"]).await;
    let control_plane = installation.control_plane();
    let client = control_plane.client(User::Admin).await;
    create_namespace(&client, "sources", false).await;
    for (name, distribution) in [("everywhere", "Eager"), ("needed", "OnDemand")] {
        let document = json!({"auths": {format!("{name}.example"): {"username": "u", "password": "p"}}});
        control_plane.apply(&raw_secret("sources", name, &document.to_string()).to_string()).await;
        let offer =
            json!({"distribution": distribution, "namespaceSelector": {"matchLabels": {"at": "rest"}}});
        control_plane.apply(&registry_credential(name, ("sources", name), offer).to_string()).await;
    }
    for number in 0..NAMESPACES {
        create_namespace(&client, &format!("rest-{number}"), true).await;
    }
    until(&client, "everywhere", NAMESPACES).await;
    for number in 0..NAMESPACES {
        create_pod(&client, &format!("rest-{number}")).await;
    }
    until(&client, "needed", NAMESPACES).await;
    // Half of them need it no more.
    for number in 0..NAMESPACES / 2 {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &format!("rest-{number}"));
        pods.delete("one", &DeleteParams::default().grace_period(0)).await.unwrap();
    }
    until(&client, "needed", NAMESPACES - NAMESPACES / 2).await;
    tokio::time::sleep(UNTIL_REST).await;

    let replicas = installation.replicas();
    let mut before = Vec::new();
    for replica in &replicas {
        before.push(counted(replica).await);
    }
    let position = control_plane.audit().position().await;
    tokio::time::sleep(REST).await;
    for (replica, before) in replicas.iter().zip(before) {
        // Events and leases are not in the audit log, but the server counts all its calls.
        assert_eq!(counted(replica).await, before, "calls of {}", replica.name());
        let calls = control_plane.audit().since(position, |call| replica.made(call)).await;
        let (watches, others): (Vec<Event>, Vec<Event>) =
            calls.into_iter().partition(|call| call.verb == "watch");
        let _ = writeln!(
            std::io::stderr(),
            "at rest {} began {} watches in {REST:?}, and made {} reads of single objects",
            replica.name(),
            watches.len(),
            others.len()
        );
        let is_look = |call: &&Event| call.verb == "get" && OF_CERTIFICATES.contains(&call.resource.as_str());
        assert_eq!(others.iter().filter(is_look).count(), others.len(), "{others:#?}");
        assert!(!watches.is_empty(), "watches end and begin anew");
        let is_list = |call: &&Event| call.uri.contains("sendInitialEvents");
        assert_eq!(
            watches.iter().filter(is_list).count(),
            0,
            "a watch that begins with all objects is a list"
        );
    }
}

/// The calls of a server by verb, but for those about leases.
async fn counted(replica: &Replica) -> BTreeMap<&'static str, u64> {
    let metrics = replica.metrics().await;
    let calls = |labels: &[(&str, &str)]| metrics.sum("regcred_api_requests_total", labels);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let but_for_leases =
        |verb| (calls(&[("verb", verb)]) - calls(&[("verb", verb), ("resource", "leases")])) as u64;
    VERBS.into_iter().map(|verb| (verb, but_for_leases(verb))).collect()
}

/// Waits until so many copies are there.
async fn until(client: &Client, credential: &str, count: usize) {
    let named = ListParams::default().fields(&format!("metadata.name=regcred-{credential}"));
    let (secrets, begun) = (Api::<Secret>::all(client.clone()), Instant::now());
    loop {
        let there = secrets.list(&named).await.unwrap().items.len();
        if there == count {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{there} copies of {credential}, not {count}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn create_namespace(client: &Client, name: &str, is_offered: bool) {
    let labels = if is_offered { json!({"at": "rest"}) } else { json!({}) };
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

async fn create_pod(client: &Client, namespace: &str) {
    let account = json!({"metadata": {"name": "runner"}});
    let accounts = Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(client.clone(), namespace);
    accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
    let mut pod = pod(namespace, "one", &["needed.example/app:1"]);
    pod["spec"]["serviceAccountName"] = "runner".into();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
}
