//! Mode Audit beside mode Enforce: the same pods, created under each.
//!
//! On an installation of its own, for it reads counters that all pods of an installation share.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::scene::{CREDENTIALS, Offer, Scene, pods, pull_secrets, secrets};
use crate::harness::credentials::{pod, registry_secret};
use crate::harness::{Installation, User, background};

async fn scene() -> Scene {
    static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
    let start = async || background::spawn(async { Installation::start(&[]).await }).await.expect("a start");
    Scene::enter_on(INSTALLATION.get_or_init(start).await).await
}

/// What came of one pod: the pull Secrets it was given, and those that Audit said it would be given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    given: BTreeSet<String>,
    audited: BTreeSet<String>,
}

/// Pods of every kind, by what is special about them.
fn mixed_pods(
    namespace: &str,
    first: &Offer,
    second: &Offer,
    blocked: &Offer,
    elsewhere: &Offer,
    rivals: [&Offer; 2],
) -> Vec<Value> {
    let plain = |name: &str, images: &[&str]| pod(namespace, name, images);
    let (one, two) = (first.image(), second.image());
    let mut opted_out = plain("opted-out", &[&one]);
    opted_out["metadata"]["labels"] = json!({"regcred.dev/inject": "disabled"});
    let mut guarded = plain("guarded", &[&one]);
    guarded["spec"]["serviceAccountName"] = "guarded".into();
    let mut in_init_container = plain("in-init-container", &["busybox"]);
    in_init_container["spec"]["initContainers"] = json!([{"name": "init", "image": one}]);
    let mut in_image_volume = plain("in-image-volume", &["busybox"]);
    in_image_volume["spec"]["volumes"] = json!([{"name": "data", "image": {"reference": two}}]);
    let mut names_it = plain("names-it", &[&one, &two]);
    names_it["spec"]["imagePullSecrets"] = json!([{"name": first.copy()}]);
    let mut has_another = plain("has-another", &[&one]);
    has_another["spec"]["imagePullSecrets"] = json!([{"name": "another"}]);
    let mut mirror = plain("mirror", &[&one]);
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "0123"});
    mirror["spec"]["nodeName"] = "n1".into();
    vec![
        plain("needs-one", &[&one]),
        plain("needs-one-twice", &[&one, &one]),
        plain("needs-both", &[&one, &two, "busybox"]),
        plain("needs-none", &["busybox"]),
        plain("not-offered", &[&elsewhere.image()]),
        plain("foreign-in-the-way", &[&blocked.image()]),
        plain("foreign-for-one-of-two", &[&blocked.image(), &two]),
        plain("rival-that-is-second", &[&rivals[1].image()]),
        plain("rival-that-is-first", &[&rivals[0].image()]),
        opted_out,
        guarded,
        in_init_container,
        in_image_volume,
        names_it,
        has_another,
        mirror,
    ]
}

