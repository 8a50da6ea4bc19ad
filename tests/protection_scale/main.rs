//! What protection costs in a large garden, on a real API server; the figures are printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

use std::io::Write as _;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::gardener::{know_shoots, shoot};
use crate::harness::{ControlPlane, Installation, Options, User};

/// Shoots of one namespace, and namespaces with a Shoot each.
const MANY: usize = 10_000;
/// As many as keep the API server of two cores busy.
const AT_ONCE: usize = 64;
/// Half of what the entries of Secrets give a review (`timeoutSeconds: 10`).
const HALF_THE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a Shoot has besides what points to Secrets, in bytes: one of a real garden has 5.7 KB.
const FILLING: usize = 5_300;
/// What `manifests/deployment.yaml` lets a server have, in MiB.
const MEMORY_LIMIT: u64 = 512;
/// When what the watches have to show at the start is there.
const KNOWN: Duration = Duration::from_mins(2);

fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "protection_scale: {text}");
}

/// One at a time: each keeps the machine busy, and is measured.
async fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    ONE_AT_A_TIME.lock().await
}

/// A control plane before regcred comes: what is created is not reviewed.
async fn garden(options: Options) -> (ControlPlane, Client) {
    let control_plane = ControlPlane::start(options).await;
    know_shoots(&control_plane).await;
    let client = control_plane.client(User::Admin).await;
    (control_plane, client)
}

fn shoots(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("core.gardener.cloud", "v1beta1", "Shoot"));
    Api::namespaced_with(client.clone(), namespace, &kind)
}

async fn create_shoots(client: &Client, each: impl Iterator<Item = (String, String)>) {
    let create = |(namespace, name): (String, String)| {
        let shoots = shoots(client, &namespace);
        let mut object = shoot(&namespace, &name, &["used"]);
        object["metadata"]["annotations"] = json!({"filling": "x".repeat(FILLING)});
        async move {
            shoots.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
        }
    };
    stream::iter(each).map(create).buffer_unordered(AT_ONCE).for_each(async |_| {}).await;
}

async fn create_secret(client: &Client, namespace: &str, name: &str) {
    let secret =
        json!({"metadata": {"name": name}, "stringData": {"username": "john", "password": "swordfish"}});
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
}

async fn create_namespace(client: &Client, name: String) {
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

/// How long a deletion takes, and whether it is done.
async fn delete(client: &Client, namespace: &str, name: &str) -> (Duration, bool) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let begun = Instant::now();
    let deleted = secrets.delete(name, &DeleteParams::default()).await;
    (begun.elapsed(), deleted.is_ok())
}

