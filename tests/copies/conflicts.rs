//! Secrets that have the name of a copy and are another's: whether they are taken over, and what becomes of them.

use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::Installation;
use crate::harness::credentials::{raw_secret, registry_credential};
use crate::scene::{Scene, content};

const COPY_LABEL: &str = "regcred.dev/copy";
const ORIGIN: &str = "regcred.dev/origin";
/// The registry configuration that nobody else has.
const THEIRS: &str = r#"{"auths":{"theirs.example":{"username":"u","password":"theirs"}}}"#;

/// What is there under the copy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    EqualBytes,
    OtherBytes,
    OtherType,
    OwnedByAController,
    CopyOfAnotherCredential,
    CloneOfACopyElsewhere,
    EditedCloneOfACopyElsewhere,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Left,
    TakenOver,
}

#[rustfmt::skip]
const TABLE: [(Found, [Fate; 3]); 7] = [
    //                                  Refuse      Adopt            Overwrite
    (Found::EqualBytes,                  [Fate::Left, Fate::TakenOver, Fate::TakenOver]),
    (Found::OtherBytes,                  [Fate::Left, Fate::Left,      Fate::TakenOver]),
    (Found::OtherType,                   [Fate::Left, Fate::Left,      Fate::Left]),
    (Found::OwnedByAController,          [Fate::Left, Fate::Left,      Fate::Left]),
    (Found::CopyOfAnotherCredential,     [Fate::Left, Fate::Left,      Fate::Left]),
    (Found::CloneOfACopyElsewhere,       [Fate::Left, Fate::TakenOver, Fate::TakenOver]),
    (Found::EditedCloneOfACopyElsewhere, [Fate::Left, Fate::Left,      Fate::TakenOver]),
];
const CONFLICTS: [&str; 3] = ["Refuse", "Adopt", "Overwrite"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_left_or_taken_over_as_the_credential_says_and_stays_when_the_credential_goes() {
    let cells = TABLE.iter().flat_map(|(found, fates)| {
        CONFLICTS.iter().zip(fates).map(|(conflict, fate)| cell(*found, conflict, *fate))
    });
    join_all(cells).await;
}

/// One cell of the table.
async fn cell(found: Found, conflict: &str, fate: Fate) {
    let cell = format!("{found:?} with {conflict}");
    let scene = Scene::enter("conflict").await;
    let elsewhere = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager", "conflict": conflict})).await;
    scene.copy_holds(&elsewhere, "first").await;

    let namespace = scene.namespace_without_label().await;
    let before = put(&scene, found, &namespace, &elsewhere).await;
    let since = scene.control_plane().audit().position().await;
    scene.label_namespace(&namespace, Some(&scene.name)).await;
    match fate {
        Fate::Left => {
            // Twice: the answer is the same on every pass.
            if found == Found::CopyOfAnotherCredential {
                // It is seen by the watch, so nobody tries; the time of two passes goes by.
                tokio::time::sleep(Duration::from_secs(6)).await;
            } else {
                refused(&scene, since, &namespace, 2).await;
            }
            assert_eq!(scene.found(&namespace).await.as_ref(), Some(&before), "{cell}");
            assert_eq!(scene.create_pod(&namespace).await, Vec::<String>::new(), "{cell}");
        }
        Fate::TakenOver => {
            let is_ours = async || scene.found(&namespace).await.filter(|secret| origin(secret).is_some());
            let after = scene.until(&format!("{cell}: taken over"), is_ours).await;
            is_taken_over(&scene, &before, &after, &cell);
            let is_used = async || (scene.create_pod(&namespace).await == [scene.copy_name()]).then_some(());
            scene.until(&format!("{cell}: a pod with the pull Secret"), is_used).await;
        }
    }

    scene.control_plane().kubectl(&["delete", "regcred", &scene.name]).await.succeeded();
    scene.copy_goes(&elsewhere).await;
    let after = match fate {
        Fate::Left => before.clone(),
        Fate::TakenOver => scene.released(&namespace).await,
    };
    scene.throughout(Duration::from_secs(3), async || scene.found(&namespace).await).await;
    let stays = scene.found(&namespace).await.unwrap();
    assert_eq!(stays, after, "{cell}");
    assert_eq!(
        (&stays.metadata.uid, &stays.metadata.labels.as_ref().unwrap()["theirs"]),
        (&before.metadata.uid, &"stays".to_owned()),
        "{cell}"
    );
}

/// Puts another's Secret where the copy would be.
async fn put(scene: &Scene, found: Found, namespace: &str, elsewhere: &str) -> Secret {
    let ours = scene.document("first");
    let mut secret = match found {
        Found::CopyOfAnotherCredential => return put_rival(scene, namespace).await,
        Found::OtherBytes | Found::EditedCloneOfACopyElsewhere => {
            raw_secret(namespace, &scene.copy_name(), THEIRS)
        }
        _ => raw_secret(namespace, &scene.copy_name(), &ours),
    };
    secret["metadata"]["labels"] = json!({"theirs": "stays"});
    match found {
        Found::OtherType => secret["type"] = "Opaque".into(),
        Found::OwnedByAController => {
            secret["metadata"]["ownerReferences"] = json!([controller(scene, namespace).await]);
        }
        Found::CloneOfACopyElsewhere | Found::EditedCloneOfACopyElsewhere => {
            let copy = scene.found(elsewhere).await.unwrap();
            secret["metadata"]["labels"][COPY_LABEL] = "true".into();
            secret["metadata"]["annotations"] = json!(copy.metadata.annotations);
        }
        _ => {}
    }
    let secret: Secret = serde_json::from_value(secret).unwrap();
    scene.secrets(namespace).create(&PostParams::default(), &secret).await.unwrap()
}

/// A reference to a controller that exists: the garbage collector would remove what an absent one owns.
async fn controller(scene: &Scene, namespace: &str) -> Value {
    let objects: Api<ConfigMap> = Api::namespaced(scene.client.clone(), namespace);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "controller"}});
    let object = objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await;
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "controller",
        "uid": object.unwrap().metadata.uid, "controller": true,
    })
}

