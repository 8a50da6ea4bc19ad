//! What became of the Secrets of races, as a watch of the API server's own tells.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use tokio::task::JoinSet;

use crate::race;
use crate::stage::Key;

/// What became of all Secrets of one name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The versions at which they went.
    pub(crate) deleted: Vec<u64>,
    /// Which of them, by its uid, was the last to be reserved.
    pub(crate) reserved: Option<String>,
}

/// What happened so far.
pub(crate) struct History {
    seen: Arc<Mutex<HashMap<Key, Past>>>,
    client: kube::Client,
    _watch: JoinSet<()>,
}

impl History {
    /// From now on.
    pub(crate) async fn follow(client: kube::Client) -> Self {
        let secrets: Api<Secret> = Api::all(client.clone());
        let list = secrets.list_metadata(&ListParams::default().labels("race")).await.unwrap();
        let mut version = list.metadata.resource_version.unwrap();
        let seen: Arc<Mutex<HashMap<Key, Past>>> = Arc::default();
        let (put, mut watch) = (Arc::clone(&seen), JoinSet::new());
        watch.spawn(async move {
            loop {
                let parameters = WatchParams::default().labels("race").timeout(280);
                let mut events = pin!(secrets.watch_metadata(&parameters, &version).await.unwrap());
                while let Some(event) = events.try_next().await.unwrap() {
                    let (metadata, is_gone) = match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => (object.metadata, false),
                        WatchEvent::Deleted(object) => (object.metadata, true),
                        WatchEvent::Bookmark(bookmark) => {
                            version = bookmark.metadata.resource_version;
                            continue;
                        }
                        WatchEvent::Error(error) => panic!("{error}"),
                    };
                    version = metadata.resource_version.unwrap();
                    let key = (metadata.namespace.unwrap(), metadata.name.unwrap());
                    let mut seen = put.lock().unwrap();
                    let past = seen.entry(key).or_default();
                    let is_reserved = metadata
                        .annotations
                        .iter()
                        .flatten()
                        .any(|(name, _)| name.starts_with("reservation."));
                    if is_gone {
                        past.deleted.push(version.parse().unwrap());
                    } else if is_reserved {
                        past.reserved = metadata.uid;
                    }
                }
            }
        });
        Self { seen, client, _watch: watch }
    }

    /// All that has happened: the watch has come as far as one that is made now.
    pub(crate) async fn settled(&self) -> HashMap<Key, Past> {
        let (namespace, name) = ("default", "last");
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        secrets.create(&PostParams::default(), &race::secret(namespace, name)).await.unwrap();
        secrets.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
        let begun = Instant::now();
        let key = (namespace.to_owned(), name.to_owned());
        while self.seen.lock().unwrap().get(&key).is_none_or(|past| past.deleted.is_empty()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "the watch has ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.seen.lock().unwrap().clone()
    }
}