/// The same for one that may be taken to be in use for a moment still: the watches have to show that it is not.
async fn delete_at_last(client: &Client, namespace: &str, name: &str) -> (Duration, bool) {
    let begun = Instant::now();
    loop {
        let (took, is_done) = delete(client, namespace, name).await;
        if is_done || begun.elapsed() > KNOWN {
            return (took, is_done);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until regcred's entries are asked, and every Secret that is pointed to is marked.
async fn until_marked(installation: &Installation, client: &Client, count: usize) -> Duration {
    let begun = Instant::now();
    let marked = ListParams::default().labels("regcred.dev/in-use");
    loop {
        let all: Api<Secret> = Api::all(client.clone());
        let there = all.list_metadata(&marked).await.unwrap().items.len();
        if there >= count {
            installation.registered().await;
            return begun.elapsed();
        }
        assert!(begun.elapsed() < KNOWN, "{there} of {count} Secrets are marked");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What the servers keep, in MiB.
fn resident(installation: &Installation) -> Vec<u64> {
    let of = |process: u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1_024
    };
    installation.replicas().iter().map(|replica| of(replica.process_id())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_shoots_hold_no_deletion_up_for_half_the_time_it_has() {
    let _turn = turn().await;
    let options = Options { controller_manager: false, ..Options::default() };
    let (control_plane, client) = garden(options).await;
    let begun = Instant::now();
    let one = "one-garden".to_owned();
    create_namespace(&client, one.clone()).await;
    for name in ["used", "free-1", "free-2", "free-3", "released"] {
        create_secret(&client, &one, name).await;
    }
    create_shoots(&client, (0..MANY).map(|number| (one.clone(), format!("shoot-{number}")))).await;
    figure(&format!("{MANY} Shoots of one namespace created in {:.1?}", begun.elapsed()));
    let installation = Installation::install_into(control_plane, &[]).await;
    let marked = until_marked(&installation, &client, 1).await;
    figure(&format!(
        "known and marked {marked:.1?} after the servers are ready; they keep {:?} MiB",
        resident(&installation)
    ));
    let mut quickest = Duration::MAX;
    for name in ["free-1", "free-2", "free-3"] {
        let (took, is_done) = delete(&client, &one, name).await;
        figure(&format!("a Secret that nothing points to is deleted beside {MANY} Shoots in {took:.2?}"));
        assert!(is_done, "{name}");
        quickest = quickest.min(took);
    }
    // A busy machine, and a server that is not optimized, are slower at times; no answer was given up, all the same.
    assert!(quickest < HALF_THE_TIMEOUT, "{quickest:?}");
    let mut decided = 0.0;
    for replica in installation.replicas() {
        let of_rule = [("rule", "secret_deletions"), ("reason", "not_in_use")];
        decided += replica.metrics().await.sum("regcred_decisions_total", &of_rule);
    }
    assert!(decided > 2.5, "{decided} of 3 deletions were decided");
    // One that was in use a moment ago has its mark still.
    let shoots = shoots(&client, &one);
    let pointing = |name: &str| serde_json::from_value(shoot(&one, "brief", &[name])).unwrap();
    shoots.create(&PostParams::default(), &pointing("released")).await.unwrap();
    shoots.delete("brief", &DeleteParams::default()).await.unwrap();
    let (took, is_done) = delete_at_last(&client, &one, "released").await;
    figure(&format!("one that a Shoot has just let go of is deleted in {took:.2?}"));
    assert!(is_done, "released");
    let (took, is_done) = delete(&client, &one, "used").await;
    figure(&format!("one that all of them point to is refused in {took:.2?}"));
    assert!(!is_done && took < HALF_THE_TIMEOUT, "{is_done}, {took:?}");
    let kept = resident(&installation);
    figure(&format!("the servers keep {kept:?} MiB"));
    assert!(kept.iter().all(|kept| *kept < MEMORY_LIMIT), "{kept:?} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garden_of_ten_thousand_namespaces_is_told_in_figures() {
    let _turn = turn().await;
    let options = Options { controller_manager: false, ..Options::default() };
    let (control_plane, client) = garden(options).await;
    let begun = Instant::now();
    let names: Vec<String> = (0..MANY).map(|number| format!("garden-{number}")).collect();
    let fill = async |name: String| {
        create_namespace(&client, name.clone()).await;
        create_secret(&client, &name, "used").await;
    };
    stream::iter(names.clone()).map(fill).buffer_unordered(AT_ONCE).for_each(async |()| {}).await;
    create_shoots(&client, names.iter().map(|name| (name.clone(), "shoot".to_owned()))).await;
    create_secret(&client, &names[0], "free").await;
    figure(&format!("{MANY} namespaces with a Shoot and its Secret each created in {:.1?}", begun.elapsed()));
    let installation = Installation::install_into(control_plane, &[]).await;
    let marked = until_marked(&installation, &client, MANY).await;
    figure(&format!(
        "{MANY} Secrets marked {marked:.1?} after the servers are ready; they keep {:?} MiB",
        resident(&installation)
    ));
    let (took, is_done) = delete(&client, &names[0], "free").await;
    figure(&format!("a Secret that nothing points to is deleted in {took:.2?}"));
    assert!(is_done && took < HALF_THE_TIMEOUT, "{is_done}, {took:?}");
    let (took, is_done) = delete(&client, &names[1], "used").await;
    figure(&format!("one that is pointed to is refused in {took:.2?}"));
    assert!(!is_done && took < HALF_THE_TIMEOUT, "{is_done}, {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_five_hundred_shares_its_lists() {
    const SECRETS: usize = 500;
    const SHOOTS: usize = 100;
    /// Of each kind, by both servers together. Twenty workers make at least 25 waves, and each server lists once for its part of one.
    const LISTS: usize = 100;
    let _turn = turn().await;
    let options = Options { controller_manager: false, delete_collection_workers: 20, ..Options::default() };
    let (control_plane, client) = garden(options).await;
    let namespace = "collection".to_owned();
    create_namespace(&client, namespace.clone()).await;
    create_secret(&client, "default", "used").await;
    let names = (0..SECRETS).map(|number| format!("free-{number}"));
    let create = async |name: String| create_secret(&client, &namespace, &name).await;
    stream::iter(names).map(create).buffer_unordered(AT_ONCE).for_each(async |()| {}).await;
    create_secret(&client, &namespace, "used").await;
    create_shoots(&client, (0..SHOOTS).map(|number| (namespace.clone(), format!("shoot-{number}")))).await;
    let installation = Installation::install_into(control_plane, &[]).await;
    until_marked(&installation, &client, 1).await;
    let position = installation.control_plane().audit().position().await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let begun = Instant::now();
    let unmarked = ListParams::default().labels("!regcred.dev/in-use");
    secrets.delete_collection(&DeleteParams::default(), &unmarked).await.unwrap();
    let took = begun.elapsed();
    let left = secrets.list_metadata(&ListParams::default()).await.unwrap().items.len();
    assert_eq!(left, 1, "the one in use alone is left");
    let kinds = ["shoots", "secretbindings", "credentialsbindings", "registrycacheconfigs"];
    let mut lists = std::collections::BTreeMap::new();
    for replica in installation.replicas() {
        let made = installation
            .control_plane()
            .audit()
            .since(position, |call| replica.made(call) && call.verb == "list");
        for call in made.await {
            *lists.entry(call.resource.clone()).or_insert(0) += 1;
        }
    }
    let counts = kinds.map(|kind| lists.get(kind).copied().unwrap_or(0));
    figure(&format!(
        "{SECRETS} Secrets deleted by 20 workers in {took:.1?}, with {counts:?} lists of {kinds:?}"
    ));
    assert!(counts.iter().all(|count| *count <= LISTS) && counts[0] > 0, "{counts:?}");
}
