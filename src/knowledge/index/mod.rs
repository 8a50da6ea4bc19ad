//! The index: watch events in, snapshots out. No I/O.

mod copies;
mod credentials;
mod namespaces;
mod references;
mod setbacks;
mod sources;
mod statuses;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use kube::core::ObjectMeta;

use copies::Progress;

use super::snapshot::Snapshot;
use crate::model::ObjectKey;
use crate::model::consent::Consent;
use crate::model::digest::DigestKey;
use crate::model::scope::Scope;

/// Holds what the watches have seen and publishes it.
pub struct Index {
    published: ArcSwap<Snapshot>,
    /// Serialises writers; readers never take it.
    writing: Mutex<()>,
    /// How far the watches on copies have come. Apart from what is published: it changes with each event, and no decision
    /// asks for it.
    progress: Mutex<Progress>,
    digest_key: DigestKey,
    /// For how long a copy counts as relied on after a pod was told that it is there.
    relied_for: Duration,
}

/// For how long a copy counts as relied on unless the settle time says otherwise. A watch whose connection has died is found
/// out after about a minute, so what a pod is told may be that old; twice that leaves room for a busy API server.
const RELIED_FOR: Duration = Duration::from_mins(2);

impl Index {
    /// An index that knows nothing yet.
    pub fn new(own_namespace: &str) -> Self {
        let snapshot = Snapshot { own_namespace: own_namespace.into(), ..Snapshot::default() };
        Self {
            published: ArcSwap::from_pointee(snapshot),
            writing: Mutex::new(()),
            progress: Mutex::default(),
            digest_key: DigestKey::default(),
            relied_for: RELIED_FOR,
        }
    }

    /// The same, with copies counting as relied on for as long as a pod may take to be stored. So nobody misses a copy that
    /// is deleted because no pod needs it: that is not done before this time is over.
    #[must_use]
    pub fn with_reliance_for(self, settle: Duration) -> Self {
        Self { relied_for: settle, ..self }
    }

    /// The same, with namespaces being asked for their consent.
    #[must_use]
    pub fn with_consent(self, consent: Consent) -> Self {
        self.change(|snapshot| snapshot.consent = consent);
        self
    }

    /// The same, with no other namespaces being looked at.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        self.change(|snapshot| snapshot.scope = scope);
        self
    }

    /// What is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load_full()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let _writing: MutexGuard<'_, ()> = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.published.load());
        let result = change(&mut next);
        self.published.store(Arc::new(next));
        result
    }
}

/// Namespace and name of an object of a namespaced kind.
pub fn key_of(metadata: &ObjectMeta) -> Option<ObjectKey> {
    Some(ObjectKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}
