//! What the server says about Secrets and what points to them, and what `regcred check` says on a dump of the same objects.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::gardener::{secret_binding, shoot};
use crate::harness::kubectl::Output;
use crate::scene::{Kubectl, caching, credentials, installation, mutable};

/// What is said about one request.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    message: String,
    warnings: Vec<String>,
}

impl Verdict {
    fn of_server(answer: &Output) -> Self {
        let message = answer.stderr.split_once("denied the request: ").map(|(_, message)| message.trim());
        assert_eq!(answer.code == 0, message.is_none(), "{}", answer.stderr);
        let warnings = answer.stderr.lines().filter_map(|line| line.strip_prefix("Warning: "));
        Self { message: message.unwrap_or_default().into(), warnings: warnings.map(str::to_owned).collect() }
    }

    fn offline(verb: Verb, object: &Value, old: Option<&Value>, state: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, value: &Value| {
            let path = folder.path().join(name);
            fs::write(&path, value.to_string()).unwrap();
            path
        };
        let mut run = Command::new(env!("CARGO_BIN_EXE_regcred"));
        run.args(["check", "-o", "json", "--operation", verb.operation(), "-f"])
            .arg(add("object.json", object))
            .arg("--state")
            .arg(add("state.json", state));
        if let Some(old) = old {
            run.arg("--old").arg(add("old.json", old));
        }
        let run = run.output().unwrap();
        let line: Value = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
        assert_eq!(run.status.code(), Some(i32::from(line["allowed"] == false)));
        Self {
            message: line["message"].as_str().unwrap_or_default().into(),
            warnings: serde_json::from_value(line["warnings"].clone()).unwrap(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Replace,
    Delete,
}

impl Verb {
    fn operation(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "update",
            Self::Delete => "delete",
        }
    }
}

fn config(namespace: &str, name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "core.kyma-project.io/v1beta1", "kind": "RegistryCacheConfig",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"upstream": "docker.io", "secretReferenceName": secret},
    })
}

/// What is done, and a part of what is said; nothing where it is allowed.
fn table(namespace: &str, other: &str) -> Vec<(Verb, Value, &'static str)> {
    use Verb::{Create, Delete, Replace};
    let secret = |name: &str| credentials(namespace, name);
    let new = |secret: &str| caching(namespace, "new", secret);
    let there = |secret: &str| caching(namespace, "there", secret);
    let unbound = {
        let mut shoot = shoot(namespace, "new", &[]);
        shoot["spec"]["secretBindingName"] = "nowhere".into();
        shoot
    };
    let hibernated = {
        let mut shoot = there("used");
        shoot["spec"]["hibernation"] = json!({"enabled": true});
        shoot
    };
    vec![
        (Delete, secret("used"), "is still used by Shoot"),
        (Delete, secret("free"), ""),
        (Delete, secret("bound"), "is still used by SecretBinding"),
        (Delete, secret("cached"), "is still used by RegistryCacheConfig"),
        (Delete, secret("going"), ""),
        (Create, new("free"), ""),
        (Create, new("used"), ""),
        (Create, new("missing"), "secrets \"missing\" not found"),
        (Create, shoot(namespace, "new", &["missing"]), "does not exist; create it first"),
        (Create, new("going"), "is being deleted, for good"),
        (Create, new("mutable"), "should be immutable"),
        (Create, new("wrong"), "missing \"username\" data entry"),
        (Create, shoot(namespace, "new", &["mutable", "wrong"]), ""),
        (Create, unbound, ""),
        (Replace, there("free"), ""),
        (Replace, there("missing"), "secrets \"missing\" not found"),
        (Replace, there("going"), "is being deleted, for good"),
        (Replace, there("mutable"), "should be immutable"),
        (Replace, there("wrong"), "missing \"username\" data entry"),
        (Replace, hibernated, ""),
        (Create, secret_binding(other, "new", (namespace, "free")), ""),
        (Create, secret_binding(other, "new", (namespace, "missing")), "does not exist; create it first"),
        (Create, config(namespace, "new", "free"), ""),
        (Create, config(namespace, "new", "missing"), "does not exist; create it first"),
        (Create, config(namespace, "new", "mutable"), "should be immutable"),
        (Replace, config(namespace, "cache", "wrong"), "missing \"username\" data entry"),
        (Create, secret("missing"), ""),
        (Replace, secret("used"), ""),
    ]
}

/// The objects of the table's cluster, as a list.
async fn set_up(kubectl: &Kubectl<'_>, other: &str) -> Value {
    let namespace = kubectl.namespace.as_str();
    for name in ["used", "free", "bound", "cached"] {
        kubectl.apply(&credentials(namespace, name)).await.succeeded();
    }
    kubectl.apply(&mutable(namespace, "mutable")).await.succeeded();
    let mut wrong = credentials(namespace, "wrong");
    wrong["stringData"] = json!({"user": "john", "password": "swordfish"});
    kubectl.apply(&wrong).await.succeeded();
    let mut going = credentials(namespace, "going");
    going["metadata"]["finalizers"] = json!(["example.com/held"]);
    kubectl.apply(&going).await.succeeded();
    kubectl.delete_secret("going").await.succeeded();
    kubectl.apply(&caching(namespace, "there", "used")).await.succeeded();
    kubectl.apply(&secret_binding(other, "account", (namespace, "bound"))).await.succeeded();
    kubectl.apply(&config(namespace, "cache", "cached")).await.succeeded();
    let kinds = "secrets,shoots,secretbindings,credentialsbindings,registrycacheconfigs";
    let mut items = Vec::new();
    for namespace in [namespace, other] {
        let get = ["get", kinds, "--namespace", namespace, "-o", "json"];
        let mut list = kubectl.control_plane.kubectl(&get).await.json();
        items.append(list["items"].as_array_mut().unwrap());
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

#[tokio::test(flavor = "multi_thread")]
async fn server_and_command_say_the_same_of_the_same_objects() {
    let control_plane = installation().await.control_plane();
    let kubectl = Kubectl::new(control_plane, "both-ways").await;
    let other = control_plane.namespace("both-ways-other").await;
    let state = set_up(&kubectl, &other).await;
    for (verb, object, expected) in table(&kubectl.namespace, &other) {
        let named = |item: &&Value| {
            item["kind"] == object["kind"] && item["metadata"]["name"] == object["metadata"]["name"]
        };
        let stored = state["items"].as_array().unwrap().iter().find(named);
        assert_eq!(stored.is_some(), verb != Verb::Create, "{object}");
        let file = control_plane.manifest(&object.to_string());
        let (server, offline) = match verb {
            Verb::Delete => (["delete", "--dry-run=server", "--wait=false", "-f"], stored.unwrap()),
            Verb::Create => (["create", "--dry-run=server", "-o=name", "-f"], &object),
            Verb::Replace => (["replace", "--dry-run=server", "-o=name", "-f"], &object),
        };
        let answer = control_plane.kubectl(&[&server[..], &[&file]].concat()).await;
        let server = Verdict::of_server(&answer);
        let old = stored.filter(|_| verb == Verb::Replace);
        assert_eq!(server, Verdict::offline(verb, offline, old, &state), "{verb:?} {object}");
        assert_eq!(server.message.is_empty(), expected.is_empty(), "{server:?}: {verb:?} {object}");
        assert!(server.message.contains(expected), "{server:?}: {verb:?} {object}");
    }
}
