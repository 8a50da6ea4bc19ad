//! An API server with the kinds of Gardener that a test wants it to have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::protection::Inquiry;
use crate::cluster::tests::{Answer, client, failure};
use crate::model::ObjectKey;
use crate::model::reference::{Referrer, ReferrerKind};
use crate::model::scope::Scope;

pub(super) const SHOOTS: &str = "/apis/core.gardener.cloud/v1beta1/namespaces/garden-dev/shoots";

/// What it has, which a test may change at any time.
#[derive(Default)]
pub(super) struct World {
    /// By the path of a group, a version, an object or a list.
    pub(super) answers: BTreeMap<String, (u16, Value)>,
    /// How long a list takes; what it shows is what there was when it began.
    pub(super) takes: Duration,
    /// Method, path and query of each request.
    pub(super) requests: Vec<String>,
    /// The bodies of those that had one.
    pub(super) bodies: Vec<Value>,
}

#[derive(Clone, Default)]
pub(super) struct Server(pub(super) Arc<Mutex<World>>);

impl Server {
    /// One that has Shoots in this version, and nothing else.
    pub(super) fn with_shoots(version: &str) -> Self {
        let server = Self::default();
        server.serve(version);
        server
    }

    /// It serves Shoots in this version alone.
    pub(super) fn serve(&self, version: &str) {
        let mut world = self.0.lock().unwrap();
        world.answers.retain(|path, _| !path.starts_with("/apis/core.gardener.cloud"));
        let group_version = format!("core.gardener.cloud/{version}");
        let served = json!({"groupVersion": group_version, "version": version});
        let group = json!({"name": "core.gardener.cloud", "versions": [served]});
        let shoots =
            json!({"name": "shoots", "kind": "Shoot", "namespaced": true, "singularName": "", "verbs": []});
        let resources = json!({"groupVersion": group_version, "resources": [shoots]});
        world.answers.insert("/apis/core.gardener.cloud".to_owned(), (200, group));
        world.answers.insert(format!("/apis/{group_version}"), (200, resources));
        let list = format!("/apis/{group_version}/namespaces/garden-dev/shoots");
        world.answers.insert(list, (200, list_of(&[])));
    }

    /// From now on it says this of a path.
    pub(super) fn say(&self, path: &str, code: u16, body: Value) {
        self.0.lock().unwrap().answers.insert(path.to_owned(), (code, body));
    }

    pub(super) fn refuse(&self, path: &str, code: u16, message: &str) {
        let (code, body) = failure(code, message);
        self.say(path, code, body);
    }

    /// It has forgotten a path.
    pub(super) fn drop_path(&self, path: &str) {
        self.0.lock().unwrap().answers.remove(path);
    }

    pub(super) fn take(&self, time: Duration) {
        self.0.lock().unwrap().takes = time;
    }

    /// The requests so far whose path holds this.
    pub(super) fn requests(&self, of: &str) -> Vec<String> {
        let world = self.0.lock().unwrap();
        world.requests.iter().filter(|request| request.contains(of)).cloned().collect()
    }

    pub(super) fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }

    /// Asks it about the namespaces of these names, or all where none is named.
    pub(super) fn inquiry(&self, namespaces: &[&str]) -> Inquiry {
        let world = Arc::clone(&self.0);
        let client = client(move |request: http::Request<Body>| {
            let world = Arc::clone(&world);
            async move { answer(&world, request).await }
        });
        let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| (*name).into()).collect();
        Inquiry::new(client, Scope::of(&namespaces))
    }
}

async fn answer(world: &Mutex<World>, request: http::Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let (answer, takes) = {
        let mut world = world.lock().unwrap();
        world.requests.push(format!("{} {}", parts.method, parts.uri));
        if !body.is_empty() {
            world.bodies.push(serde_json::from_slice(&body).unwrap());
        }
        let token =
            parts.uri.query().unwrap_or_default().split('&').find(|pair| pair.starts_with("continue="));
        let page = token.map(|token| format!("{}?{token}", parts.uri.path()));
        let answer = world.answers.get(page.as_deref().unwrap_or(parts.uri.path())).cloned();
        let is_list = answer.as_ref().is_some_and(|(_, body)| body.get("items").is_some());
        (answer, if is_list { world.takes } else { Duration::ZERO })
    };
    sleep(takes).await;
    // What it says of a path that it does not know is no Status.
    Some(answer.unwrap_or((404, json!("404 page not found"))))
}

pub(super) fn page_of(items: &[Value], next: &str) -> Value {
    json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items})
}

pub(super) fn list_of(items: &[Value]) -> Value {
    page_of(items, "")
}

/// A Shoot that points to a Secret.
pub(super) fn shoot(name: &str, secret: &str) -> Value {
    json!({
        "metadata": {"namespace": "garden-dev", "name": name, "uid": format!("uid-of-{name}"), "resourceVersion": "7"},
        "spec": {"resources": [
            {"name": "a", "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": secret}},
        ]},
    })
}

pub(super) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("garden-dev", name)
}

pub(super) fn referrer(name: &str) -> Referrer {
    Referrer { kind: ReferrerKind::Shoot, key: key(name) }
}
