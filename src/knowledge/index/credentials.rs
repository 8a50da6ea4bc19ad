//! Credentials.

use std::collections::HashSet;
use std::sync::Arc;

use kube::core::ObjectMeta;

use super::Index;
use super::copies::resource_version;
use super::statuses::await_source;
use crate::api::RegistryCredential;
use crate::knowledge::Snapshot;
use crate::knowledge::credentials::Former;
use crate::knowledge::snapshot::Unusable;
use crate::model::ObjectKey;
use crate::model::credential::{Credential, CredentialError};

impl Index {
    /// A credential was created or changed. An object that cannot be compiled counts as absent, but not as gone.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn apply_credential(&self, object: &RegistryCredential) -> Result<(), CredentialError> {
        let metadata = &object.metadata;
        let Some(name) = metadata.name.as_deref() else {
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
                self.change(|snapshot| {
                    let former = snapshot.remove_credential(name);
                    end_replaced(snapshot, name, former.as_ref(), metadata);
                    await_source(snapshot, &credential.source);
                    let generation = credential.generation;
                    snapshot.put_credential(Arc::new(credential));
                    let former = former.and_then(Former::usable);
                    forget_source_unless_used(snapshot, former.as_deref());
                    // What stood in the way of what was written before need not stand in the way of this.
                    if let Some(former) = former.filter(|former| former.generation != generation) {
                        snapshot.setbacks.retain(|key, _| key.credential_uid != former.uid);
                    }
                });
                Ok(())
            }
            Err(error) => {
                let source = &object.spec.secret_ref;
                let unusable = Unusable {
                    uid: metadata.uid.as_deref().unwrap_or_default().into(),
                    generation: metadata.generation.unwrap_or_default(),
                    source: ObjectKey::new(&source.namespace, &source.name),
                    error: error.clone(),
                };
                // In one step: whoever looked in between would take it for gone.
                self.change(|snapshot| {
                    let former = snapshot.remove_credential(name);
                    end_replaced(snapshot, name, former.as_ref(), metadata);
                    snapshot.put_unusable(name.into(), unusable);
                    forget_source_unless_used(snapshot, former.and_then(Former::usable).as_deref());
                });
                Err(error)
            }
        }
    }

    /// A credential has been seen to go. What was known of its source goes unless another credential refers to it.
    pub fn delete_credential(&self, name: &str) {
        self.change(|snapshot| {
            if let Some(former) = forget_credential(snapshot, name) {
                snapshot.end(Arc::clone(former.uid()));
            }
        });
    }

    /// Credentials that were not in a complete list are not known any more. They need not have gone: the API server that
    /// has answered may be late.
    pub fn retain_credentials(&self, listed: &HashSet<String>) {
        self.change(|snapshot| {
            let names = snapshot.credentials.keys().chain(snapshot.unusable.keys());
            let absent: Vec<_> = names.filter(|name| !listed.contains(&***name)).cloned().collect();
            for name in &absent {
                forget_credential(snapshot, name);
            }
        });
    }
}

fn forget_credential(snapshot: &mut Snapshot, name: &str) -> Option<Former> {
    snapshot.stored.remove(name);
    let former = snapshot.remove_credential(name)?;
    forget_source_unless_used(snapshot, former.clone().usable().as_deref());
    Some(former)
}

/// There is one credential of a name at a time: where another uid is seen in a newer version, the former one has gone.
fn end_replaced(snapshot: &mut Snapshot, name: &str, former: Option<&Former>, metadata: &ObjectMeta) {
    let Some(former) = former.map(Former::uid).filter(|uid| Some(&***uid) != metadata.uid.as_deref()) else {
        return;
    };
    let last_seen = snapshot.stored.get(name).and_then(|stored| stored.resource_version.parse::<u64>().ok());
    if last_seen.zip(resource_version(metadata)).is_some_and(|(former, present)| former < present) {
        snapshot.end(Arc::clone(former));
    }
}

/// What was known of the source of a credential that is gone or refers to another one now.
fn forget_source_unless_used(snapshot: &mut Snapshot, former: Option<&Credential>) {
    let Some(former) = former else {
        return;
    };
    if snapshot.credentials_of(&former.source).next().is_none() {
        snapshot.sources.remove(&former.source);
        snapshot.unread_sources.remove(&former.source);
    }
}