/// Another credential whose copies have the same name, and which was here first.
async fn put_rival(scene: &Scene, namespace: &str) -> Secret {
    let name = format!("{}-rival", scene.name);
    scene.control_plane().apply(&raw_secret("sources", &name, THEIRS).to_string()).await;
    let offer = json!({"namespaces": [namespace], "copyName": scene.copy_name(), "distribution": "Eager"});
    let credential = registry_credential(&name, ("sources", &name), offer);
    scene.control_plane().apply(&credential.to_string()).await;
    scene.until("the other credential's copy", async || scene.found(namespace).await).await;
    let label = json!({"metadata": {"labels": {"theirs": "stays"}}});
    let secrets = scene.secrets(namespace);
    secrets.patch(&scene.copy_name(), &PatchParams::default(), &Patch::Merge(label)).await.unwrap()
}

fn is_taken_over(scene: &Scene, before: &Secret, after: &Secret, cell: &str) {
    let origin = origin(after).unwrap();
    assert_eq!((&origin["credential"], &origin["adopted"]), (&json!(scene.name), &json!(true)), "{cell}");
    let (old, new) = (&before.metadata, &after.metadata);
    assert_eq!((&old.uid, &old.owner_references), (&new.uid, &new.owner_references), "{cell}");
    let labels = new.labels.as_ref().unwrap();
    assert_eq!((labels["theirs"].as_str(), labels[COPY_LABEL].as_str()), ("stays", "true"), "{cell}");
    assert_eq!(content(after), scene.document("first"), "{cell}");
    assert_eq!((&before.type_, after.data.as_ref().unwrap().len()), (&after.type_, 1), "{cell}");
}

/// Where a Secret says that it comes from, if it names this very place.
fn origin(secret: &Secret) -> Option<Value> {
    let origin: Value = serde_json::from_str(secret.metadata.annotations.as_ref()?.get(ORIGIN)?).ok()?;
    let place = format!("{}/{}", secret.metadata.namespace.as_ref()?, secret.metadata.name.as_ref()?);
    (origin["copy"] == place).then_some(origin)
}

/// Waits until that many attempts at a copy have met another's Secret.
async fn refused(scene: &Scene, since: usize, namespace: &str, attempts: usize) {
    let audit = scene.control_plane().audit();
    scene
        .until(&format!("{attempts} attempts in {namespace}"), async || {
            let refused = audit.since(since, |call| {
                call.namespace == namespace
                    && call.verb == "create"
                    && call.resource == "secrets"
                    && call.code == 409
            });
            (refused.await.len() >= attempts).then_some(())
        })
        .await;
}

