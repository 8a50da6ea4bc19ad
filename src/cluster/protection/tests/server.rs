//! An API server with the kinds of Gardener that a test wants it to have.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::protection::Inquiry;
use crate::cluster::tests::{client_of_texts, failure};
use crate::model::ObjectKey;
use crate::model::reference::{Referrer, ReferrerKind};
use crate::model::scope::Scope;

pub(in crate::cluster) const SHOOTS: &str = "/apis/core.gardener.cloud/v1beta1/namespaces/garden-dev/shoots";

/// What it has, which a test may change at any time.
#[derive(Default)]
pub(in crate::cluster) struct World {
    /// By the path of a group, a version, an object or a list.
    pub(in crate::cluster) answers: BTreeMap<String, (u16, Value)>,
    /// How long a list takes; what it shows is what there was when it began.
    pub(in crate::cluster) takes: Duration,
    /// What the next watches tell, one each; each lasts 10 s, and one that has nothing to tell a minute.
    pub(in crate::cluster) events: VecDeque<String>,
    /// Method, path and query of each request.
    pub(in crate::cluster) requests: Vec<String>,
    /// The bodies of those that had one.
    pub(in crate::cluster) bodies: Vec<Value>,
}

#[derive(Clone, Default)]
pub(in crate::cluster) struct Server(pub(in crate::cluster) Arc<Mutex<World>>);

impl Server {
    /// One that has Shoots in this version, and nothing else.
    pub(in crate::cluster) fn with_shoots(version: &str) -> Self {
        let server = Self::default();
        server.serve(version);
        server
    }

    /// It serves Shoots in this version alone.
    pub(in crate::cluster) fn serve(&self, version: &str) {
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
        for reach in ["", "namespaces/garden-dev/"] {
            world.answers.insert(format!("/apis/{group_version}/{reach}shoots"), (200, list_of(&[])));
        }
    }

    /// From now on it says this of a path.
    pub(in crate::cluster) fn say(&self, path: &str, code: u16, body: Value) {
        self.0.lock().unwrap().answers.insert(path.to_owned(), (code, body));
    }

    pub(in crate::cluster) fn refuse(&self, path: &str, code: u16, message: &str) {
        let (code, body) = failure(code, message);
        self.say(path, code, body);
    }

    /// It has forgotten a path.
    pub(in crate::cluster) fn drop_path(&self, path: &str) {
        self.0.lock().unwrap().answers.remove(path);
    }

    pub(in crate::cluster) fn take(&self, time: Duration) {
        self.0.lock().unwrap().takes = time;
    }

    /// The requests so far whose path holds this.
    pub(in crate::cluster) fn requests(&self, of: &str) -> Vec<String> {
        let world = self.0.lock().unwrap();
        world.requests.iter().filter(|request| request.contains(of)).cloned().collect()
    }

    pub(in crate::cluster) fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }

    /// A watch tells this.
    pub(in crate::cluster) fn tell(&self, event_type: &str, object: &Value) {
        // In the order in which Go writes the fields.
        let event = format!(r#"{{"type":"{event_type}","object":{object}}}"#);
        self.0.lock().unwrap().events.push_back(event);
    }

    pub(in crate::cluster) fn client(&self) -> Client {
        let world = Arc::clone(&self.0);
        client_of_texts(move |request: http::Request<Body>| {
            let world = Arc::clone(&world);
            async move { answer(&world, request).await }
        })
    }

    /// Asks it about the namespaces of these names, or all where none is named.
    pub(in crate::cluster) fn inquiry(&self, namespaces: &[&str]) -> Inquiry {
        let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| (*name).into()).collect();
        Inquiry::new(self.client(), Scope::of(&namespaces))
    }
}

async fn answer(world: &Mutex<World>, request: http::Request<Body>) -> Option<(u16, String)> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let (answer, takes) = {
        let mut world = world.lock().unwrap();
        world.requests.push(format!("{} {}", parts.method, parts.uri));
        if !body.is_empty() {
            world.bodies.push(serde_json::from_slice(&body).unwrap());
        }
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let is_there = world.answers.get(path).is_some_and(|(code, _)| *code == 200);
        if is_there && query.contains("watch=true") { world.watch(query) } else { world.say(path, query) }
    };
    sleep(takes).await;
    Some(answer)
}

impl World {
    fn say(&self, path: &str, query: &str) -> ((u16, String), Duration) {
        let token = query.split('&').find(|pair| pair.starts_with("continue="));
        let page = token.map(|token| format!("{path}?{token}"));
        // What it says of a path that it does not know is no Status.
        let Some((code, body)) = self.answers.get(page.as_deref().unwrap_or(path)) else {
            return ((404, "404 page not found".to_owned()), Duration::ZERO);
        };
        let takes = if body.get("items").is_some() { self.takes } else { Duration::ZERO };
        ((*code, body.to_string()), takes)
    }

    fn watch(&mut self, query: &str) -> ((u16, String), Duration) {
        const NOTHING: &str = r#"{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"Any","metadata":{"resourceVersion":"9"}}}"#;
        if query.contains("sendInitialEvents") {
            let (code, body) = failure(422, "sendInitialEvents is forbidden");
            return ((code, body.to_string()), Duration::ZERO);
        }
        match self.events.pop_front() {
            Some(event) => ((200, event), Duration::from_secs(10)),
            None => ((200, NOTHING.to_owned()), Duration::from_mins(1)),
        }
    }
}

pub(in crate::cluster) fn page_of(items: &[Value], next: &str) -> Value {
    json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items})
}

pub(in crate::cluster) fn list_of(items: &[Value]) -> Value {
    page_of(items, "")
}

/// A Shoot that points to a Secret.
pub(in crate::cluster) fn shoot(name: &str, secret: &str) -> Value {
    json!({
        "metadata": {"namespace": "garden-dev", "name": name, "uid": format!("uid-of-{name}"), "resourceVersion": "7"},
        "spec": {"resources": [
            {"name": "a", "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": secret}},
        ]},
    })
}

pub(in crate::cluster) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("garden-dev", name)
}

pub(in crate::cluster) fn referrer(name: &str) -> Referrer {
    Referrer { kind: ReferrerKind::Shoot, key: key(name) }
}
