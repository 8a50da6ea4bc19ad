//! `regcred check --state` says of a pod what the server does, for the same objects: each case is judged offline on a dump
//! of the cluster, and then the pod is created.
//!
//! What depends on the moment is not here: a source that was good before, a quota, a copy of a former credential.
#![allow(clippy::needless_pass_by_value, reason = "a case is written as values, not as references to them")]

use std::process::Command;

use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{CREDENTIALS, Scene, pull_secrets, secrets};
use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{pod, raw_secret, registry_credential, registry_secret};

/// Names of one case's own.
struct Names {
    namespace: String,
    sources: String,
    id: String,
}

impl Names {
    fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.id)
    }

    fn copy(&self, short: &str) -> String {
        format!("regcred-{}", self.name(short))
    }

    fn registry(&self, short: &str) -> String {
        format!("{}.example", self.name(short))
    }

    fn image(&self, short: &str) -> String {
        format!("{}/team/app:1", self.registry(short))
    }

    fn pod(&self, images: &[&str]) -> Value {
        let images: Vec<String> = images.iter().map(|short| self.image(short)).collect();
        pod(&self.namespace, "app", &images.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn source(&self, short: &str) -> Value {
        registry_secret(&self.sources, &self.name(short), &[&self.registry(short)])
    }

    fn credential(&self, short: &str, spec: Value) -> Value {
        registry_credential(&self.name(short), (&self.sources, &self.name(short)), spec)
    }

    /// A credential with its source, offered to the namespace.
    fn offer(&self, short: &str) -> Vec<Value> {
        self.offer_with(short, json!({}))
    }

    fn offer_with(&self, short: &str, more: Value) -> Vec<Value> {
        let mut spec = json!({"namespaces": [self.namespace]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        vec![self.source(short), self.credential(short, spec)]
    }

    fn account(&self, name: &str, is_guarded: bool, pull_secrets: &[&str]) -> Value {
        let annotations = json!({"kubernetes.io/enforce-mountable-secrets": is_guarded.to_string()});
        let references: Vec<Value> = pull_secrets.iter().map(|name| json!({"name": name})).collect();
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations},
            "imagePullSecrets": references,
        })
    }

    fn label(&self, labels: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}})
    }
}

/// What is there, the pods that are created before, and the pod that is judged.
struct Case {
    objects: Vec<Value>,
    before: Vec<Value>,
    pod: Value,
}

fn case(objects: Vec<Vec<Value>>, pod: Value) -> Case {
    Case { objects: objects.concat(), before: Vec::new(), pod }
}

fn with(mut object: Value, pointer: &str, field: &str, value: Value) -> Value {
    object.pointer_mut(pointer).unwrap()[field] = value;
    object
}

fn named(mut object: Value, name: &str) -> Value {
    object["metadata"]["name"] = name.into();
    object
}

fn on_account(pod: Value, name: &str) -> Value {
    with(pod, "/spec", "serviceAccountName", name.into())
}

fn naming(pod: Value, name: &str) -> Value {
    with(pod, "/spec", "imagePullSecrets", json!([{"name": name}]))
}

