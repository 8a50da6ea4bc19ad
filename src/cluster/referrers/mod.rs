//! The watches on what points to Secrets. Its kinds may come and go, and get other versions.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use kube::core::{ApiResource, DynamicResourceScope, ObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::changes::{Change, Changes};
use super::error::told;
use super::lists::Lists;
use super::protection::{Kinds, Trust};
use super::reach::{Reach, follow_in};
use super::watch::{Answer, Sink};
use crate::configuration::Current;
use crate::knowledge::Index;
use crate::knowledge::index::key_of;
use crate::model::ObjectKey;
use crate::model::json::Json;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};
use crate::server::{Part, Readiness};

/// How often it is looked if a kind is served that was not.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The pause after a kind has gone, and the first after nobody could say; it doubles up to [`LOOK_AGAIN`], for there are several kinds,
/// and an API server that is down is not to be met by all of them again and again.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest that is waited for what the API server says of a kind.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For how long a server waits for these watches before it answers. A large garden is listed in seconds.
const AWAITED: Duration = Duration::from_secs(15);
/// How many objects come in one page of a list: a Shoot has some 6 KiB.
const PER_PAGE: u32 = 250;

/// Runs all watches; returns only when one of them ends, which is a defect.
///
/// Its part is in the register before it is first polled. It is ready once each kind that the configuration has then has been listed, or
/// is not served; or after [`AWAITED`], for what nobody serves at the moment must keep no pod from its pull Secret, and no decision
/// rests on these watches alone.
pub fn run(
    client: Client,
    index: Arc<Index>,
    kinds: Kinds,
    changes: Changes,
    rules: Current,
    readiness: &Readiness,
) -> impl Future<Output = ()> + Send + 'static {
    let mut configured = rules.changes();
    let part = readiness.part("referrers");
    let share = Share(part.clone());
    let mut watches = Watches { client, index, kinds, changes, running: HashMap::new() };
    watches.follow(&rules, Some(&Arc::new(share)));
    async move {
        let mut awaited = pin!(tokio::time::sleep(AWAITED).fuse());
        loop {
            tokio::select! {
                _ = select_all(watches.running.values_mut()) => return,
                () = &mut awaited => part.ready(),
                // Whoever changes it lives as long as `rules`.
                _ = configured.changed() => watches.follow(&rules, None),
            }
        }
    }
}

/// The watches by their kinds, of which those that are configured come and go.
struct Watches {
    client: Client,
    index: Arc<Index>,
    kinds: Kinds,
    changes: Changes,
    running: HashMap<ReferrerKind, BoxFuture<'static, ()>>,
}

impl Watches {
    /// Makes them those of the configuration.
    fn follow(&mut self, rules: &Current, share: Option<&Arc<Share>>) {
        let wanted: HashSet<ReferrerKind> =
            rules.get().referrer_kinds().filter(ReferrerKind::is_watched).collect();
        let ended: Vec<_> = self.running.extract_if(|kind, _| !wanted.contains(kind)).collect();
        for (kind, watch) in ended {
            drop(watch);
            self.index.retain_referrers(&kind, None, &HashSet::new());
            self.changes.add(&Change::Everything);
        }
        for kind in wanted {
            let watched = || Watched {
                client: self.client.clone(),
                index: Arc::clone(&self.index),
                changes: self.changes.clone(),
                kinds: self.kinds.clone(),
                kind: kind.clone(),
                share: share.cloned(),
            };
            self.running.entry(kind.clone()).or_insert_with(|| watched().run().boxed());
        }
    }
}

/// Whoever holds one has not been told of its kind yet; the part is ready when the last is dropped.
struct Share(Part);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.ready();
    }
}

/// One kind.
struct Watched {
    client: Client,
    index: Arc<Index>,
    changes: Changes,
    kinds: Kinds,
    kind: ReferrerKind,
    share: Option<Arc<Share>>,
}

