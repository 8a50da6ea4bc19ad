//! What is not tried outside of them.

use serde_json::json;

use crate::harness::audit::Event;
use crate::scene::{LISTED, Scene};

const ACCOUNT: &str = "system:serviceaccount:regcred-system:regcred";
/// The one that a test deletes, and in which things are refused from then on.
const GOES: &str = "team-b";

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_listed_gets_nothing_and_a_source_in_one_is_not_carried() {
    let scene = Scene::enter("unlisted").await;
    let elsewhere = scene.control_plane().namespace("team").await;
    scene.set_source("registries", "first").await;
    scene.offer("registries", json!({"namespaces": ["team-*"], "distribution": "Eager"})).await;
    scene.copy_holds("team-a", "first").await;
    assert!(scene.pod(&elsewhere).await.is_empty());
    assert!(scene.secret(&elsewhere).await.is_none());

    let from_elsewhere = Scene::enter("from-elsewhere").await;
    from_elsewhere.set_source(&elsewhere, "first").await;
    from_elsewhere.offer(&elsewhere, json!({"namespaces": ["team-a"], "distribution": "Eager"})).await;
    let expected = format!(
        "regcred is limited to other namespaces: keep the Secret in one of those, or list {elsewhere}"
    );
    for replica in scene.installation.replicas() {
        scene.until("a log line", async || replica.log().contains(&expected).then_some(())).await;
    }
    assert!(from_elsewhere.pod("team-a").await.is_empty());
    assert!(from_elsewhere.secret("team-a").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_forbidden_and_none_is_about_secrets_elsewhere() {
    let scene = Scene::enter("traced").await;
    scene.set_source("registries", "first").await;
    scene.offer("registries", json!({"namespaces": ["team-a"]})).await;
    scene.pod_with_secret("team-a").await;
    scene.set_source("registries", "second").await;
    scene.copy_holds("team-a", "second").await;

    let calls = scene.control_plane().audit().since(0, |call| call.user == ACCOUNT).await;
    let forbidden: Vec<&Event> =
        calls.iter().filter(|call| call.code == 403 && call.namespace != GOES).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let limited = ["secrets", "pods", "serviceaccounts"];
    let elsewhere: Vec<&Event> = calls
        .iter()
        .filter(|call| limited.contains(&&*call.resource))
        .filter(|call| !LISTED.contains(&&*call.namespace) && call.namespace != "regcred-system")
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    let by_name = format!("metadata.name%3D{}%2Ctype%3D", scene.name);
    let sources = calls.iter().filter(|call| call.verb == "watch" && call.namespace == "registries");
    assert!(sources.clone().any(|call| call.uri.contains(&by_name)), "the source is watched by its name");
    let by_type_alone = |call: &&Event| call.uri.contains("fieldSelector=type");
    assert!(!sources.clone().any(|call| by_type_alone(&call)), "and no Secret beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_namespace_that_has_gone_does_not_keep_a_new_server_from_serving_the_others() {
    let scene = Scene::enter("gone").await;
    scene.set_source("registries", "first").await;
    scene.offer("registries", json!({"namespaces": ["team-a"]})).await;
    scene.control_plane().kubectl(&["delete", "namespace", GOES, "--timeout=60s"]).await.succeeded();
    let replica = scene.installation.add_replica().await;
    assert!(replica.log().contains("forbidden"), "it has looked there: {}", replica.log());
    scene.pod_with_secret("team-a").await;
    scene.copy_holds("team-a", "first").await;

    let module = scene.module_with_secret_in("team-a").await;
    assert_eq!((module.code, module.stderr.as_str()), (0, ""), "its Secret is found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_module_is_found_in_a_listed_namespace_and_in_no_other() {
    let scene = Scene::enter("module").await;
    // While a namespace goes, whose rights have gone already, nobody knows what is in it.
    let told = async |namespace: &str| {
        let what = format!("what is said of a module with its Secret in {namespace}");
        let look = async || {
            let module = scene.module_with_secret_in(namespace).await;
            assert_eq!(module.code, 0, "{}", module.stderr);
            (!module.stderr.contains("could not look")).then_some(module.stderr)
        };
        scene.until(&what, look).await
    };
    let elsewhere = scene.control_plane().namespace("team").await;
    let nowhere = told(&elsewhere).await;
    let selector = format!("operator.kyma-project.io/oci-registry-cred={}", scene.name);
    assert!(nowhere.contains("Warning: "), "{nowhere}");
    assert!(nowhere.contains(&selector) && nowhere.contains("no Secret"), "{nowhere}");
    assert_eq!(told("registries").await, "");
}
