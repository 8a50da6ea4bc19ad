//! Watches on the namespaces that sources are in: one for each namespace and registry Secret type, so that their
//! number does not grow with the credentials. Where regcred is limited to some namespaces, whose Secrets are not all its
//! business, each source is watched by its name instead.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures::FutureExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::changes::{Change, Changes};
use super::lists::Lists;
use super::watch::{Answer, SECRETS_PER_PAGE, Sink, follow};
use crate::knowledge::Index;
use crate::knowledge::Snapshot;
use crate::knowledge::index::key_of;
use crate::model::ObjectKey;
use crate::model::docker_config::{DOCKER_CONFIG_JSON_TYPE, DOCKERCFG_TYPE};
use crate::model::pruned::Pruned;
use crate::model::scope::Scope;
use crate::server::Part;

/// The watches and what they are for.
pub(super) struct SourceWatches {
    client: Client,
    index: Arc<Index>,
    changes: Changes,
    lists: Lists,
    /// Tells, by being dropped everywhere, that every source known at the start has been looked for. Present until
    /// the credentials are known completely; before that, nothing is watched.
    before_begin: Option<Arc<ReadyOnceDropped>>,
    /// The same while somebody still has to look: a watch that is started anew before its first list takes a share over.
    synced: Weak<ReadyOnceDropped>,
    /// Told when a watch ends by itself, which is a defect.
    ended: Arc<Notify>,
    running: BTreeMap<Target, Watches>,
}

/// What is watched: a namespace, or one Secret of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    namespace: Arc<str>,
    name: Option<Arc<str>>,
}

/// The watches on one target, one per type. Dropping it ends them.
struct Watches {
    names: BTreeSet<Arc<str>>,
    _tasks: JoinSet<()>,
}

/// Whoever holds a share of it has something left to do before the part is ready.
struct ReadyOnceDropped(Part);

impl Drop for ReadyOnceDropped {
    fn drop(&mut self) {
        self.0.ready();
    }
}

impl SourceWatches {
    pub(super) fn new(
        client: Client,
        index: Arc<Index>,
        changes: Changes,
        lists: Lists,
        synced: Part,
    ) -> Self {
        let share = Arc::new(ReadyOnceDropped(synced));
        let synced = Arc::downgrade(&share);
        let (ended, running) = (Arc::default(), BTreeMap::new());
        Self { client, index, changes, lists, before_begin: Some(share), synced, ended, running }
    }

    /// Told when a watch ends by itself.
    pub(super) fn ended(&self) -> Arc<Notify> {
        Arc::clone(&self.ended)
    }

    /// The credentials are known completely.
    pub(super) fn begin(&mut self, known: &Snapshot) {
        let _share = self.before_begin.take();
        self.follow(known);
    }

    /// Starts, restarts and ends watches after the credentials have changed.
    pub(super) fn follow_credentials(&mut self, known: &Snapshot) {
        if self.before_begin.is_none() {
            self.follow(known);
        }
    }

    /// A namespace in which another Secret has become a source is watched anew, because Secrets that no credential
    /// named were not kept.
    fn follow(&mut self, known: &Snapshot) {
        let share = self.synced.upgrade();
        let mut wanted: BTreeMap<Target, BTreeSet<Arc<str>>> = BTreeMap::new();
        for credential in known.credentials.values() {
            let source = credential.source.clone();
            let name = (known.scope != Scope::All).then(|| source.name.clone());
            let target = Target { namespace: source.namespace, name };
            wanted.entry(target).or_default().insert(source.name);
        }
        self.running.retain(|target, _| wanted.contains_key(target));
        for (target, names) in wanted {
            match self.running.get_mut(&target) {
                Some(watches) if names.is_subset(&watches.names) => watches.names = names,
                _ => {
                    // The old watches are ended first: the new ones need a round trip before they tell anything.
                    self.running.remove(&target);
                    let watches = self.watch(&target, names, share.as_ref());
                    self.running.insert(target, watches);
                }
            }
        }
    }

    fn watch(
        &self,
        target: &Target,
        names: BTreeSet<Arc<str>>,
        share: Option<&Arc<ReadyOnceDropped>>,
    ) -> Watches {
        let mut tasks = JoinSet::new();
        for secret_type in [DOCKER_CONFIG_JSON_TYPE, DOCKERCFG_TYPE] {
            let api: Api<Pruned<Secret>> = Api::namespaced(self.client.clone(), &target.namespace);
            let fields = match &target.name {
                None => format!("type={secret_type}"),
                Some(name) => format!("metadata.name={name},type={secret_type}"),
            };
            let config = watcher::Config::default().fields(&fields).page_size(SECRETS_PER_PAGE);
            let sink = Sources {
                index: Arc::clone(&self.index),
                changes: self.changes.clone(),
                target: target.clone(),
                secret_type,
            };
            let (mut share, is_limited) = (share.cloned(), target.name.is_some());
            let answered = move |answer| {
                // Where regcred has no rights, nobody is to wait for what cannot be seen.
                if is_limited || answer == Answer::Listed {
                    drop(share.take());
                }
            };
            let watch = follow("source secrets", api, config, self.lists.clone(), sink, answered);
            let ended = Arc::clone(&self.ended);
            tasks.spawn(async move {
                // A panic ends it as well, and has been logged.
                let _ = AssertUnwindSafe(watch).catch_unwind().await;
                ended.notify_one();
            });
        }
        Watches { names, _tasks: tasks }
    }
}

struct Sources {
    index: Arc<Index>,
    changes: Changes,
    target: Target,
    secret_type: &'static str,
}

impl Sink<Pruned<Secret>> for Sources {
    type Key = ObjectKey;

    fn key(&self, object: &Pruned<Secret>) -> Option<ObjectKey> {
        key_of(&object.metadata)
    }

    fn apply(&mut self, object: &Pruned<Secret>) {
        self.index.apply_source(object);
        self.tell(object);
    }

    fn delete(&mut self, object: &Pruned<Secret>) {
        self.index.delete_source(&object.metadata);
        self.tell(object);
    }

    fn retain(&mut self, listed: &HashSet<ObjectKey>) {
        let Target { namespace, name } = &self.target;
        match name {
            None => self.index.retain_sources(namespace, self.secret_type, listed),
            Some(name) => {
                let key = ObjectKey { namespace: Arc::clone(namespace), name: Arc::clone(name) };
                self.index.source_listed(&key, self.secret_type, listed.contains(&key));
            }
        }
        // Not of everything: with each new source the others of its namespace are listed again.
        let known = self.index.snapshot();
        let is_of_list = |source: &&ObjectKey| {
            source.namespace == *namespace && name.as_ref().is_none_or(|name| source.name == *name)
        };
        for source in known.named_sources().filter(is_of_list) {
            self.changes.add(&Change::Source(source.clone()));
        }
    }
}

impl Sources {
    /// Of Secrets that no credential names nobody is told.
    fn tell(&self, object: &Pruned<Secret>) {
        let known = self.index.snapshot();
        if let Some(key) = key_of(&object.metadata).filter(|key| known.sources.contains_key(key)) {
            self.changes.add(&Change::Source(key));
        }
    }
}