impl Watched {
    async fn run(mut self) {
        // Its own: another API server than that of Secrets may serve it.
        let (lists, mut is_told, mut pause) = (Lists::default(), false, PAUSE);
        loop {
            let found = tokio::time::timeout(TIMEOUT, self.kinds.find(&self.kind, Trust::Fresh)).await;
            if matches!(found, Ok(Ok(_))) {
                pause = PAUSE;
            }
            match found {
                Ok(Ok(Some(resource))) => {
                    is_told = false;
                    if self.follow(&resource, lists.clone()).await == Ended::ByDefect {
                        return;
                    }
                    self.kinds.forget(&self.kind);
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Ok(None)) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::info!(kind = %self.kind, "the cluster does not have this kind; regcred waits for it");
                        self.index.retain_referrers(&self.kind, None, &HashSet::new());
                        self.changes.add(&Change::Everything);
                    }
                    self.share = None;
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Ok(Err(error)) => {
                    tracing::warn!(kind = %self.kind, error = told(&error), "could not ask if the cluster has this kind");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LOOK_AGAIN);
                }
                Err(_) => {
                    tracing::warn!(kind = %self.kind, "the API server does not say if it has this kind");
                }
            }
        }
    }

    /// Follows a kind as long as it is served so.
    async fn follow(&mut self, resource: &ApiResource, lists: Lists) -> Ended {
        let scope = self.index.snapshot().scope.clone();
        let api = |reach: &Reach| match reach {
            None => Api::<Observed>::all_with(self.client.clone(), resource),
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
        };
        let sink = |reach| Referrers {
            index: Arc::clone(&self.index),
            changes: self.changes.clone(),
            kind: self.kind.clone(),
            reach,
        };
        let (listed, gone) = (Notify::new(), Notify::new());
        let answered = |answer| match answer {
            Answer::Listed => listed.notify_one(),
            Answer::NotServed => gone.notify_one(),
            Answer::Forbidden => {}
        };
        let config = watcher::Config::default().page_size(PER_PAGE);
        let mut watches =
            std::pin::pin!(follow_in(self.kind.resource(), (api, lists), &scope, config, sink, answered));
        loop {
            tokio::select! {
                () = &mut watches => return Ended::ByDefect,
                () = gone.notified() => return Ended::NotServed,
                () = listed.notified() => drop(self.share.take()),
            }
        }
    }
}

/// Why a kind is not followed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    NotServed,
    ByDefect,
}

/// An object as it came, however deep it is. What it points to is all that is kept of it, and what that is depends on its kind, which it need not say.
#[derive(Debug, Clone)]
struct Observed {
    metadata: ObjectMeta,
    raw: Box<RawValue>,
}

impl<'de> Deserialize<'de> for Observed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let fields = Json::from(&*raw).field("metadata").map(Json::fields).unwrap_or_default();
        let text = |name| fields.get(name).and_then(Json::text).map(|text| text.to_string());
        let metadata = ObjectMeta {
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, raw })
    }
}

impl Resource for Observed {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        (&*resource.kind).into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        (&*resource.group).into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        (&*resource.version).into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        (&*resource.plural).into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

struct Referrers {
    index: Arc<Index>,
    changes: Changes,
    kind: ReferrerKind,
    reach: Reach,
}

impl Sink<Observed> for Referrers {
    type Key = ObjectKey;

    fn key(&self, object: &Observed) -> Option<ObjectKey> {
        key_of(&object.metadata)
    }

    fn apply(&mut self, object: &Observed) {
        if let Some(referrer) = self.referrer(object) {
            let pointers = Pointers::of(&referrer, &object.raw);
            self.tell(self.index.apply_referrer(referrer, pointers));
        }
    }

    fn delete(&mut self, object: &Observed) {
        if let Some(referrer) = self.referrer(object) {
            self.tell(
                self.index.delete_referrer(referrer, object.metadata.uid.as_deref().unwrap_or_default()),
            );
        }
    }

    fn retain(&mut self, listed: &HashSet<ObjectKey>) {
        self.index.retain_referrers(&self.kind, self.reach.as_deref(), listed);
        self.changes.add(&Change::Everything);
    }
}

impl Referrers {
    fn referrer(&self, object: &Observed) -> Option<Referrer> {
        Some(Referrer { kind: self.kind.clone(), key: key_of(&object.metadata)? })
    }

    fn tell(&self, concerned: BTreeSet<ObjectKey>) {
        for secret in concerned {
            self.changes.add(&Change::References(secret));
        }
    }
}

#[cfg(test)]
mod tests;
