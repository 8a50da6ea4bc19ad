//! What is known comes from a few watches, which survive whatever ends them, and is never asked for again.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::Options;
use crate::harness::api_server::{STREAMS_SINCE, minor};
use crate::harness::audit::Event;
use crate::harness::credentials::{raw_secret, registry_credential};
use crate::scene::Scene;

const ACCOUNT: &str = "system:serviceaccount:regcred-system:regcred";
/// Pods of a namespace that has its copy.
const WARM_PODS: usize = 20;
/// Tries are counted in windows of this length.
const TRIED_IN: Duration = Duration::from_secs(12);
/// Seven watches that are tried each 6 to 30 s by then, the certificate's three, and the lease, each 2 s.
const LATE_TRIES: usize = 40;
/// Credentials that are added to count the watches.
const CREDENTIALS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_namespace_that_has_its_copy_cost_no_call() {
    let scene = Scene::enter("warm").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    scene.known(&namespace).await;
    // Every server knows of the copy, and of the namespace: nobody would create the one or read the other.
    for _ in scene.installation.replicas() {
        scene.create_pod(&namespace).await;
    }
    let audit = scene.control_plane().audit();
    let since = audit.position().await;
    for _ in 0..WARM_PODS {
        assert_eq!(scene.create_pod(&namespace).await, [scene.copy_name()]);
    }
    let calls = audit
        .since(since, |call| {
            let is_of_source = call.resource == "secrets" && call.name == scene.name;
            call.user == ACCOUNT && (call.namespace == namespace || call.name == namespace || is_of_source)
        })
        .await;
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_cut_and_find_their_past_gone_see_what_was_created_changed_and_deleted() {
    let scene = Scene::enter_in_turn("gone").await;
    let (stays, leaves, loses) = (scene.namespace().await, scene.namespace().await, scene.namespace().await);
    scene.offer(json!({"distribution": "Eager"})).await;
    for namespace in [&stays, &leaves, &loses] {
        scene.copy_holds(namespace, "first").await;
    }
    let gone = format!("{}-gone", scene.name);
    let spec = json!({"namespaces": [stays], "distribution": "Eager"});
    let credential = registry_credential(&gone, ("sources", &scene.name), spec);
    scene.control_plane().apply(&credential.to_string()).await;
    let other_copy = async || scene.secrets(&stays).get_opt(&format!("regcred-{gone}")).await.unwrap();
    scene.until("the other credential's copy", other_copy).await;

    let replicas = scene.installation.replicas();
    for replica in &replicas {
        replica.proxy().cut();
    }
    scene.set_source("second").await;
    let comes = scene.namespace().await;
    scene.label_namespace(&leaves, None).await;
    scene.secrets(&loses).delete(&scene.copy_name(), &DeleteParams::default()).await.unwrap();
    scene.control_plane().kubectl(&["delete", "regcred", &gone]).await.succeeded();
    // What an API server that has just started has not seen itself, it cannot tell any more.
    scene.control_plane().stop_api_server().await;
    scene.control_plane().start_api_server().await;
    for replica in &replicas {
        replica.proxy().mend();
    }

    for namespace in [&stays, &comes, &loses] {
        scene.copy_holds(namespace, "second").await;
    }
    scene.copy_goes(&leaves).await;
    scene.until("no copy of the other", async || other_copy().await.is_none().then_some(())).await;
    for replica in replicas {
        assert!(replica.log().contains("too old resource version"), "{}: {}", replica.name(), replica.log());
        let later = scene.namespace().await;
        scene.copy_holds(&later, "second").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_cannot_be_reached_is_tried_less_and_less_often() {
    let scene = Scene::enter_in_turn("unreachable").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    let served = watches(&scene).await;
    let replicas = scene.installation.replicas();
    let turned_away = || replicas.iter().map(|one| one.proxy().turned_away()).collect::<Vec<_>>();
    for replica in &replicas {
        replica.proxy().cut();
    }
    let mut before = turned_away();
    let mut windows = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(TRIED_IN).await;
        let now = turned_away();
        windows.push(now.iter().zip(&before).map(|(now, before)| now - before).collect::<Vec<_>>());
        before = now;
    }
    for replica in &replicas {
        replica.proxy().mend();
    }
    for of_one in 0..replicas.len() {
        let tries: Vec<usize> = windows.iter().map(|window| window[of_one]).collect();
        assert!(tries[0] > 0 && tries[2] <= tries[0] && tries[2] <= LATE_TRIES, "{tries:?}");
    }
    scene.set_source("second").await;
    scene.copy_holds(&namespace, "second").await;
    let as_before = async || (watches(&scene).await == served).then_some(());
    scene.until(&format!("{served:?} watches again"), as_before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_deleted_is_not_asked_for() {
    let scene = Scene::enter("no-get").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    let audit = scene.control_plane().audit();
    let since = audit.position().await;
    scene.secrets("sources").delete(&scene.name, &DeleteParams::default()).await.unwrap();
    scene.copy_goes(&namespace).await;
    let asks = |call: &Event| {
        call.user == ACCOUNT && ["get", "list"].contains(&call.verb.as_str()) && call.name == scene.name
    };
    let calls = audit.since(since, asks).await;
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_watches_does_not_grow_with_credentials() {
    let scene = Scene::enter_in_turn("count").await;
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    let before = watches(&scene).await;
    for number in 0..CREDENTIALS {
        let name = format!("{}-{number}", scene.name);
        let source = raw_secret("sources", &name, &scene.document("more"));
        let offer = json!({"namespaces": [namespace], "distribution": "Eager"});
        let credential = registry_credential(&name, ("sources", &name), offer);
        for object in [source, credential] {
            scene.control_plane().apply(&object.to_string()).await;
        }
    }
    for number in 0..CREDENTIALS {
        let copy = format!("regcred-{}-{number}", scene.name);
        scene.until(&copy, async || scene.secrets(&namespace).get_opt(&copy).await.unwrap()).await;
    }
    // A watch that was begun anew may be there a moment before the old one is noticed to have ended.
    let as_before = async || (watches(&scene).await == before).then_some(());
    scene.until(&format!("{before:?} watches again"), as_before).await;
    scene.throughout(Duration::from_secs(1), async || watches(&scene).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_comes_as_a_stream_where_the_api_server_serves_one_and_in_pages_where_it_refuses() {
    let scene = Scene::enter_in_turn("lists").await;
    let streams = minor(scene.control_plane().version()) >= STREAMS_SINCE;
    comes_as_it_is_served(&scene, streams).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_comes_in_pages_where_an_admin_has_switched_streams_off_however_hard_to_read_it_is() {
    let options = Options { streams_lists: false, ..Options::default() };
    let scene = Scene::enter_own_on(options, "pages").await;
    put_what_is_hard_to_read(&scene).await;
    comes_as_it_is_served(&scene, false).await;
}

/// Whoever may write Secrets of their own namespace can have the API server store `managedFields` that no parser with a limit of depth
/// reads, and give them the label of copies.
async fn put_what_is_hard_to_read(scene: &Scene) {
    let fields = (0..200).fold(json!({}), |fields, _| json!({"f:a": fields}));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "namespace": scene.namespace().await, "name": "deep", "labels": {"regcred.dev/copy": "true"},
            "managedFields": [{
                "manager": "somebody", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": fields},
            }],
        },
    });
    let file = scene.control_plane().manifest(&secret.to_string());
    scene.control_plane().kubectl(&["create", "-f", &file]).await.succeeded();
}

/// Whether a server that is new reads what there is as the API server serves it.
async fn comes_as_it_is_served(scene: &Scene, streams: bool) {
    let namespace = scene.namespace().await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.copy_holds(&namespace, "first").await;
    let audit = scene.control_plane().audit();
    let since = audit.position().await;
    let replica = scene.installation.add_replica().await;
    scene.known(&namespace).await;
    let mut calls = audit.since(since, |call| replica.made(call)).await;
    // Those of pods are the leader's.
    let of_leader =
        |call: &Event| call.user == ACCOUNT && call.resource == "pods" && call.namespace.is_empty();
    calls.extend(audit.since(0, of_leader).await);
    scene.installation.remove_replica(&replica).await;

    let is_streamed = |call: &&Event| call.verb == "watch" && call.uri.contains("sendInitialEvents=true");
    for resource in ["secrets", "namespaces", "serviceaccounts", "registrycredentials", "pods"] {
        // Of its own namespace it reads one object.
        let is_watched = |call: &&Event| call.resource == resource && call.namespace != "regcred-system";
        let calls: Vec<&Event> = calls.iter().filter(is_watched).collect();
        let lists: Vec<_> = calls.iter().filter(|call| call.verb == "list").collect();
        let served = calls.iter().copied().filter(is_streamed).filter(|call| call.code == 200).count();
        if streams {
            assert!(served > 0 && lists.is_empty(), "{calls:?}");
        } else {
            let in_pages = lists.iter().all(|call| call.uri.contains("limit=") && call.code == 200);
            assert!(served == 0 && !lists.is_empty() && in_pages, "{calls:?}");
        }
    }
    let refused = calls.iter().filter(is_streamed).filter(|call| call.code != 200).count();
    // Those that are begun at once are refused each; nobody asks again later, but each leader once for pods.
    let most = 4 + scene.installation.replicas().len() + 1;
    assert!(if streams { refused == 0 } else { (1..=most).contains(&refused) }, "{calls:?}");
}

/// How many watches the API server serves, of each kind of object that a credential has to do with.
async fn watches(scene: &Scene) -> Vec<u64> {
    let metrics = scene.control_plane().metrics().await;
    let of = |resource| {
        let open =
            metrics.sum("apiserver_longrunning_requests", &[("verb", "WATCH"), ("resource", resource)]);
        // A count, so a whole number.
        format!("{open:.0}").parse().unwrap()
    };
    ["secrets", "registrycredentials", "namespaces", "pods"].map(of).to_vec()
}
