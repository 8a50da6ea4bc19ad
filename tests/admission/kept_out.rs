//! Pods that regcred leaves as they are.

use serde_json::{Value, json};

use super::scene::{CREDENTIALS, Offer, Scene, pods, pull_secrets};
use super::talk::Impersonated;
use crate::harness::credentials::pod;
use crate::harness::installation::NAMESPACE;

const NODE: Impersonated = Impersonated { user: "system:node:n1", group: "system:nodes" };
/// The name of a node without its group, as anybody may be called who is given that name.
const PRETENDER: Impersonated = Impersonated { user: "system:node:n1", group: "people" };

/// The pod is stored as it was sent, nothing is said, and no copy is made.
async fn assert_untouched(scene: &Scene, pod: &Value) {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap();
    let before = scene.secret_names(namespace).await;
    let answer = scene.create_pod(pod).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    assert!(pull_secrets(&answer.object()).is_empty());
    assert_eq!(scene.secret_names(namespace).await, before);
}

#[tokio::test]
async fn a_pod_that_opts_out_is_left_as_it_is() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("pod-opts-out").await;
    let offer = scene.offer(&namespace).await;
    let mut opted_out = pod(&namespace, "out", &[&offer.image()]);
    opted_out["metadata"]["labels"] = json!({"regcred.dev/inject": "disabled"});
    assert_untouched(&scene, &opted_out).await;
    let mut other_value = pod(&namespace, "in", &[&offer.image()]);
    other_value["metadata"]["labels"] = json!({"regcred.dev/inject": "enabled"});
    assert_eq!(pull_secrets(&scene.create_pod(&other_value).await.object()), [offer.copy()]);
}

#[tokio::test]
async fn the_pods_of_a_namespace_that_opts_out_are_left_as_they_are_until_it_opts_in_again() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("opts-out").await;
    let offer = scene.offer(&namespace).await;
    let path = format!("/api/v1/namespaces/{namespace}");
    let label = async |value: Value| {
        scene.merge(&path, &json!({"metadata": {"labels": {"regcred.dev/inject": value}}})).await;
    };
    label("disabled".into()).await;
    // Both the API server's selector and the servers' own view take a moment.
    scene.until(&pod(&namespace, "asked", &[&offer.image()]), |opinion| opinion.names.is_empty()).await;
    assert_untouched(&scene, &pod(&namespace, "out", &[&offer.image()])).await;
    label(Value::Null).await;
    scene.known(&namespace, &offer).await;
    let injected = async || {
        let name = crate::harness::control_plane::unique("in");
        let stored = scene.create_pod(&pod(&namespace, &name, &[&offer.image()])).await.object();
        (pull_secrets(&stored) == [offer.copy()]).then_some(())
    };
    scene.eventually("a pod with the pull Secret", injected).await;
}

/// A pod that carries the annotation of a static pod's mirror.
fn mirror(namespace: &str, name: &str, offer: &Offer) -> Value {
    let mut mirror = pod(namespace, name, &[&offer.image()]);
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "0123456789abcdef"});
    mirror["spec"]["nodeName"] = "n1".into();
    mirror
}

async fn let_nodes_create_pods(scene: &Scene) {
    let group = "rbac.authorization.k8s.io";
    let subjects = json!([{"apiGroup": group, "kind": "User", "name": "system:node:n1"}]);
    let binding = json!({
        "metadata": {"name": "bench-node"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "bench-developer"},
        "subjects": subjects,
    });
    scene.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
}

#[tokio::test]
async fn the_mirror_of_a_static_pod_is_left_as_it_is_and_who_is_no_node_is_told_why() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("mirror").await;
    let offer = scene.offer(&namespace).await;
    let_nodes_create_pods(&scene).await;
    let path = pods(&namespace);
    let created = async || {
        let name = crate::harness::control_plane::unique("of-node");
        let answer = scene.call_as(&NODE, &path, &mirror(&namespace, &name, &offer)).await;
        // The authorizer hears of the binding a moment later.
        (answer.code != 403).then_some(answer)
    };
    let answer = scene.eventually("the node's mirror pod", created).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    assert!(pull_secrets(&answer.object()).is_empty());
    assert!(scene.secret_names(&namespace).await.is_empty());

    // With a pull Secret the API server would refuse them: a mirror pod may not reference secrets.
    let expected = format!(
        "pull Secret {} not added: pods annotated kubernetes.io/config.mirror may name no Secrets",
        offer.copy()
    );
    let of_developer = scene.create_pod(&mirror(&namespace, "of-developer", &offer)).await;
    let of_pretender = scene.call_as(&PRETENDER, &path, &mirror(&namespace, "of-pretender", &offer)).await;
    for answer in [of_developer, of_pretender] {
        assert_eq!(answer.warnings, [expected.as_str()]);
        assert!(pull_secrets(&answer.object()).is_empty());
    }
    assert!(scene.secret_names(&namespace).await.is_empty());
}

#[tokio::test]
async fn a_pod_whose_service_account_limits_its_secrets_is_created_and_told_so() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("limited").await;
    let offer = scene.offer(&namespace).await;
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    let annotations = json!({"kubernetes.io/enforce-mountable-secrets": "true"});
    let limited = json!({"metadata": {"name": "limited", "annotations": annotations}});
    scene.create(&accounts, &limited).await;
    let listing = json!({
        "metadata": {"name": "listing", "annotations": annotations},
        "imagePullSecrets": [{"name": offer.copy()}],
    });
    scene.create(&accounts, &listing).await;
    let of = |account: &str, name: &str| {
        let mut of_account = pod(&namespace, name, &[&offer.image()]);
        of_account["spec"]["serviceAccountName"] = account.into();
        of_account
    };
    for account in ["limited", "listing"] {
        scene.until(&of(account, "asked"), |opinion| opinion.names.is_empty()).await;
    }
    let answer = scene.create_pod(&of("limited", "limited")).await;
    let expected = format!(
        "pull Secret {} not added: ServiceAccount limited allows only those in its imagePullSecrets",
        offer.copy()
    );
    assert_eq!(answer.warnings, [expected]);
    assert!(pull_secrets(&answer.object()).is_empty());

    // An account that lists the copy gives it to its pods itself, and regcred makes it.
    let answer = scene.create_pod(&of("listing", "listing")).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    scene.secret(&namespace, &offer.copy()).await;
}

#[tokio::test]
async fn the_namespaces_of_the_system_and_its_own_get_nothing() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("beside-the-system").await;
    let system = ["kube-system", "kube-public", "kube-node-lease", NAMESPACE];
    let offer = scene.offer_unseen("system", json!({"namespaces": system})).await;
    let path = format!("{CREDENTIALS}/{}", offer.credential);
    scene.merge(&path, &json!({"spec": {"namespaces": ["kube-*", NAMESPACE, namespace]}})).await;
    scene.known(&namespace, &offer).await;
    for namespace in system {
        // What Pod Security's strictest level asks for, which holds in regcred's own namespace.
        let mut strict = pod(namespace, "strict", &[&offer.image()]);
        let privileges = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        strict["spec"]["containers"][0]["securityContext"] = privileges;
        strict["spec"]["securityContext"] =
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        assert_untouched(&scene, &strict).await;
        // Nor would they be touched if the API server asked.
        scene.until(&strict, |opinion| *opinion == super::asking::Opinion::default()).await;
    }
}
