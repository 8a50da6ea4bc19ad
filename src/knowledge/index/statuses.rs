//! What is stored of credentials besides their spec.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Index;
use crate::api::RegistryCredential;
use crate::knowledge::Snapshot;
use crate::knowledge::snapshot::Stored;
use crate::model::ObjectKey;
use crate::model::docker_config::{DOCKER_CONFIG_JSON_TYPE, DOCKERCFG_TYPE};

impl Index {
    /// The version and the status that are stored of a credential. Returns whether the status is another than was known.
    pub fn apply_status(&self, object: &RegistryCredential) -> bool {
        let Some(name) = object.metadata.name.as_deref() else {
            return false;
        };
        let stored = Stored {
            resource_version: object.metadata.resource_version.as_deref().unwrap_or_default().into(),
            status: object.status.clone().unwrap_or_default(),
        };
        let is_new = self.snapshot().stored.get(name).is_none_or(|known| known.status != stored.status);
        self.change(|snapshot| snapshot.stored.insert(name.into(), Arc::new(stored)));
        is_new
    }

    /// Whether this very spec is known already, so that at most the status is new.
    pub fn knows_spec(&self, object: &RegistryCredential) -> bool {
        let (uid, generation) = (object.metadata.uid.as_deref(), object.metadata.generation);
        let Some(name) = object.metadata.name.as_deref() else {
            return false;
        };
        let known = self.snapshot();
        let usable = known.credentials.get(name).map(|one| (&*one.uid, one.generation));
        let unusable = known.unusable.get(name).map(|one| (&*one.uid, one.generation));
        usable.or(unusable).is_some_and(|known| uid.zip(generation) == Some(known))
    }
}

/// A source that nothing is known of yet: lists of both types of Secrets are waited for.
pub(super) fn await_source(snapshot: &mut Snapshot, source: &ObjectKey) {
    if !snapshot.sources.contains_key(source) {
        let types = BTreeSet::from([DOCKER_CONFIG_JSON_TYPE, DOCKERCFG_TYPE]);
        snapshot.unread_sources.entry(source.clone()).or_insert(types);
    }
}

/// A complete list of a namespace's Secrets of a type has come.
pub(super) fn sources_listed(snapshot: &mut Snapshot, namespace: &str, secret_type: &str) {
    let awaited = snapshot.unread_sources.keys().filter(|source| *source.namespace == *namespace);
    for source in awaited.cloned().collect::<Vec<_>>() {
        source_listed(snapshot, &source, secret_type);
    }
}

/// A complete list of the Secrets of a type that could be this source has come.
pub(super) fn source_listed(snapshot: &mut Snapshot, source: &ObjectKey, secret_type: &str) {
    let Some(types) = snapshot.unread_sources.get_mut(source) else {
        return;
    };
    types.remove(secret_type);
    if types.is_empty() {
        snapshot.unread_sources.remove(source);
    }
}
