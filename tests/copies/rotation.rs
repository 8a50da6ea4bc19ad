//! New bytes in the source while pods are being created, and while something refuses the copy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::harness::control_plane::unique;
use crate::scene::{Scene, content};

const ROTATIONS: usize = 8;
/// So many pods between two rotations, at least.
const PODS: usize = 3;

/// What a watch on the copy shows until it holds this document.
async fn events(client: Client, scene: &Scene, namespace: &str, from: &str, last: &str) -> Vec<String> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let named = WatchParams::default().fields(&format!("metadata.name={}", scene.copy_name()));
    let mut stream = api.watch(&named, from).await.unwrap().boxed();
    let mut seen = Vec::new();
    while let Some(event) = stream.try_next().await.unwrap() {
        match event {
            WatchEvent::Modified(copy) => {
                seen.push(format!("modified {}", copy.metadata.uid.unwrap()));
                if copy.data.unwrap()[".dockerconfigjson"].0 == last.as_bytes() {
                    break;
                }
            }
            WatchEvent::Bookmark(_) => {}
            other => seen.push(format!("{other:?}")),
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_while_pods_are_created_changes_the_copy_in_place_and_at_no_moment_is_there_none() {
    let scene = Scene::enter("rotation").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({})).await;
    scene.known(&namespace).await;
    assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
    // A server that had not seen the source yet has given the name, and the copy comes with the source.
    let copy = scene.until("the copy", async || scene.found(&namespace).await).await;
    let (uid, from) = (copy.metadata.uid.unwrap(), copy.metadata.resource_version.unwrap());
    let last = scene.document(&format!("rotated-{}", ROTATIONS - 1));

    let (ended, created, looks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let is_ended = || ended.load(Ordering::SeqCst);
    let create = async {
        while !is_ended() {
            assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
            created.fetch_add(1, Ordering::SeqCst);
        }
    };
    let look = async {
        while !is_ended() {
            let found = scene.found(&namespace).await.expect("the copy, at every moment");
            assert_eq!(found.metadata.uid.as_ref(), Some(&uid));
            looks.fetch_add(1, Ordering::SeqCst);
        }
    };
    let rotate = async {
        for number in 0..ROTATIONS {
            let enough = (number + 1) * PODS;
            scene.until("more pods", async || (created.load(Ordering::SeqCst) >= enough).then_some(())).await;
            scene.set_source(&format!("rotated-{number}")).await;
        }
        scene.copy_holds(&namespace, &format!("rotated-{}", ROTATIONS - 1)).await;
        ended.store(true, Ordering::SeqCst);
    };
    let watch = events(scene.client.clone(), &scene, &namespace, &from, &last);
    let (seen, (), (), ()) = tokio::join!(watch, create, look, rotate);
    assert!(looks.load(Ordering::SeqCst) > ROTATIONS);
    assert!(!seen.is_empty() && seen.len() <= ROTATIONS, "one write per rotation at most: {seen:?}");
    assert!(seen.iter().all(|event| *event == format!("modified {uid}")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_copy_that_was_refused_is_tried_again() {
    // Another test's new credential would have every place looked at again, and hide what is not tried again by itself.
    let scene = Scene::enter_in_turn("refused").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let before = scene.copy_holds(&namespace, "first").await;
    let policy = unique("no-changes");
    refuse_changes(&scene, &namespace, &policy).await;

    let since = scene.control_plane().audit().position().await;
    scene.set_source("second").await;
    scene
        .until("a refused change", async || {
            let refused = scene.control_plane().audit().since(since, |call| {
                call.namespace == namespace && call.verb == "patch" && call.code >= 400 && !call.is_dry_run()
            });
            (!refused.await.is_empty()).then_some(())
        })
        .await;
    assert_eq!(content(&scene.found(&namespace).await.unwrap()), scene.document("first"));
    // The first pause lasts five seconds, and the next one ten.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let tries = scene
        .control_plane()
        .audit()
        .since(since, |call| call.namespace == namespace && call.verb == "patch" && !call.is_dry_run());
    let tries = tries.await.len();
    assert!((1..=2).contains(&tries), "{tries} tries within 8 s");
    scene.control_plane().kubectl(&["delete", "validatingadmissionpolicybinding", &policy]).await.succeeded();
    let after = scene.copy_holds(&namespace, "second").await;
    assert_eq!(before.metadata.uid, after.metadata.uid);
}

/// Nobody may change Secrets of the namespace; returns when the API server sees to that.
async fn refuse_changes(scene: &Scene, namespace: &str, policy: &str) {
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [{
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": policy},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["secrets"],
                }],
            },
            "validations": [{"expression": "false", "message": "nothing changes here"}],
        },
    }, {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": policy},
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    }]});
    scene.control_plane().apply(&objects.to_string()).await;
    let try_out = PatchParams { dry_run: true, ..PatchParams::default() };
    let change = json!({"metadata": {"labels": {"tried": "out"}}});
    scene
        .until("the policy's first refusal", async || {
            let secrets = scene.secrets(namespace);
            secrets.patch(&scene.copy_name(), &try_out, &Patch::Merge(change.clone())).await.err().map(drop)
        })
        .await;
}
