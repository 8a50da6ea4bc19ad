//! Namespaces, and the ServiceAccounts that decide.

use std::collections::HashSet;
use std::sync::Arc;

use kube::core::ObjectMeta;

use super::copies::{remove_copy, resource_version};
use super::{Index, key_of};
use crate::knowledge::Snapshot;
use crate::knowledge::copy::Copy;
use crate::model::ObjectKey;
use crate::model::copy::Wanted;
use crate::model::namespace::Namespace;

/// The annotation by which a ServiceAccount limits its pods to the Secrets it lists
/// (`k8s.io/kubernetes/plugin/pkg/admission/serviceaccount`).
const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
impl Index {
    /// A namespace was created or changed.
    pub fn apply_namespace(&self, metadata: &ObjectMeta) {
        let Some(name) = metadata.name.as_deref() else {
            return;
        };
        let namespace = Namespace::from(metadata);
        self.change(|snapshot| {
            snapshot.namespaces.insert(name.into(), Arc::new(namespace));
        });
    }

    /// A namespace is gone, and everything that was in it. Returns the copies that pods rely on: another namespace may be
    /// there under its name. What has been seen in that one already stays, for the watches are not equally late.
    pub fn delete_namespace(&self, metadata: &ObjectMeta) -> Vec<Wanted> {
        let Some(name) = metadata.name.as_deref() else {
            return Vec::new();
        };
        // Of a deleted object the watch tells the version at which it went. All kinds of objects count by the same clock,
        // unless Secrets have a storage of their own; then the watch on copies tells the same a little later.
        let ended = resource_version(metadata);
        let is_over =
            |copy: &Copy| matches!((copy.version(), ended), (Some(version), Some(ended)) if version < ended);
        self.relied_on(self.change(|snapshot| {
            forget_namespace(snapshot, name);
            let copies = snapshot.copies_in(name).filter(|(_, copy)| is_over(copy));
            let places: Vec<ObjectKey> = copies.map(|(place, _)| place.clone()).collect();
            places.iter().filter_map(|place| remove_copy(snapshot, place)).collect::<Vec<_>>()
        }))
    }

    /// Namespaces that were not in a complete list are gone. Of their copies the watch on copies tells.
    pub fn retain_namespaces(&self, listed: &HashSet<String>) {
        self.change(|snapshot| {
            let names = snapshot.namespaces.keys().filter(|name| !listed.contains(&***name));
            let gone: Vec<Arc<str>> = names.cloned().collect();
            for name in &gone {
                forget_namespace(snapshot, name);
            }
        });
    }

    /// A ServiceAccount was created or changed. Only those that limit their pods are kept.
    pub fn apply_service_account(&self, metadata: &ObjectMeta) {
        let Some(key) = key_of(metadata) else {
            return;
        };
        let annotations = metadata.annotations.as_ref();
        let is_guarded =
            annotations.is_some_and(|all| all.get(ENFORCE_MOUNTABLE_SECRETS).is_some_and(|v| v == "true"));
        if is_guarded != self.snapshot().guarded_service_accounts.contains(&key) {
            self.change(|snapshot| {
                if is_guarded {
                    snapshot.guarded_service_accounts.insert(key);
                } else {
                    snapshot.guarded_service_accounts.remove(&key);
                }
            });
        }
    }

    /// A ServiceAccount is gone.
    pub fn delete_service_account(&self, metadata: &ObjectMeta) {
        if let Some(key) = key_of(metadata) {
            self.change(|snapshot| {
                snapshot.guarded_service_accounts.remove(&key);
            });
        }
    }

    /// ServiceAccounts that were not in a complete list are gone.
    pub fn retain_service_accounts(&self, listed: &HashSet<ObjectKey>) {
        self.change(|snapshot| snapshot.guarded_service_accounts.retain(|key| listed.contains(key)));
    }

    /// ServiceAccounts of a namespace that were not in a complete list of it are gone.
    pub fn retain_service_accounts_in(&self, namespace: &str, listed: &HashSet<ObjectKey>) {
        let stays = |key: &ObjectKey| *key.namespace != *namespace || listed.contains(key);
        self.change(|snapshot| snapshot.guarded_service_accounts.retain(stays));
    }
}

/// Forgets a namespace, and what stood in the way of copies in it.
fn forget_namespace(snapshot: &mut Snapshot, name: &str) {
    snapshot.namespaces.remove(name);
    let keys: Vec<_> =
        snapshot.credentials.values().map(|credential| Wanted::new(credential, name).key()).collect();
    for key in &keys {
        snapshot.setbacks.remove(key);
    }
}
