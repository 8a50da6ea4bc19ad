//! Credentials that are created, changed and deleted while the servers run.

use serde_json::json;

use super::scene::{CREDENTIALS, Scene, pull_secrets, secrets};
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, registry_credential, registry_secret};

#[tokio::test]
async fn a_second_credential_whose_source_is_in_a_namespace_already_watched_is_served() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("second").await;
    let sources = scene.namespace("watched").await;
    // Both Secrets are there before the namespace is watched for the first of them.
    let names = [unique("watched"), unique("watched")];
    for name in &names {
        scene
            .create(&secrets(&sources), &registry_secret(&sources, name, &[&format!("{name}.example")]))
            .await;
    }
    for name in &names {
        let spec = json!({"namespaces": [namespace]});
        scene.create(CREDENTIALS, &registry_credential(name, (&sources, name), spec)).await;
        let asked = pod(&namespace, "asked", &[&format!("{name}.example/app")]);
        let expected = [format!("regcred-{name}")];
        scene
            .until(&asked, |opinion| {
                opinion.names == expected && !opinion.warnings.iter().any(|said| said.contains("waits for"))
            })
            .await;
    }
    let images: Vec<String> = names.iter().map(|name| format!("{name}.example/app")).collect();
    let both = pod(&namespace, "both", &[&images[0], &images[1]]);
    let mut expected: Vec<String> = names.iter().map(|name| format!("regcred-{name}")).collect();
    expected.sort();
    assert_eq!(pull_secrets(&scene.create_pod(&both).await.object()), expected);
}

#[tokio::test]
async fn a_namespace_that_is_added_later_is_served_and_one_that_is_excluded_is_not() {
    let scene = Scene::enter().await;
    let (first, added) = (scene.namespace("present").await, scene.namespace("added").await);
    let offer = scene.offer(&first).await;
    let before = scene.create_pod(&pod(&added, "before", &[&offer.image()])).await.object();
    assert!(pull_secrets(&before).is_empty());

    let path = format!("{CREDENTIALS}/{}", offer.credential);
    scene.merge(&path, &json!({"spec": {"namespaces": [first, added]}})).await;
    scene.known(&added, &offer).await;
    let after = scene.create_pod(&pod(&added, "after", &[&offer.image()])).await.object();
    assert_eq!(pull_secrets(&after), [offer.copy()]);
    scene.secret(&added, &offer.copy()).await;

    scene.merge(&path, &json!({"spec": {"excludeNamespaces": [added]}})).await;
    scene.until(&pod(&added, "asked", &[&offer.image()]), |opinion| opinion.names.is_empty()).await;
    let excluded = scene.create_pod(&pod(&added, "excluded", &[&offer.image()])).await.object();
    assert!(pull_secrets(&excluded).is_empty());
    scene.known(&first, &offer).await;
}

#[tokio::test]
async fn globs_and_labels_select_namespaces_also_when_a_label_comes_later() {
    let scene = Scene::enter().await;
    let (globbed, labelled) = (scene.namespace("glob-of-its-own").await, scene.namespace("labelled").await);
    let label = unique("team");
    let spec = json!({"namespaces": ["glob-of-its-*"], "namespaceSelector": {"matchLabels": {&label: "a"}}});
    let offer = scene.offer_unseen("selected", spec).await;
    scene.known(&globbed, &offer).await;
    let unlabelled = scene.create_pod(&pod(&labelled, "unlabelled", &[&offer.image()])).await.object();
    assert!(pull_secrets(&unlabelled).is_empty());
    scene
        .merge(&format!("/api/v1/namespaces/{labelled}"), &json!({"metadata": {"labels": {&label: "a"}}}))
        .await;
    scene.known(&labelled, &offer).await;
    for namespace in [&globbed, &labelled] {
        let stored = scene.create_pod(&pod(namespace, "app", &[&offer.image()])).await.object();
        assert_eq!(pull_secrets(&stored), [offer.copy()], "{namespace}");
    }
}