#[rstest]
#[case::nothing_there(|n: &Names| case(vec![n.offer("a")], n.pod(&["a"])))]
#[case::copy_there(|n: &Names| Case { before: vec![named(n.pod(&["a"]), "before")], ..case(vec![n.offer("a")], n.pod(&["a"])) })]
#[case::public(|n: &Names| case(vec![n.offer("a")], n.pod(&["unknown"])))]
#[case::two(|n: &Names| case(vec![n.offer("b"), n.offer("a")], n.pod(&["b", "a"])))]
#[case::init_container(|n: &Names| case(vec![n.offer("a")], with(n.pod(&["x"]), "/spec", "initContainers", json!([{"name": "i", "image": n.image("a")}]))))]
#[case::image_volume(|n: &Names| case(vec![n.offer("a")], with(n.pod(&["x"]), "/spec", "volumes", json!([{"name": "v", "image": {"reference": n.image("a")}}]))))]
#[case::named(|n: &Names| case(vec![n.offer("a")], naming(n.pod(&["a"]), &n.copy("a"))))]
#[case::names_another(|n: &Names| case(vec![n.offer("a")], naming(n.pod(&["a"]), "another")))]
#[case::narrowed(|n: &Names| case(vec![n.offer_with("a", json!({"images": [format!("{}/team", n.registry("a"))]}))], n.pod(&["a"])))]
#[case::narrowed_to_others(|n: &Names| case(vec![n.offer_with("a", json!({"images": [format!("{}/other", n.registry("a"))]}))], n.pod(&["a"])))]
#[case::not_named(|n: &Names| case(vec![n.offer_with("a", json!({"namespaces": ["elsewhere"]}))], n.pod(&["a"])))]
#[case::excluded(|n: &Names| case(vec![n.offer_with("a", json!({"excludeNamespaces": [n.namespace]}))], n.pod(&["a"])))]
#[case::selected(|n: &Names| case(vec![
    vec![n.label(&json!({"tier": n.id})), n.source("a")],
    vec![n.credential("a", json!({"namespaceSelector": {"matchLabels": {"tier": n.id}}}))],
], n.pod(&["a"])))]
#[case::not_selected(|n: &Names| case(vec![
    vec![n.source("a"), n.credential("a", json!({"namespaceSelector": {"matchLabels": {"tier": n.id}}}))],
], n.pod(&["a"])))]
#[case::foreign(|n: &Names| case(vec![n.offer("a"), vec![registry_secret(&n.namespace, &n.copy("a"), &["x.example"])]], n.pod(&["a"])))]
#[case::foreign_and_named(|n: &Names| case(vec![n.offer("a"), vec![registry_secret(&n.namespace, &n.copy("a"), &["x.example"])]], naming(n.pod(&["a"]), &n.copy("a"))))]
#[case::foreign_for_one_of_two(|n: &Names| case(vec![n.offer("a"), n.offer("b"), vec![registry_secret(&n.namespace, &n.copy("a"), &["x.example"])]], n.pod(&["a", "b"])))]
#[case::rival(|n: &Names| Case {
    before: vec![named(n.pod(&["a"]), "before")],
    ..case(vec![n.offer_with("a", json!({"copyName": "pull"})), n.offer_with("b", json!({"copyName": "pull"}))], n.pod(&["b"]))
})]
#[case::two_rivals_in_one_pod(|n: &Names| case(
    vec![n.offer_with("a", json!({"copyName": "pull"})), n.offer_with("b", json!({"copyName": "pull"}))],
    n.pod(&["a", "b"]),
))]
#[case::the_second_rival_alone(|n: &Names| case(
    vec![n.offer_with("a", json!({"copyName": "pull"})), n.offer_with("b", json!({"copyName": "pull"}))],
    n.pod(&["b"]),
))]
#[case::place_of_a_source(|n: &Names| {
    let mut other = n.credential("z", json!({"namespaces": ["elsewhere"]}));
    other["spec"]["secretRef"] = json!({"namespace": n.namespace, "name": n.copy("a")});
    case(vec![n.offer("a"), vec![other]], n.pod(&["a"]))
})]
#[case::source_missing(|n: &Names| case(vec![n.offer_with("a", json!({"images": [n.registry("a")]}))[1..].to_vec()], n.pod(&["a"])))]
#[case::source_of_another_type(|n: &Names| case(vec![
    vec![with(n.source("a"), "", "type", "Opaque".into())],
    n.offer_with("a", json!({"images": [n.registry("a")]}))[1..].to_vec(),
], n.pod(&["a"])))]
#[case::source_undecodable(|n: &Names| case(vec![
    vec![raw_secret(&n.sources, &n.name("a"), r#"{"auths": {"x.example": {"auth": "!"}}}"#)],
    n.offer_with("a", json!({"images": [n.registry("a")]}))[1..].to_vec(),
], n.pod(&["a"])))]
#[case::pod_opts_out(|n: &Names| case(vec![n.offer("a")], with(n.pod(&["a"]), "/metadata", "labels", json!({"regcred.dev/inject": "disabled"}))))]
#[case::namespace_opts_out(|n: &Names| case(vec![vec![n.label(&json!({"regcred.dev/inject": "disabled"}))], n.offer("a")], n.pod(&["a"])))]
#[case::mirror(|n: &Names| case(vec![n.offer("a")], with(with(n.pod(&["a"]), "/metadata", "annotations", json!({"kubernetes.io/config.mirror": "x"})), "/spec", "nodeName", "n1".into())))]
#[case::guarded(|n: &Names| case(vec![vec![n.account("guarded", true, &[])], n.offer("a")], on_account(n.pod(&["a"]), "guarded")))]
#[case::guarded_and_listed(|n: &Names| case(vec![vec![n.account("guarded", true, &[&n.copy("a")])], n.offer("a")], on_account(n.pod(&["a"]), "guarded")))]
#[case::account_with_pull_secrets(|n: &Names| case(vec![vec![n.account("giving", false, &["another"])], n.offer("a")], on_account(n.pod(&["a"]), "giving")))]
#[case::account_with_pull_secrets_and_own(|n: &Names| case(vec![vec![n.account("giving", false, &[&n.copy("a")])], n.offer("a")], naming(on_account(n.pod(&["a"]), "giving"), "own")))]
#[case::audit(|n: &Names| case(vec![n.offer_with("a", json!({"mode": "Audit"}))], n.pod(&["a"])))]
#[case::audit_and_foreign(|n: &Names| case(vec![n.offer_with("a", json!({"mode": "Audit"})), vec![registry_secret(&n.namespace, &n.copy("a"), &["x.example"])]], n.pod(&["a"])))]
#[case::audit_beside_enforce(|n: &Names| case(vec![n.offer_with("a", json!({"mode": "Audit"})), n.offer("b")], n.pod(&["a", "b"])))]
#[case::its_own_source(|n: &Names| {
    let spec = json!({"namespaces": [n.sources], "copyName": n.name("a")});
    case(vec![vec![n.source("a"), n.credential("a", spec)]], with(n.pod(&["a"]), "/metadata", "namespace", n.sources.clone().into()))
})]
#[tokio::test]
async fn check_says_what_the_server_does(#[case] make: fn(&Names) -> Case) {
    let scene = Scene::enter().await;
    let names = Names {
        namespace: scene.namespace("verdict").await,
        sources: scene.namespace("verdict-sources").await,
        id: unique("verdict"),
    };
    let case = make(&names);
    for object in &case.objects {
        apply(&scene, object).await;
    }
    all_known(&scene, &names).await;
    for pod in &case.before {
        assert!(!pull_secrets(&scene.create_pod(pod).await.object()).is_empty(), "nothing was prepared");
    }
    let offline = judge(&dump(&scene, &names).await, &case.pod);
    let own = case.pod["spec"]["serviceAccountName"].as_str().unwrap_or_default().to_owned();
    if own == "guarded" {
        // ServiceAccounts have a watch of their own.
        scene.until(&as_stored(&case.pod, &offline), |opinion| opinion.names == offline.names).await;
    }
    let answer = scene.create_pod(&case.pod).await;
    let mut told = answer.warnings.clone();
    told.retain(|warning| !warning.contains("unrecognized") && !warning.contains("metadata.annotations"));
    assert_eq!(told, offline.warnings);
    assert_eq!(answer.code < 300, offline.is_allowed, "{answer:?}");
    let stored = pull_secrets(&answer.object());
    assert_eq!(stored, [offline.before.as_slice(), &offline.names].concat());
}