/// Creates the pods and takes them away again, so that they can be created once more.
async fn create_all(scene: &Scene, all: &[Value]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for pod in all {
        let (namespace, name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
        let before: BTreeSet<String> = pull_secrets(pod).into_iter().collect();
        let answer = scene.create_pod(pod).await;
        let told = answer.warnings.iter().filter_map(|warning| {
            let rest = warning.strip_prefix("audit: regcred would add pull Secret ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        let audited = told.collect();
        let after: BTreeSet<String> = pull_secrets(&answer.object()).into_iter().collect();
        outcomes.push(Outcome { given: &after - &before, audited });
        let path = format!("{}/{}", pods(namespace.as_str().unwrap()), name.as_str().unwrap());
        let at_once = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
        scene.call(User::Admin, Method::DELETE, &path, Some(&at_once)).await.object();
    }
    outcomes
}

/// The pods and the pull Secrets that Audit has counted, on all servers.
async fn counted(scene: &Scene) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for replica in scene.installation().replicas() {
        let metrics = replica.metrics().await;
        sums.0 += metrics.sum("regcred_audit_pods_total", &[]);
        sums.1 += metrics.sum("regcred_audit_injections_total", &[]);
    }
    sums
}

async fn set_mode(scene: &Scene, namespace: &str, offer: &Offer, mode: &str) {
    let path = format!("{CREDENTIALS}/{}", offer.credential);
    scene.merge(&path, &json!({"spec": {"mode": mode}})).await;
    let asked = pod(namespace, "asked", &[&offer.image()]);
    scene
        .until(&asked, |opinion| {
            // A Secret in the way is told of in both modes, and only in one as what is being tried.
            opinion.warnings.iter().any(|text| text.starts_with("audit: ")) == (mode == "Audit")
        })
        .await;
}

fn total(outcomes: &[Outcome], of: impl Fn(&Outcome) -> usize) -> (f64, f64) {
    let counts = outcomes.iter().map(of);
    let (pods, names) = counts.fold((0_u32, 0_u32), |(pods, names), count| {
        (pods + u32::from(count > 0), names + u32::try_from(count).unwrap())
    });
    (f64::from(pods), f64::from(names))
}

#[tokio::test]
async fn enforce_injects_exactly_the_pods_that_audit_counted() {
    let scene = scene().await;
    let namespace = scene.namespace("audited").await;
    let (first, second) = (scene.offer(&namespace).await, scene.offer(&namespace).await);
    let blocked = scene.offer_unseen(&namespace, json!({"namespaces": [namespace]})).await;
    let elsewhere = scene.offer_unseen(&namespace, json!({"namespaces": ["elsewhere"]})).await;
    let foreign = registry_secret(&namespace, &blocked.copy(), &["another.example"]);
    scene.create(&secrets(&namespace), &foreign).await;
    let account = json!({"metadata": {
        "name": "guarded", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"},
    }});
    scene.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await;
    let one_name = json!({"namespaces": [namespace], "copyName": "shared"});
    let rivals = [("rival-1", &one_name), ("rival-2", &one_name)];
    let rivals = [
        scene.offer_unseen(rivals[0].0, rivals[0].1.clone()).await,
        scene.offer_unseen(rivals[1].0, rivals[1].1.clone()).await,
    ];
    let all = mixed_pods(&namespace, &first, &second, &blocked, &elsewhere, [&rivals[0], &rivals[1]]);
    for offer in [&first, &second, &blocked, &rivals[1], &rivals[0]] {
        set_mode(&scene, &namespace, offer, "Audit").await;
    }
    let guarded = all.iter().find(|pod| pod["metadata"]["name"] == "guarded").unwrap();
    let limits = |texts: &[String]| texts.iter().any(|text| text.contains("ServiceAccount guarded"));
    scene.until(guarded, |opinion| limits(&opinion.warnings)).await;

    let before = counted(&scene).await;
    let audited = create_all(&scene, &all).await;
    let after = counted(&scene).await;
    assert!(audited.iter().all(|outcome| outcome.given.is_empty()), "{audited:?}");
    assert_eq!(scene.secret_names(&namespace).await, [blocked.copy()], "nothing is copied");
    assert_eq!((after.0 - before.0, after.1 - before.1), total(&audited, |outcome| outcome.audited.len()));

    set_mode(&scene, &namespace, &second, "Enforce").await;
    let before = counted(&scene).await;
    let mixed = create_all(&scene, &all).await;
    let after = counted(&scene).await;
    assert_eq!((after.0 - before.0, after.1 - before.1), total(&mixed, |outcome| outcome.audited.len()));

    for offer in [&first, &blocked, &rivals[0], &rivals[1]] {
        set_mode(&scene, &namespace, offer, "Enforce").await;
    }
    let enforced = create_all(&scene, &all).await;
    assert_eq!(counted(&scene).await, after, "what is enforced is not counted as audited");
    for ((pod, enforced), (audited, mixed)) in all.iter().zip(&enforced).zip(audited.iter().zip(&mixed)) {
        let name = &pod["metadata"]["name"];
        assert_eq!(enforced.given, audited.audited, "{name}");
        assert_eq!(enforced.given, &mixed.given | &mixed.audited, "{name} with one credential in each mode");
        assert!(enforced.audited.is_empty(), "{name}");
        assert!(mixed.given.is_subset(&BTreeSet::from([second.copy()])), "{name}: {mixed:?}");
    }
    let injected: Vec<&str> = all
        .iter()
        .zip(&enforced)
        .filter(|(_, outcome)| !outcome.given.is_empty())
        .map(|(pod, _)| pod["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        injected,
        [
            "needs-one",
            "needs-one-twice",
            "needs-both",
            "foreign-for-one-of-two",
            "rival-that-is-first",
            "in-init-container",
            "in-image-volume",
            "names-it",
            "has-another",
        ]
    );
}