#[tokio::test]
async fn images_that_are_narrowed_later_leave_the_others_out() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("narrowed").await;
    let offer = scene.offer(&namespace).await;
    let (inside, outside) =
        (format!("{}/team/app", offer.registry), format!("{}/teamwork/app", offer.registry));
    let served = async |name: &str, image: &str| {
        pull_secrets(&scene.create_pod(&pod(&namespace, name, &[image])).await.object()) == [offer.copy()]
    };
    assert!(served("inside-before", &inside).await && served("outside-before", &outside).await);
    let path = format!("{CREDENTIALS}/{}", offer.credential);
    scene.merge(&path, &json!({"spec": {"images": [format!("{}/team", offer.registry)]}})).await;
    scene.until(&pod(&namespace, "asked", &[&outside]), |opinion| opinion.names.is_empty()).await;
    assert!(served("inside-after", &inside).await);
    assert!(!served("outside-after", &outside).await);
}

#[tokio::test]
async fn a_copy_that_somebody_deletes_comes_back_while_pods_rely_on_it() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("remade").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "before", &[&offer.image()])).await.object();
    let former = scene.secret(&namespace, &offer.copy()).await;
    let path = format!("{}/{}", secrets(&namespace), offer.copy());
    scene.delete(&path).await;
    let copy = scene.eventually("the copy, made anew", async || scene.get(&path).await).await;
    assert_eq!(copy["data"], former["data"]);
    assert_ne!(copy["metadata"]["uid"], former["metadata"]["uid"]);
}

/// The garbage collector looks for new kinds every 30 s; what happens to an object of a kind that it does not know
/// yet, it finds out with pauses that grow.
async fn the_garbage_collector_knows_credentials(scene: &Scene) {
    let namespace = scene.namespace("collected").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    scene.delete(&format!("{CREDENTIALS}/{}", offer.credential)).await;
    the_copy_is_collected(scene, &namespace).await;
}

async fn the_copy_is_collected(scene: &Scene, namespace: &str) {
    let gone = async || scene.secret_names(namespace).await.is_empty().then_some(());
    scene.eventually("the end of the copy", gone).await;
}

#[tokio::test]
async fn copies_of_a_deleted_credential_go_and_pods_get_its_name_no_more() {
    let scene = Scene::enter().await;
    let (one, two) = (scene.namespace("gone").await, scene.namespace("gone").await);
    let offer = scene.offer_unseen("gone", json!({"namespaces": [one, two]})).await;
    scene.known(&one, &offer).await;
    for namespace in [&one, &two] {
        scene.create_pod(&pod(namespace, "before", &[&offer.image()])).await.object();
        scene.secret(namespace, &offer.copy()).await;
    }
    scene.delete(&format!("{CREDENTIALS}/{}", offer.credential)).await;
    for namespace in [&one, &two] {
        the_copy_is_collected(&scene, namespace).await;
    }
    scene.until(&pod(&one, "asked", &[&offer.image()]), |opinion| opinion.names.is_empty()).await;
    let after = scene.create_pod(&pod(&one, "after", &[&offer.image()])).await.object();
    assert!(pull_secrets(&after).is_empty());
    assert!(scene.secret_names(&one).await.is_empty());
}

#[tokio::test]
async fn a_credential_that_is_deleted_and_made_anew_ends_with_a_copy_of_its_own() {
    let scene = Scene::enter().await;
    the_garbage_collector_knows_credentials(&scene).await;
    let namespace = scene.namespace("anew").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "before", &[&offer.image()])).await.object();
    let former = scene.secret(&namespace, &offer.copy()).await;
    scene.delete(&format!("{CREDENTIALS}/{}", offer.credential)).await;
    let spec = json!({"namespaces": [namespace]});
    let source = (&*offer.source.0, &*offer.source.1);
    let anew = scene.create(CREDENTIALS, &registry_credential(&offer.credential, source, spec)).await;
    scene.known(&namespace, &offer).await;
    let after = scene.create_pod(&pod(&namespace, "after", &[&offer.image()])).await;
    assert_eq!(pull_secrets(&after.object()), [offer.copy()]);
    let of_its_own = async || {
        let copy = scene.get(&format!("{}/{}", secrets(&namespace), offer.copy())).await?;
        (copy["metadata"]["ownerReferences"][0]["uid"] == anew["metadata"]["uid"]).then_some(copy)
    };
    let copy = scene.eventually("the new credential's copy", of_its_own).await;
    assert_ne!(copy["metadata"]["uid"], former["metadata"]["uid"]);
}
