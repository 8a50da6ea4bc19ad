//! A real API server, asked with the rights of whoever runs the command.

use std::path::Path;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};

use super::command::{Run, explain};
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, registry_credential, registry_secret};
use crate::harness::{Installation, User};

/// A registry with a credential, as the administrator made them, and what is explained of pods.
struct Scene {
    installation: &'static Installation,
    namespace: String,
    name: String,
}

impl Scene {
    async fn new(spec: impl Fn(&str) -> Value) -> Self {
        let installation = Installation::shared().await;
        let namespace = installation.control_plane().namespace("explained").await;
        let name = unique("explained");
        let scene = Self { installation, namespace, name };
        let (namespace, name) = (&scene.namespace, &scene.name);
        let sources = scene.installation.control_plane().namespace("sources").await;
        scene.create(&registry_secret(&sources, name, &[&scene.registry()])).await;
        scene.create(&registry_credential(name, (&sources, name), spec(namespace))).await;
        scene
    }

    fn registry(&self) -> String {
        format!("{}.example", self.name)
    }

    fn image(&self) -> String {
        format!("{}/team/app:1", self.registry())
    }

    /// Creates any object as the administrator.
    async fn create(&self, object: &Value) -> Value {
        let text = |field: &str| object[field].as_str().unwrap().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let client = self.installation.control_plane().client(User::Admin).await;
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let object = serde_json::from_value(object.clone()).unwrap();
        serde_json::to_value(api.create(&PostParams::default(), &object).await.unwrap()).unwrap()
    }

    async fn create_pod(&self, name: &str, image: &str, change: impl Fn(&mut Value)) -> Value {
        let mut object = pod(&self.namespace, name, &[image]);
        change(&mut object);
        self.create(&object).await
    }

    fn explain_as(&self, user: User, arguments: &[&str]) -> Run {
        let kubeconfig = self.installation.control_plane().kubeconfig(user);
        explain(Path::new("/"), &kubeconfig, &[arguments, &["-o", "json"]].concat())
    }

    fn explain(&self, name: &str) -> Run {
        self.explain_as(User::Admin, &["pod", &format!("{}/{name}", self.namespace)])
    }

