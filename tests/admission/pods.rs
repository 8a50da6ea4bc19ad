//! Pods of private images, in the ways that pods are made.

use serde_json::{Value, json};

use super::scene::{Offer, Scene, pods, pull_secrets, secrets};
use crate::harness::User;
use crate::harness::credentials::pod;

/// A pod of an image that needs no credential, for tests to add to.
fn public_pod(namespace: &str, name: &str) -> Value {
    pod(namespace, name, &["public.example/team/app:1"])
}

async fn scene_with_offer(prefix: &str) -> (Scene, String, Offer) {
    let scene = Scene::enter().await;
    let namespace = scene.namespace(prefix).await;
    let offer = scene.offer(&namespace).await;
    (scene, namespace, offer)
}

#[tokio::test]
async fn a_pod_run_by_kubectl_gets_the_name_and_the_copy_and_nothing_is_said() {
    let (scene, namespace, offer) = scene_with_offer("run").await;
    let run = ["run", "app", "--image", &offer.image(), "--namespace", &namespace];
    let output = scene.control_plane().kubectl_as(User::Developer, &run).await;
    assert_eq!(output.stderr, "");
    assert_eq!(output.succeeded(), "pod/app created\n");
    let stored = scene.get(&format!("{}/app", pods(&namespace))).await.unwrap();
    assert_eq!(pull_secrets(&stored), [offer.copy()]);

    let (from, name) = &offer.source;
    let source = scene.get(&format!("{}/{name}", secrets(from))).await.unwrap();
    let copy = scene.get(&format!("{}/{}", secrets(&namespace), offer.copy())).await.unwrap();
    assert_eq!((&copy["type"], &copy["data"]), (&source["type"], &source["data"]));
    assert_eq!(copy["metadata"]["labels"], json!({"regcred.dev/copy": "true"}));
    let owner = &copy["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("RegistryCredential"), &json!(offer.credential)));
    let annotations = copy["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["regcred.dev/origin"]);
}

#[tokio::test]
async fn the_pods_of_a_deployment_have_generated_names_and_the_pull_secret() {
    let (scene, namespace, offer) = scene_with_offer("deployment").await;
    let labels = json!({"app": "web"});
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": offer.image()}]},
            },
        },
    });
    scene.create(&format!("/apis/apps/v1/namespaces/{namespace}/deployments"), &deployment).await;
    let made = async || {
        let list = scene.get(&pods(&namespace)).await.unwrap();
        let items = list["items"].as_array().unwrap().clone();
        (items.len() == 2).then_some(items)
    };
    for pod in scene.eventually("the Deployment's two pods", made).await {
        assert!(pod["metadata"]["generateName"].as_str().unwrap().starts_with("web-"), "{pod}");
        assert_eq!(pull_secrets(&pod), [offer.copy()]);
    }
    assert_eq!(scene.secret_names(&namespace).await, [offer.copy()]);
}

#[tokio::test]
async fn a_pod_keeps_its_own_pull_secrets_and_their_order() {
    let (scene, namespace, offer) = scene_with_offer("own").await;
    let mut own = pod(&namespace, "own", &[&offer.image()]);
    own["spec"]["imagePullSecrets"] = json!([{"name": "z-first"}, {"name": "a-second"}]);
    let stored = scene.create_pod(&own).await.object();
    assert_eq!(pull_secrets(&stored), ["z-first".to_owned(), "a-second".to_owned(), offer.copy()]);
}

#[tokio::test]
async fn a_pod_that_names_the_secret_itself_has_it_once_and_the_copy_is_made_all_the_same() {
    let (scene, namespace, offer) = scene_with_offer("named").await;
    let mut named = pod(&namespace, "named", &[&offer.image()]);
    named["spec"]["imagePullSecrets"] = json!([{"name": offer.copy()}]);
    let answer = scene.create_pod(&named).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    assert_eq!(scene.secret_names(&namespace).await, [offer.copy()]);
}

#[tokio::test]
async fn the_pull_secrets_of_its_service_account_are_kept() {
    let (scene, namespace, offer) = scene_with_offer("account").await;
    let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
    scene.merge(&account, &json!({"imagePullSecrets": [{"name": "of-the-account"}]})).await;
    // The API server's admission sees the change a moment later.
    let created = async || {
        let name = crate::harness::control_plane::unique("pod");
        let stored = scene.create_pod(&pod(&namespace, &name, &[&offer.image()])).await.object();
        (pull_secrets(&stored).len() == 2).then_some(stored)
    };
    let stored = scene.eventually("a pod with the account's pull Secret", created).await;
    assert_eq!(pull_secrets(&stored), ["of-the-account".to_owned(), offer.copy()]);
}