/// What the command says of a pod.
#[derive(Debug)]
struct Verdict {
    is_allowed: bool,
    names: Vec<String>,
    /// The pull Secrets that the pod has by itself and by its ServiceAccount.
    before: Vec<String>,
    warnings: Vec<String>,
}

fn judge(state: &Value, pod: &Value) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    for (name, object) in [("state.json", state), ("pod.json", pod)] {
        std::fs::write(folder.path().join(name), object.to_string()).unwrap();
    }
    let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["check", "-f", "pod.json", "--state", "state.json", "-o", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let line: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    let added =
        line["patch"].as_array().into_iter().flatten().flat_map(|operation| match &operation["value"] {
            Value::Array(references) => references.clone(),
            reference => vec![reference.clone()],
        });
    let names = added.map(|reference| reference["name"].as_str().unwrap().to_owned()).collect();
    let accounts =
        state["items"].as_array().unwrap().iter().filter(|object| object["kind"] == "ServiceAccount");
    let own = pull_secrets(pod);
    let of_account = accounts
        .filter(|account| account["metadata"]["name"] == pod["spec"]["serviceAccountName"])
        .flat_map(|account| account["imagePullSecrets"].as_array().cloned().unwrap_or_default())
        .map(|reference| reference["name"].as_str().unwrap().to_owned())
        .collect();
    Verdict {
        is_allowed: line["allowed"] == true,
        names,
        before: if own.is_empty() { of_account } else { own },
        warnings: serde_json::from_value(line["warnings"].clone()).unwrap(),
    }
}

