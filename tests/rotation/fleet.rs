//! A credential in a thousand namespaces, whose source changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::harness::audit::Event;
use crate::harness::credentials::{raw_secret, registry_credential};
use crate::harness::installation::{NAMESPACE, SERVICE_ACCOUNT};
use crate::harness::replica::Replica;
use crate::harness::{Installation, User};

/// How many namespaces have the credential.
pub(crate) const NAMESPACES: usize = 1_000;
/// The longest that a new source may take to the last of them.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// When a rotation is given up; what it has missed by then is counted.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many namespaces the test itself creates at once.
const CREATED_AT_ONCE: usize = 16;
/// After a rotation it is waited this long for writes that should not be.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// Name of the credential and of its source.
const NAME: &str = "fleet";
const COPY: &str = "regcred-fleet";
const SOURCES: &str = "sources";

/// The installation, whose copies are all there.
pub(crate) struct Fleet {
    installation: Installation,
    /// From the credential's creation to the last copy.
    pub(crate) spread_in: Duration,
}

/// What a rotation has come to.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// From before the write of the source to the last copy that is equal to it.
    pub(crate) took: Duration,
    /// Namespaces whose copy is not equal to it at the end.
    pub(crate) missed: usize,
    /// Copies that are other objects than before.
    pub(crate) replaced: usize,
    /// Writes of copies that the API server has carried out, by namespace.
    pub(crate) writes: BTreeMap<String, usize>,
    /// Writes that it has not, or of which it did not learn whether they were: the status and the namespace.
    pub(crate) refused: Vec<String>,
    /// What regcred has read: every get and list, whatever of.
    pub(crate) reads: Vec<String>,
}

impl Rotation {
    /// How many writes there were in all.
    pub(crate) fn writes(&self) -> usize {
        self.writes.values().sum()
    }

    /// Copies that were written more than once.
    pub(crate) fn written_again(&self) -> Vec<&String> {
        self.writes.iter().filter(|(_, writes)| **writes > 1).map(|(namespace, _)| namespace).collect()
    }
}

impl Fleet {
    pub(crate) async fn assemble() -> Self {
        let installation = Installation::start(&[]).await;
        let client = installation.control_plane().client(User::Admin).await;
        create_namespace(&client, SOURCES, false).await;
        futures::stream::iter(0..NAMESPACES)
            .for_each_concurrent(CREATED_AT_ONCE, async |number| {
                create_namespace(&client, &format!("fleet-{number:04}"), true).await;
            })
            .await;
        let source = raw_secret(SOURCES, NAME, &document("first"));
        let offer =
            json!({"distribution": "Eager", "namespaceSelector": {"matchLabels": {"fleet": "member"}}});
        let credential = registry_credential(NAME, (SOURCES, NAME), offer);
        installation.control_plane().apply(&source.to_string()).await;
        let begun = Instant::now();
        installation.control_plane().apply(&credential.to_string()).await;
        while equal(&copies(&client).await.0, "first").len() < NAMESPACES {
            assert!(begun.elapsed() < PATIENCE, "not all copies are there after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let spread_in = begun.elapsed();
        tokio::time::sleep(AFTERWARDS).await;
        Self { installation, spread_in }
    }

    pub(crate) fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The server that writes.
    pub(crate) async fn leader(&self) -> Arc<Replica> {
        for replica in self.installation.replicas() {
            if replica.metrics().await.sum("regcred_leader", &[]) > 0.5 {
                return replica;
            }
        }
        panic!("nobody leads");
    }

    /// Changes the source, and does something when this many copies have followed.
    pub(crate) async fn rotate(&self, password: &str, many: usize, then: impl AsyncFnOnce()) -> Rotation {
        let client = self.installation.control_plane().client(User::Admin).await;
        let (before, version) = copies(&client).await;
        let audit = self.installation.control_plane().audit();
        let position = audit.position().await;

        let all: Api<Secret> = Api::all(client.clone());
        let named = WatchParams::default().fields(&format!("metadata.name={COPY}"));
        let mut events = all.watch(&named, &version).await.expect("a watch").boxed();
        let begun = Instant::now();
        let sources: Api<Secret> = Api::namespaced(client.clone(), SOURCES);
        let data = json!({"data": {".dockerconfigjson": BASE64_STANDARD.encode(document(password))}});
        sources.patch(NAME, &PatchParams::default(), &Patch::Merge(data)).await.expect("a new source");
        let (mut followed, mut then) = (BTreeSet::new(), Some(then));
        while followed.len() < NAMESPACES {
            let remaining = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(event) = tokio::time::timeout(remaining, events.try_next()).await else {
                break;
            };
            let event = event.expect("a watch event").expect("a watch that goes on");
            if let WatchEvent::Added(copy) | WatchEvent::Modified(copy) = event {
                followed.extend(equal(std::slice::from_ref(&copy), password).into_keys());
            }
            if followed.len() >= many
                && let Some(then) = then.take()
            {
                then().await;
            }
        }
        let took = begun.elapsed();

        tokio::time::sleep(AFTERWARDS).await;
        let now = equal(&copies(&client).await.0, password);
        let before: BTreeMap<String, String> = before.iter().map(place_and_uid).collect();
        let replaced = now.iter().filter(|(place, uid)| before.get(*place) != Some(*uid)).count();
        let user = format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}");
        let calls = audit.since(position, |call| call.user == user).await;
        let is_write = |call: &&Event| ["create", "update", "patch", "delete"].contains(&call.verb.as_str());
        let reads = calls.iter().filter(|call| ["get", "list"].contains(&call.verb.as_str()));
        let reads = reads.map(|call| format!("{} {}", call.verb, call.uri)).collect();
        let (mut writes, mut refused) = (BTreeMap::new(), Vec::new());
        for write in calls.iter().filter(is_write).filter(|call| call.name == COPY) {
            if write.code < 300 {
                *writes.entry(write.namespace.clone()).or_default() += 1;
            } else {
                refused.push(format!("{} {}", write.code, write.namespace));
            }
        }
        Rotation { took, missed: NAMESPACES - now.len(), replaced, writes, refused, reads }
    }
}

async fn create_namespace(client: &Client, name: &str, is_member: bool) {
    let labels = if is_member { json!({"fleet": "member"}) } else { json!({}) };
    let namespace = json!({"metadata": {"name": name, "labels": labels}});
    let namespace: Namespace = serde_json::from_value(namespace).expect("a namespace");
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("a new namespace");
}

/// All copies, and the version of the list.
async fn copies(client: &Client) -> (Vec<Secret>, String) {
    let named = ListParams::default().fields(&format!("metadata.name={COPY}"));
    let list = Api::<Secret>::all(client.clone()).list(&named).await.expect("Secrets");
    (list.items, list.metadata.resource_version.expect("a list has a version"))
}

/// What the source holds when its password is this.
fn document(password: &str) -> String {
    json!({"auths": {"fleet.example": {"username": "u", "password": password}}}).to_string()
}

/// The copies that hold just what the source holds with this password: their namespaces and uids.
fn equal(copies: &[Secret], password: &str) -> BTreeMap<String, String> {
    let document = document(password).into_bytes();
    let holds = |copy: &&Secret| {
        let data = copy.data.as_ref();
        data.is_some_and(|data| data.len() == 1 && data.values().all(|value| value.0 == document))
    };
    copies.iter().filter(holds).map(place_and_uid).collect()
}

fn place_and_uid(copy: &Secret) -> (String, String) {
    (copy.metadata.namespace.clone().expect("a namespace"), copy.metadata.uid.clone().expect("a uid"))
}
