//! Credentials.

use std::collections::HashSet;
use std::sync::Arc;

use super::Index;
use super::statuses::await_source;
use crate::api::RegistryCredential;
use crate::knowledge::Snapshot;
use crate::knowledge::snapshot::Unusable;
use crate::model::credential::{Credential, CredentialError};

impl Index {
    /// A credential was created or changed. An object that cannot be compiled counts as absent.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn apply_credential(&self, object: &RegistryCredential) -> Result<(), CredentialError> {
        let Some(name) = object.metadata.name.as_deref() else {
            return Err(CredentialError::NoName);
        };
        let in_scope = |credential: Credential| {
            let namespace = &*credential.source.namespace;
            if self.snapshot().scope.covers(namespace) {
                Ok(credential)
            } else {
                Err(CredentialError::OutOfScope(namespace.to_owned()))
            }
        };
        match Credential::parse(object).and_then(in_scope) {
            Ok(credential) => {
                let (generation, source) = (credential.generation, credential.source.clone());
                self.change(|snapshot| {
                    snapshot.unusable.remove(name);
                    let credential = Arc::new(credential);
                    let former = snapshot.credentials.insert(name.into(), Arc::clone(&credential));
                    if let Some(former) = former.as_ref().filter(|former| former.uid != credential.uid) {
                        snapshot.end(former.uid.clone());
                    }
                    forget_source_unless_used(snapshot, former.as_deref());
                    await_source(snapshot, &source);
                    // What stood in the way of what was written before need not stand in the way of this.
                    if let Some(former) = former.filter(|former| former.generation != generation) {
                        snapshot.setbacks.retain(|key, _| key.credential_uid != former.uid);
                    }
                });
                Ok(())
            }
            Err(error) => {
                self.delete_credential(name);
                let uid = object.metadata.uid.as_deref().unwrap_or_default().into();
                let generation = object.metadata.generation.unwrap_or_default();
                let unusable = Unusable { uid, generation, error: error.clone() };
                self.change(|snapshot| snapshot.unusable.insert(name.into(), unusable));
                Err(error)
            }
        }
    }

    /// A credential is gone. What was known of its source goes unless another credential refers to it.
    pub fn delete_credential(&self, name: &str) {
        self.change(|snapshot| {
            let unusable = snapshot.unusable.remove(name).map(|unusable| unusable.uid);
            snapshot.stored.remove(name);
            let gone = snapshot.credentials.remove(name);
            if let Some(uid) = gone.as_ref().map(|gone| gone.uid.clone()).or(unusable) {
                snapshot.end(uid);
            }
            forget_source_unless_used(snapshot, gone.as_deref());
        });
    }

    /// Credentials that were not in a complete list are gone.
    pub fn retain_credentials(&self, listed: &HashSet<String>) {
        let snapshot = self.snapshot();
        let names = snapshot.credentials.keys().chain(snapshot.unusable.keys());
        for name in names.filter(|name| !listed.contains(&***name)) {
            self.delete_credential(name);
        }
    }
}

/// What was known of the source of a credential that is gone or refers to another one now.
fn forget_source_unless_used(snapshot: &mut Snapshot, former: Option<&Credential>) {
    let Some(former) = former else {
        return;
    };
    if !snapshot.credentials.values().any(|credential| credential.source == former.source) {
        snapshot.sources.remove(&former.source);
        snapshot.unread_sources.remove(&former.source);
    }
}
