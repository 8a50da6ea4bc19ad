//! What the watches have shown, for whoever acts on it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::model::ObjectKey;

/// Something of which another state is known now. It says where to look, never what was seen: whoever looks reads the
/// snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// A credential; by its uid, for its copies outlive what is known of it.
    Credential {
        /// Its name.
        name: Arc<str>,
        /// Its uid.
        uid: Arc<str>,
    },
    /// The status that is stored with the credential of this name.
    Status(Arc<str>),
    /// The source of credentials.
    Source(ObjectKey),
    /// A namespace.
    Namespace(Arc<str>),
    /// What is there under a copy's name, or whether a copy may be there.
    Copy(ObjectKey),
    /// Which images and pull Secrets the pods of a namespace name.
    Pods(Arc<str>),
    /// What points to a Secret.
    References(ObjectKey),
    /// A Secret that is marked as in use, or was.
    MarkedSecret(ObjectKey),
    /// A complete list has come, so anything may have changed.
    Everything,
}

/// Tells of changes to all who subscribe. Clones share the subscribers.
#[derive(Clone, Default)]
pub struct Changes {
    subscribers: Arc<Mutex<Vec<Weak<Waiting>>>>,
}

impl Changes {
    /// A change has been seen; said after the snapshot shows it.
    pub fn add(&self, change: &Change) {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        for subscriber in subscribers.iter().filter_map(Weak::upgrade) {
            subscriber.add(change.clone());
        }
    }

    /// From now on every change, until it is dropped. What has been before counts as one change of everything, so
    /// whoever comes late begins with the whole.
    pub fn subscribe(&self) -> Subscription {
        let waiting = Arc::new(Waiting::default());
        waiting.add(Change::Everything);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.strong_count() > 0);
        subscribers.push(Arc::downgrade(&waiting));
        Subscription { waiting }
    }
}

/// The changes that one subscriber has not taken yet, each once.
///
/// There are never more than there are objects, so one that does not act needs only to throw them away.
pub struct Subscription {
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    changes: Mutex<HashSet<Change>>,
    came: Notify,
}

impl Waiting {
    fn add(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(change);
        self.came.notify_one();
    }
}

impl Subscription {
    /// Takes all.
    pub fn take(&self) -> HashSet<Change> {
        std::mem::take(&mut self.waiting.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a change has been added that was not waited for yet.
    pub async fn came(&self) {
        self.waiting.came.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace() -> Change {
        Change::Namespace("team-a".into())
    }

    #[tokio::test]
    async fn a_change_is_told_once_however_often_it_was_seen() {
        let changes = Changes::default();
        let subscription = changes.subscribe();
        assert_eq!(subscription.take(), HashSet::from([Change::Everything]));
        for _ in 0..3 {
            changes.add(&namespace());
        }
        subscription.came().await;
        assert_eq!(subscription.take().len(), 1);
        assert!(subscription.take().is_empty());
    }

    #[tokio::test]
    async fn every_subscriber_is_told_and_none_takes_anothers_changes() {
        let changes = Changes::default();
        let (first, second) = (changes.subscribe(), changes.clone().subscribe());
        changes.add(&namespace());
        first.came().await;
        second.came().await;
        assert!(first.take().contains(&namespace()));
        assert!(second.take().contains(&namespace()));
    }

    #[test]
    fn nothing_is_kept_for_who_has_gone() {
        let changes = Changes::default();
        drop(changes.subscribe());
        let _present = changes.subscribe();
        assert_eq!(changes.subscribers.lock().unwrap().len(), 1);
    }
}
