//! The sources of credentials.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use super::statuses::{source_listed, sources_listed};
use super::{Index, key_of};
use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::copy::Obstacle;
use crate::model::source::{Source, SourceState};

impl Index {
    /// A registry Secret was created or changed. Secrets that no credential names are not kept.
    pub fn apply_source(&self, secret: &Secret) {
        let Some(key) = key_of(&secret.metadata) else {
            return;
        };
        // Most Secrets of the namespace are named by nobody, and cost no publication.
        let is_named = |snapshot: &Snapshot| snapshot.credentials_of(&key).next().is_some();
        if !is_named(&self.snapshot()) {
            return;
        }
        self.change(|snapshot| {
            if is_named(snapshot) {
                let before = snapshot.sources.get(&key).cloned().unwrap_or_default();
                let after = before.clone().after(secret, &self.digest_key);
                if digest_of(&after) != digest_of(&before) {
                    forget_refusals(snapshot, &key);
                }
                snapshot.sources.insert(key.clone(), after);
            }
        });
    }

    /// A registry Secret is gone. One that was re-created meanwhile, seen by another watch, has another uid.
    pub fn delete_source(&self, metadata: &ObjectMeta) {
        let Some(key) = key_of(metadata) else {
            return;
        };
        self.change(|snapshot| {
            let known = snapshot.sources.get(&key);
            if let Some(left) = known.and_then(|known| known.after_deletion(metadata.uid.as_deref())) {
                snapshot.sources.insert(key, left);
            }
        });
    }

    /// Sources of a namespace and Secret type that were not in a complete list are gone.
    pub fn retain_sources(&self, namespace: &str, secret_type: &str, listed: &HashSet<ObjectKey>) {
        self.change(|snapshot| {
            let sources = snapshot.sources.iter();
            let absent = sources.filter(|(key, _)| *key.namespace == *namespace && !listed.contains(key));
            let left: Vec<_> = absent
                .filter_map(|(key, known)| Some((key.clone(), known.after_absence(secret_type)?)))
                .collect();
            snapshot.sources.extend(left);
            sources_listed(snapshot, namespace, secret_type);
        });
    }

    /// The watch on this source alone has listed what there is of a Secret type: the source, or nothing.
    pub fn source_listed(&self, key: &ObjectKey, secret_type: &str, is_there: bool) {
        self.change(|snapshot| {
            let known = snapshot.sources.get(key).filter(|_| !is_there);
            if let Some(left) = known.and_then(|known| known.after_absence(secret_type)) {
                snapshot.sources.insert(key.clone(), left);
            }
            source_listed(snapshot, key, secret_type);
        });
    }
}

fn digest_of(source: &Source) -> Option<u64> {
    match &source.state {
        SourceState::Good(secret) => Some(secret.digest),
        SourceState::Missing | SourceState::Undecodable { .. } => None,
    }
}

/// What the API server would never take was the content of a source before it has changed.
fn forget_refusals(snapshot: &mut Snapshot, source: &ObjectKey) {
    let uids: HashSet<Arc<str>> =
        snapshot.credentials_of(source).map(|credential| Arc::clone(&credential.uid)).collect();
    snapshot.setbacks.retain(|key, setback| {
        !matches!(setback.obstacle, Obstacle::Lasting(_)) || !uids.contains(&key.credential_uid)
    });
}
