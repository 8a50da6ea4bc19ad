//! What the watches have shown, for whoever acts on it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The source of credentials.
    Source(ObjectKey),
    /// A namespace.
    Namespace(Arc<str>),
    /// What is there under a copy's name.
    Copy(ObjectKey),
    /// Which images and pull Secrets the pods of a namespace name.
    Pods(Arc<str>),
    /// A complete list has come, so anything may have changed.
    Everything,
}

/// The changes that nobody has taken yet, each once. Clones share them.
///
/// There are never more than there are objects, so a replica that does not act needs only to throw them away.
#[derive(Clone, Default)]
pub struct Changes {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<HashSet<Change>>,
    came: Notify,
}

impl Changes {
    /// A change has been seen; said after the snapshot shows it.
    pub fn add(&self, change: Change) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(change);
        self.shared.came.notify_one();
    }

    /// Takes all.
    pub fn take(&self) -> HashSet<Change> {
        std::mem::take(&mut self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a change has been added that was not waited for yet.
    pub async fn came(&self) {
        self.shared.came.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_once_however_often_it_was_seen() {
        let changes = Changes::default();
        for _ in 0..3 {
            changes.add(Change::Namespace("team-a".into()));
        }
        changes.came().await;
        assert_eq!(changes.take().len(), 1);
        assert!(changes.take().is_empty());
    }
}