/// Another's Secret with the source's bytes, in a namespace that is offered the credential.
async fn put_equal(scene: &Scene) -> (String, Secret) {
    let namespace = scene.namespace_without_label().await;
    let secret = put(scene, Found::EqualBytes, &namespace, "").await;
    scene.label_namespace(&namespace, Some(&scene.name)).await;
    (namespace, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_comes_when_what_stood_in_its_way_is_deleted() {
    let scene = Scene::enter("cleared").await;
    let (namespace, _) = put_equal(&scene).await;
    let since = scene.control_plane().audit().position().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    refused(&scene, since, &namespace, 1).await;
    scene.secrets(&namespace).delete(&scene.copy_name(), &DeleteParams::default()).await.unwrap();
    let copy = scene.copy_holds(&namespace, "first").await;
    assert_eq!(origin(&copy).unwrap()["adopted"], Value::Null, "it is ours from the beginning");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_adopts_from_now_on_does_so_before_its_pause_is_over() {
    let scene = Scene::enter("adopts").await;
    let (namespace, before) = put_equal(&scene).await;
    let since = scene.control_plane().audit().position().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    // The pause after the third attempt takes 20 s.
    refused(&scene, since, &namespace, 3).await;
    let changed = Instant::now();
    scene.offer(json!({"distribution": "Eager", "conflict": "Adopt"})).await;
    let is_ours = async || scene.found(&namespace).await.filter(|secret| origin(secret).is_some());
    let after = scene.until("the adopted Secret", is_ours).await;
    assert!(changed.elapsed() < Duration::from_secs(15), "after {:?}", changed.elapsed());
    is_taken_over(&scene, &before, &after, "changed to Adopt");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_over_follows_the_source_and_is_given_back_by_a_namespace_that_is_deselected() {
    let scene = Scene::enter("follows").await;
    let (namespace, before) = put_equal(&scene).await;
    scene.offer(json!({"distribution": "Eager", "conflict": "Adopt"})).await;
    scene.until("the adopted Secret", async || origin(&scene.found(&namespace).await?)).await;
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
    scene.label_namespace(&namespace, None).await;
    let released = scene.released(&namespace).await;
    assert_eq!(
        (released.metadata.uid.as_ref(), content(&released)),
        (before.metadata.uid.as_ref(), scene.document("second"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_over_for_a_pod_stays_ours_when_the_pod_has_gone() {
    let scene = Scene::enter("idle").await;
    let (namespace, before) = put_equal(&scene).await;
    scene.create_pod_named(&namespace, "first").await;
    scene.offer(json!({"conflict": "Adopt"})).await;
    scene.until("the adopted Secret", async || origin(&scene.found(&namespace).await?)).await;
    scene.delete_pod(&namespace, "first").await;
    // As long as it would take for one that we created to go.
    scene.throughout(Duration::from_secs(12), async || scene.found(&namespace).await).await;
    scene.set_source("second").await;
    let after = scene.copy_holds(&namespace, "second").await;
    assert_eq!(after.metadata.uid, before.metadata.uid);
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_deleted_while_nothing_of_ours_runs_leaves_no_copy_and_what_was_anothers() {
    let scene = Scene::enter_in_turn("absent").await;
    let installation: &Installation = scene.installation;
    let created = scene.namespace().await;
    let (adopted, before) = put_equal(&scene).await;
    scene.offer(json!({"distribution": "Eager", "conflict": "Adopt"})).await;
    scene.copy_holds(&created, "first").await;
    scene.until("the adopted Secret", async || origin(&scene.found(&adopted).await?)).await;

    for replica in installation.replicas() {
        installation.lose_replica(&replica).await;
    }
    scene.control_plane().kubectl(&["delete", "regcred", &scene.name]).await.succeeded();
    scene.copy_goes(&created).await;
    let left = scene.found(&adopted).await.unwrap();
    assert!(origin(&left).is_some(), "nobody is there to take the marks off");

    installation.add_replicas().await;
    let released = scene.released(&adopted).await;
    assert_eq!(
        (released.metadata.uid, released.data, released.type_),
        (before.metadata.uid, before.data, before.type_)
    );
}
