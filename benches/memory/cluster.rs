//! A large cluster, written fast.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::credentials::{registry_credential, registry_secret};
use crate::harness::{Installation, User};
use crate::{objects, until};

/// How many objects are written at once: enough to keep the API server busy, which takes most of the machine.
const WRITERS: usize = 32;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(10);
/// How often is counted what controllers make.
const COUNT: Duration = Duration::from_secs(2);

/// The cluster.
pub(crate) struct Cluster<'a> {
    installation: &'a Installation,
    client: Client,
    namespaces: usize,
}

impl<'a> Cluster<'a> {
    pub(crate) async fn new(installation: &'a Installation, namespaces: usize) -> Self {
        let client = installation.control_plane().client(User::Admin).await;
        Self { installation, client, namespaces }
    }

    /// One credential for all of them, with a copy in each.
    pub(crate) async fn offer(&self) {
        let sources =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": objects::SOURCES}});
        let source = registry_secret(objects::SOURCES, "pull", &[objects::REGISTRY]);
        let spec = json!({"namespaces": ["team-*"], "distribution": "Eager"});
        let credential = registry_credential("pull", (objects::SOURCES, "pull"), spec);
        for object in [sources, source, credential] {
            self.installation.control_plane().apply(&object.to_string()).await;
        }
    }

    /// Writes so many objects, each at its path.
    pub(crate) async fn write(
        &self,
        what: &'static str,
        count: usize,
        object: impl Fn(usize) -> (String, Value) + Send + Sync + 'static,
    ) {
        let (begun, next, object) = (Instant::now(), Arc::new(AtomicUsize::new(0)), Arc::new(object));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (client, next, object) = (self.client.clone(), Arc::clone(&next), Arc::clone(&object));
            writers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let (path, object) = object(number);
                    let request = Request::post(&path).header("Content-Type", "application/json");
                    let request = request.body(object.to_string().into_bytes()).expect("a request");
                    client.request_text(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
                }
            });
        }
        let mut told = tokio::time::interval(PROGRESS);
        loop {
            tokio::select! {
                ended = writers.join_next() => match ended {
                    Some(ended) => ended.expect("a writer that does not panic"),
                    None => break,
                },
                _ = told.tick() => {
                    println!("{what}: {} of {count}", next.load(Ordering::Relaxed).min(count));
                }
            }
        }
        println!("{what}: {count} in {:.0} s", begun.elapsed().as_secs_f64());
    }

    /// Waits for the account of every namespace, without which there can be no pod.
    pub(crate) async fn accounts(&self) {
        let default = ListParams::default().fields("metadata.name=default");
        self.all_have::<ServiceAccount>("accounts", &default).await;
    }

    /// Waits for the copy in every namespace.
    pub(crate) async fn copies(&self) {
        self.all_have::<Secret>("copies", &ListParams::default().labels("regcred.dev/copy=true")).await;
    }

    async fn all_have<K>(&self, what: &str, which: &ListParams)
    where
        K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        let api: Api<K> = Api::all(self.client.clone());
        until(what, async || {
            tokio::time::sleep(COUNT).await;
            let there = api.list_metadata(which).await.expect("a list").items.len();
            println!("{what}: {there}");
            there >= self.namespaces
        })
        .await;
    }
}