    /// Creates pods until one is injected.
    async fn injected(&self) -> String {
        for _ in 0..200 {
            let name = unique("pod");
            let stored = self.create_pod(&name, &self.image(), |_| {}).await;
            if stored["spec"]["imagePullSecrets"].is_array() {
                return name;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("no pod was injected");
    }
}

fn by_name(namespace: &str) -> Value {
    json!({"namespaces": [namespace]})
}

#[tokio::test]
async fn an_injected_pod_a_public_image_and_an_opted_out_pod_are_explained() {
    let scene = Scene::new(by_name).await;
    let injected = scene.injected().await;
    let run = scene.explain(&injected);
    assert_eq!(
        (run.is(&scene.name, "verdict"), run.is(&scene.name, "copy"), run.code),
        ("named".into(), "there".into(), 0),
        "{run:?}"
    );
    assert_eq!(run.sheet()["exists"], true);

    scene.create_pod("public", "busybox", |_| {}).await;
    let run = scene.explain("public");
    let sheet = run.sheet();
    assert_eq!(
        (run.code, &sheet["images"][0]["state"], &sheet["credentials"]),
        (0, &json!("served"), &json!([]))
    );

    let opt_out = |pod: &mut Value| pod["metadata"]["labels"] = json!({"regcred.dev/inject": "disabled"});
    scene.create_pod("out", &scene.image(), opt_out).await;
    let run = scene.explain("out");
    assert_eq!((run.is(&scene.name, "verdict"), run.code), ("never".into(), 1));
    assert!(run.sheet()["leftAlone"].as_str().unwrap().contains("opts out"), "{run:?}");
}

#[tokio::test]
async fn a_namespace_that_is_not_offered_it_and_a_foreign_secret_are_told() {
    let elsewhere = Scene::new(|_| json!({"namespaces": ["elsewhere"]})).await;
    elsewhere.create_pod("app", &elsewhere.image(), |_| {}).await;
    let run = elsewhere.explain("app");
    assert_eq!(
        (run.is(&elsewhere.name, "offered"), run.is(&elsewhere.name, "verdict"), run.code),
        ("no".into(), "never".into(), 1)
    );

    let blocked = Scene::new(by_name).await;
    let foreign =
        registry_secret(&blocked.namespace, &format!("regcred-{}", blocked.name), &["another.example"]);
    blocked.create(&foreign).await;
    blocked.create_pod("app", &blocked.image(), |_| {}).await;
    let run = blocked.explain("app");
    assert_eq!(
        (run.is(&blocked.name, "copy"), run.is(&blocked.name, "verdict"), run.code),
        ("ForeignSecret".into(), "never".into(), 1)
    );
}

#[tokio::test]
async fn a_pod_that_is_not_created_yet_is_explained_in_the_cluster_and_nothing_is_written() {
    let scene = Scene::new(by_name).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pod.json");
    std::fs::write(&path, pod(&scene.namespace, "new", &[&scene.image()]).to_string()).unwrap();
    let run = scene.explain_as(User::Admin, &["-f", path.to_str().unwrap()]);
    assert_eq!(
        (run.is(&scene.name, "copy"), run.is(&scene.name, "verdict"), run.code),
        ("missing".into(), "would_add".into(), 0),
        "{run:?}"
    );
    let run = scene.explain_as(User::Admin, &["-f", path.to_str().unwrap()]);
    assert_eq!(run.is(&scene.name, "copy"), "missing");
}

#[tokio::test]
async fn whoever_may_read_less_is_told_what_can_be_known() {
    let scene = Scene::new(by_name).await;
    let injected = scene.injected().await;
    // May read pods, credentials and the Secrets of the one namespace.
    let group = "rbac.authorization.k8s.io";
    let rule = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]});
    let name = unique("reader");
    let stranger = json!([{"apiGroup": group, "kind": "User", "name": User::Stranger.name()}]);
    let run = scene.explain_as(User::Stranger, &["pod", &format!("{}/{injected}", scene.namespace)]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("you may not get pod"), "{}", run.errors);
    for object in [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
               "rules": [rule("regcred.dev", &["registrycredentials"])]}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": stranger,
               "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": name, "namespace": scene.namespace},
               "rules": [rule("", &["pods", "secrets", "serviceaccounts"])]}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": name, "namespace": scene.namespace},
               "subjects": stranger, "roleRef": {"apiGroup": group, "kind": "Role", "name": name}}),
    ] {
        scene.create(&object).await;
    }
    let mut run = scene.explain_as(User::Stranger, &["pod", &format!("{}/{injected}", scene.namespace)]);
    for _ in 0..100 {
        if run.code != 2 {
            break;
        }
        // The authorizer hears of the bindings a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        run = scene.explain_as(User::Stranger, &["pod", &format!("{}/{injected}", scene.namespace)]);
    }
    // The source may not be read, but the copy tells its keys.
    assert_eq!(
        (run.is(&scene.name, "verdict"), run.is(&scene.name, "copy"), run.code),
        ("named".into(), "there".into(), 0),
        "{run:?}"
    );
    assert!(run.errors.contains("namespace") && run.errors.contains("could not be read"), "{}", run.errors);
    assert_eq!(
        run.sheet()["images"][0]["credentials"]
            .as_array()
            .unwrap()
            .iter()
            .find(|said| said["name"] == *scene.name)
            .unwrap()["answers"],
        "yes"
    );

    let other = Scene::new(by_name).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pod.json");
    std::fs::write(&path, pod(&scene.namespace, "new", &[&other.image()]).to_string()).unwrap();
    let run = scene.explain_as(User::Stranger, &["-f", path.to_str().unwrap()]);
    let said = run.sheet()["images"][0]["credentials"]
        .as_array()
        .unwrap()
        .iter()
        .find(|said| said["name"] == *other.name)
        .cloned()
        .unwrap();
    assert_eq!((&said["answers"], run.code), (&json!("unknown"), 2), "{run:?}");
}
