//! The outcomes of a pod that needs a credential whose source is missing, broken, of another type, or of the old one.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::scene::{CREDENTIALS, Offer, Scene, pull_secrets, secrets};
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, raw_secret, registry_credential, registry_secret};

/// A credential for a namespace, whose source is what a test makes of it.
async fn credential(scene: &Scene, prefix: &str) -> (String, Offer) {
    let namespace = scene.namespace(prefix).await;
    let name = unique(prefix);
    let sources = scene.sources().await;
    let spec = json!({"namespaces": [namespace]});
    scene.create(CREDENTIALS, &registry_credential(&name, (sources, &name), spec)).await;
    let registry = format!("{name}.example");
    (namespace, Offer { credential: name.clone(), registry, source: (sources.to_owned(), name) })
}

fn good_source(offer: &Offer) -> Value {
    registry_secret(&offer.source.0, &offer.source.1, &[&offer.registry])
}

/// Content that the kubelet cannot decode: `auth` is base64, but of no pair.
fn broken_source(offer: &Offer) -> Value {
    let auth = BASE64_STANDARD.encode("password-of-nobody");
    let content = json!({"auths": {&offer.registry: {"auth": auth}}});
    raw_secret(&offer.source.0, &offer.source.1, &content.to_string())
}

fn source_path(offer: &Offer) -> String {
    format!("{}/{}", secrets(&offer.source.0), offer.source.1)
}

/// Waits until every server says this of a pod.
async fn until_told(scene: &Scene, namespace: &str, offer: &Offer, text: &str) {
    let asked = pod(namespace, "asked", &[&offer.image()]);
    scene.until(&asked, |opinion| opinion.warnings.iter().any(|warning| warning.contains(text))).await;
}

/// The name is injected, for pull Secrets can never be added later, and the copy comes when the source has.
async fn awaits_its_source(scene: &Scene, namespace: &str, offer: &Offer) {
    until_told(scene, namespace, offer, "waits for").await;
    let answer = scene.create_pod(&pod(namespace, "app", &[&offer.image()])).await;
    let (source, name) = &offer.source;
    let expected = format!(
        "pull Secret {} waits for its source {source}/{name}, which is missing or no registry Secret",
        offer.copy()
    );
    assert_eq!(answer.warnings, [expected]);
    assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    assert!(scene.secret_names(namespace).await.is_empty());
}

#[tokio::test]
async fn a_missing_source_is_awaited_and_carried_without_another_pod() {
    let scene = Scene::enter().await;
    let (namespace, offer) = credential(&scene, "missing").await;
    awaits_its_source(&scene, &namespace, &offer).await;
    let source = scene.create(&secrets(&offer.source.0), &good_source(&offer)).await;
    assert_eq!(scene.secret(&namespace, &offer.copy()).await["data"], source["data"]);
}

#[tokio::test]
async fn a_source_of_another_type_counts_as_missing_until_it_is_replaced() {
    let scene = Scene::enter().await;
    let (namespace, offer) = credential(&scene, "opaque").await;
    let mut opaque = good_source(&offer);
    opaque["type"] = "Opaque".into();
    scene.create(&secrets(&offer.source.0), &opaque).await;
    awaits_its_source(&scene, &namespace, &offer).await;
    scene.delete(&source_path(&offer)).await;
    let source = scene.create(&secrets(&offer.source.0), &good_source(&offer)).await;
    let copy = scene.secret(&namespace, &offer.copy()).await;
    assert_eq!((&copy["type"], &copy["data"]), (&source["type"], &source["data"]));
}

#[tokio::test]
async fn a_source_that_the_kubelet_cannot_decode_is_named_not_carried_and_not_injected_until_it_is_mended() {
    let scene = Scene::enter().await;
    let (namespace, offer) = credential(&scene, "broken").await;
    scene.create(&secrets(&offer.source.0), &broken_source(&offer)).await;
    until_told(&scene, &namespace, &offer, "is broken").await;
    let answer = scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await;
    let (source, name) = &offer.source;
    let expected = format!(
        "pull Secret {} not added: {source}/{name} is broken: auth of \"{}\" is no base64 of user:password",
        offer.copy(),
        offer.registry
    );
    let [warning] = answer.warnings.as_slice() else {
        panic!("{:?}", answer.warnings);
    };
    // Long names leave no room for the end.
    let is_cut = warning.strip_suffix('…').is_some_and(|said| expected.starts_with(said));
    assert!(is_cut || *warning == expected, "{warning:?} is not {expected:?}");
    assert!(pull_secrets(&answer.object()).is_empty());
    assert!(scene.secret_names(&namespace).await.is_empty());

    scene.merge(&source_path(&offer), &json!({"data": good_source(&offer)["data"]})).await;
    scene.known(&namespace, &offer).await;
    let next = scene.create_pod(&pod(&namespace, "next", &[&offer.image()])).await;
    assert!(next.warnings.is_empty(), "{:?}", next.warnings);
    assert_eq!(pull_secrets(&next.object()), [offer.copy()]);
}

#[tokio::test]
async fn a_copy_that_is_there_is_used_while_its_source_is_broken_or_gone() {
    let scene = Scene::enter().await;
    let (namespace, offer) = credential(&scene, "later").await;
    let other = scene.namespace("later").await;
    let path = format!("{CREDENTIALS}/{}", offer.credential);
    scene.merge(&path, &json!({"spec": {"namespaces": [namespace, other]}})).await;
    let good = scene.create(&secrets(&offer.source.0), &good_source(&offer)).await;
    scene.known(&namespace, &offer).await;
    scene.known(&other, &offer).await;
    scene.create_pod(&pod(&namespace, "before", &[&offer.image()])).await.object();
    let used = async |name: &str| {
        let answer = scene.create_pod(&pod(&namespace, name, &[&offer.image()])).await;
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
        assert_eq!(scene.secret(&namespace, &offer.copy()).await["data"], good["data"]);
    };

    scene.merge(&source_path(&offer), &json!({"data": broken_source(&offer)["data"]})).await;
    until_told(&scene, &other, &offer, "broken").await;
    used("while-broken").await;

    scene.delete(&source_path(&offer)).await;
    until_told(&scene, &other, &offer, "waits for").await;
    used("while-gone").await;
}

#[tokio::test]
async fn a_source_of_the_old_type_is_carried_with_its_type() {
    let scene = Scene::enter().await;
    let (namespace, offer) = credential(&scene, "dockercfg").await;
    let auth = BASE64_STANDARD.encode("user:password-of-dockercfg");
    let content = BASE64_STANDARD.encode(json!({&offer.registry: {"auth": auth}}).to_string());
    let source = json!({
        "metadata": {"name": offer.source.1},
        "type": "kubernetes.io/dockercfg",
        "data": {".dockercfg": content},
    });
    scene.create(&secrets(&offer.source.0), &source).await;
    scene.known(&namespace, &offer).await;
    let stored = scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    assert_eq!(pull_secrets(&stored), [offer.copy()]);
    let copy = scene.secret(&namespace, &offer.copy()).await;
    assert_eq!((&copy["type"], &copy["data"]), (&source["type"], &source["data"]));
}
