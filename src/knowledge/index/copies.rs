//! Copies of ours.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use super::setbacks::end_setbacks_at;
use super::{Index, key_of};
use crate::knowledge::Snapshot;
use crate::knowledge::copy::Copy;
use crate::knowledge::reliance::Reliance;
use crate::model::ObjectKey;
use crate::model::copy::{CopyKey, Wanted};
use crate::model::scope::Scope;

/// How far each watch on copies has come. How far one is says nothing of what another has shown.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How often one of them has come further.
    steps: u64,
    by_watch: HashMap<Watch, Mark>,
}

/// The watch on all namespaces, or that on this one.
type Watch = Option<Arc<str>>;

/// How far one watch has come.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// The highest resource version that it has shown; those of one kind of object are ordered.
    version: u64,
    /// The step by which it came there.
    step: u64,
}

impl Index {
    /// How far the watches on copies have come, in steps of any of them; asked before a call whose answer is to be learned.
    pub fn copies_seen_to(&self) -> u64 {
        self.progress().steps
    }

    /// A call of ours, made when the watches had come to `before`, has returned a copy. Where the one that shows it has gone
    /// beyond it since, that counts more: the copy may have been changed or deleted.
    pub fn learn_copy(&self, secret: &Secret, before: u64) {
        let version = resource_version(&secret.metadata);
        self.put_copy(secret, |seen| seen.step > before && version.is_some_and(|own| own <= seen.version));
    }

    /// The watch that shows this copy has come to its resource version; said before what it has shown is applied.
    pub fn copies_seen(&self, metadata: &ObjectMeta) {
        let Some(version) = resource_version(metadata) else {
            return;
        };
        let watch = self.watch_on(metadata.namespace.as_deref());
        let mut progress = self.progress();
        let Progress { steps, by_watch } = &mut *progress;
        let mark = by_watch.entry(watch).or_default();
        if version > mark.version {
            *steps += 1;
            *mark = Mark { version, step: *steps };
        }
    }

    fn watch_on(&self, namespace: Option<&str>) -> Watch {
        match self.snapshot().scope {
            Scope::All => None,
            Scope::Listed(_) => namespace.map(Arc::from),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Secret with our label was created or changed. One that does not bear all marks of a copy counts as absent.
    pub fn apply_copy(&self, secret: &Secret) {
        self.put_copy(secret, |_| false);
    }

    /// Those that pods rely on. Asked only after it has been published that they are gone: a request first notes its
    /// reliance and then looks whether the copy is still there, so that one of both sides sees the other.
    pub(super) fn relied_on(&self, gone: impl IntoIterator<Item = Gone>) -> Vec<Wanted> {
        let now = Instant::now();
        gone.into_iter()
            .filter(|(_, reliance)| reliance.is_recent(now, self.relied_for))
            .map(|(wanted, _)| wanted)
            .collect()
    }

    fn put_copy(&self, secret: &Secret, is_outdated: impl FnOnce(Mark) -> bool) {
        let Some(place) = key_of(&secret.metadata) else {
            return;
        };
        let copy = Copy::read(secret, &self.digest_key);
        let watch = self.watch_on(Some(&place.namespace));
        self.change(|snapshot| {
            let seen = self.progress().by_watch.get(&watch).copied();
            if is_outdated(seen.unwrap_or_default()) {
                return;
            }
            let Some(mut copy) = copy else {
                snapshot.remove_copy(&place);
                return;
            };
            let wanted = CopyKey { place: place.clone(), credential_uid: copy.credential_uid.clone() };
            snapshot.setbacks.remove(&wanted);
            copy.reliance =
                snapshot.copies.get(&place).map(|known| known.reliance.clone()).unwrap_or_default();
            snapshot.put_copy(place, copy);
        });
    }

    /// A copy is gone. A late event about a former copy leaves the present one alone; in any case it is no obstacle any
    /// more. Returns it if pods rely on it.
    pub fn delete_copy(&self, metadata: &ObjectMeta) -> Vec<Wanted> {
        let Some(key) = key_of(metadata) else {
            return Vec::new();
        };
        self.relied_on(self.change(|snapshot| {
            end_setbacks_at(snapshot, &key);
            let known = snapshot.copies.get(&key);
            let is_known = known.is_some_and(|known| Some(&*known.uid) == metadata.uid.as_deref());
            is_known.then(|| remove_copy(snapshot, &key)).flatten()
        }))
    }

    /// A call of ours has deleted a copy. What has come to its place since stays.
    pub fn forget_copy(&self, place: &ObjectKey, uid: &str) {
        self.change(|snapshot| {
            if snapshot.copies.get(place).is_some_and(|known| *known.uid == *uid) {
                snapshot.remove_copy(place);
            }
        });
    }

    /// Copies that were not in a complete list are gone. Returns those that pods rely on.
    pub fn retain_copies(&self, listed: &HashSet<ObjectKey>) -> Vec<Wanted> {
        self.retain_copies_of(|_| true, listed)
    }

    /// The same for a list of one namespace.
    pub fn retain_copies_in(&self, namespace: &str, listed: &HashSet<ObjectKey>) -> Vec<Wanted> {
        self.retain_copies_of(|key| *key.namespace == *namespace, listed)
    }

    fn retain_copies_of(
        &self,
        is_asked_for: impl Fn(&ObjectKey) -> bool,
        listed: &HashSet<ObjectKey>,
    ) -> Vec<Wanted> {
        self.relied_on(self.change(|snapshot| {
            let keys = snapshot.copies.keys().filter(|key| is_asked_for(key) && !listed.contains(key));
            let gone: Vec<ObjectKey> = keys.cloned().collect();
            for key in &gone {
                end_setbacks_at(snapshot, key);
            }
            gone.iter().filter_map(|key| remove_copy(snapshot, key)).collect::<Vec<_>>()
        }))
    }
}

/// A copy that has gone, and whether pods rely on it.
type Gone = (Wanted, Reliance);

/// Forgets a copy; returns it if its credential is still there.
pub(super) fn remove_copy(snapshot: &mut Snapshot, place: &ObjectKey) -> Option<Gone> {
    let copy = snapshot.remove_copy(place)?;
    let credential = snapshot.credential(&copy.credential_uid)?;
    Some((Wanted { credential: Arc::clone(credential), place: place.clone() }, copy.reliance))
}

/// `None` for one that is no number, of which nothing can be said.
pub(super) fn resource_version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_deref()?.parse().ok()
}