/// The pod as the API server sends it: with the pull Secrets of its ServiceAccount.
fn as_stored(pod: &Value, verdict: &Verdict) -> Value {
    let references = verdict.before.iter().map(|name| json!({"name": name})).collect();
    with(pod.clone(), "/spec", "imagePullSecrets", references)
}

async fn apply(scene: &Scene, object: &Value) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match object["kind"].as_str().unwrap() {
        "Secret" => drop(scene.create(&secrets(namespace), object).await),
        "ServiceAccount" => {
            drop(scene.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), object).await);
        }
        "RegistryCredential" => drop(scene.create(CREDENTIALS, object).await),
        "Namespace" => {
            let path = format!("/api/v1/namespaces/{}", object["metadata"]["name"].as_str().unwrap());
            scene.merge(&path, &json!({"metadata": {"labels": object["metadata"]["labels"]}})).await;
        }
        other => panic!("{other}"),
    }
}

/// Waits until every server knows a credential that was created after all others, and its source beside theirs. It is
/// offered to the namespace of the sources alone, so that it is in nobody's way.
async fn all_known(scene: &Scene, names: &Names) {
    for object in [names.source("last"), names.credential("last", json!({"namespaces": [names.sources]}))] {
        apply(scene, &object).await;
    }
    let asked = pod(&names.sources, "asked", &[&names.image("last")]);
    scene
        .until(&asked, |opinion| {
            opinion.names == [names.copy("last")]
                && !opinion.warnings.iter().any(|text| text.contains("waits for"))
        })
        .await;
}

/// What `kubectl get -o json` would write of what decides.
async fn dump(scene: &Scene, names: &Names) -> Value {
    let mut items = Vec::new();
    let mut add = |list: Value, api_version: &str, kind: &str| {
        for mut item in list["items"].as_array().unwrap().clone() {
            item["apiVersion"] = api_version.into();
            item["kind"] = kind.into();
            items.push(item);
        }
    };
    let get = async |path: &str| scene.call(User::Admin, Method::GET, path, None).await.object();
    add(get(CREDENTIALS).await, "regcred.dev/v1alpha1", "RegistryCredential");
    add(get("/api/v1/namespaces").await, "v1", "Namespace");
    for namespace in [&names.namespace, &names.sources] {
        add(get(&secrets(namespace)).await, "v1", "Secret");
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        add(get(&accounts).await, "v1", "ServiceAccount");
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