#[tokio::test]
async fn two_credentials_in_one_pod_are_both_there_sorted_by_name() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("two").await;
    // The credential that sorts last is known first, and its image stands first in the pod.
    let last = scene.offer_unseen("z-last", json!({"namespaces": [namespace]})).await;
    scene.known(&namespace, &last).await;
    let first = scene.offer_unseen("a-first", json!({"namespaces": [namespace]})).await;
    scene.known(&namespace, &first).await;
    let both = pod(&namespace, "both", &[&last.image(), &first.image()]);
    let stored = scene.create_pod(&both).await.object();
    assert_eq!(pull_secrets(&stored), [first.copy(), last.copy()]);
    let images: Vec<_> =
        stored["spec"]["containers"].as_array().unwrap().iter().map(|one| &one["image"]).collect();
    assert_eq!(images, [&json!(last.image()), &json!(first.image())], "containers stay in their order");
    assert_eq!(scene.secret_names(&namespace).await, [first.copy(), last.copy()]);
}

#[tokio::test]
async fn a_private_image_of_an_init_container_alone_suffices() {
    let (scene, namespace, offer) = scene_with_offer("init").await;
    let mut with_init = public_pod(&namespace, "init");
    with_init["spec"]["initContainers"] = json!([{"name": "first", "image": offer.image()}]);
    assert_eq!(pull_secrets(&scene.create_pod(&with_init).await.object()), [offer.copy()]);
}

#[tokio::test]
async fn a_private_image_of_a_volume_alone_suffices() {
    let (scene, namespace, offer) = scene_with_offer("volume").await;
    let mut with_volume = public_pod(&namespace, "volume");
    with_volume["spec"]["volumes"] = json!([{"name": "model", "image": {"reference": offer.image()}}]);
    assert_eq!(pull_secrets(&scene.create_pod(&with_volume).await.object()), [offer.copy()]);
}

#[tokio::test]
async fn a_dry_run_shows_the_name_says_what_would_happen_and_writes_nothing() {
    let (scene, namespace, offer) = scene_with_offer("dry").await;
    let manifest = scene.control_plane().manifest(&pod(&namespace, "dry", &[&offer.image()]).to_string());
    let apply = ["apply", "-f", &manifest, "--dry-run=server", "-o", "json"];
    let output = scene.control_plane().kubectl_as(User::Developer, &apply).await;
    let warning =
        format!("Warning: dry run: regcred would create Secret {namespace}/{} for this pod\n", offer.copy());
    assert_eq!(output.stderr, warning);
    assert_eq!(pull_secrets(&output.json()), [offer.copy()]);
    assert!(scene.secret_names(&namespace).await.is_empty());

    // With the copy there is nothing more to say.
    scene.create_pod(&pod(&namespace, "real", &[&offer.image()])).await.object();
    let output = scene.control_plane().kubectl_as(User::Developer, &apply).await;
    assert_eq!(output.stderr, "");
    assert_eq!(pull_secrets(&output.json()), [offer.copy()]);
}

#[tokio::test]
async fn a_pod_from_an_unknown_registry_is_stored_as_it_was_sent() {
    let (scene, namespace, offer) = scene_with_offer("unknown").await;
    let lookalike = format!("{}.evil/team/app:1", offer.registry);
    for (name, image) in
        [("short", "busybox"), ("other", "other.example/team/app"), ("lookalike", &lookalike)]
    {
        let answer = scene.create_pod(&pod(&namespace, name, &[image])).await;
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        assert!(answer.object()["spec"].get("imagePullSecrets").is_none(), "{image}");
    }
    assert!(scene.secret_names(&namespace).await.is_empty());
}

#[tokio::test]
async fn server_side_apply_does_not_take_the_name_away_again() {
    let (scene, namespace, offer) = scene_with_offer("applied").await;
    let mut applied = pod(&namespace, "applied", &[&offer.image()]);
    for version in ["1", "2"] {
        applied["metadata"]["labels"] = json!({"version": version});
        let manifest = scene.control_plane().manifest(&applied.to_string());
        let apply = ["apply", "--server-side", "-f", &manifest, "-o", "json"];
        let output = scene.control_plane().kubectl_as(User::Developer, &apply).await;
        assert_eq!(output.stderr, "");
        let stored = output.json();
        assert_eq!(stored["metadata"]["labels"]["version"], version);
        assert_eq!(pull_secrets(&stored), [offer.copy()]);
    }
}

#[tokio::test]
async fn kubectl_diff_shows_of_a_new_pod_what_it_will_be_given_and_of_a_pod_that_was_given_it_nothing() {
    let (scene, namespace, offer) = scene_with_offer("diff").await;
    let manifest = scene.control_plane().manifest(&pod(&namespace, "app", &[&offer.image()]).to_string());
    let kubectl = async |arguments: &[&str]| {
        let arguments = [arguments, &["-f", &manifest]].concat();
        scene.control_plane().kubectl_as(User::Developer, &arguments).await
    };
    for way in [&["diff"][..], &["diff", "--server-side"]] {
        let output = kubectl(way).await;
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stdout.contains(&format!("+  - name: {}", offer.copy())), "{output:?}");
    }
    let copy = format!("{}/{}", secrets(&namespace), offer.copy());
    assert!(scene.get(&copy).await.is_none(), "and nothing was written");
    kubectl(&["apply"]).await.succeeded();
    for way in [&["diff"][..], &["diff", "--server-side", "--field-manager=kubectl-client-side-apply"]] {
        assert_eq!(kubectl(way).await.succeeded(), "");
    }
}
