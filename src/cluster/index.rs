//! The index: watch events in, snapshots out. No I/O.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use super::reliance::Reliance;
use super::snapshot::{Copy, Namespace, Obstacle, Setback, Snapshot};
use crate::api::RegistryCredential;
use crate::model::ObjectKey;
use crate::model::copy::{CopyKey, Origin, Wanted};
use crate::model::credential::{Credential, CredentialError};
use crate::model::source::Source;

/// The annotation by which a ServiceAccount limits its pods to the Secrets it lists
/// (`k8s.io/kubernetes/plugin/pkg/admission/serviceaccount`).
const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
/// The first pause after a write that did not succeed; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: what an admin has mended is taken up within this time.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// From this many on, setbacks that have been over for [`LONGEST_PAUSE`] are forgotten when one is added.
const MANY_SETBACKS: usize = 1_024;

/// Holds what the watches have seen and publishes it.
pub struct Index {
    published: ArcSwap<Snapshot>,
    /// Serialises writers; readers never take it.
    writing: Mutex<()>,
    /// The highest resource version that the watch on copies has shown; those of one kind of object are ordered.
    copies_seen_to: AtomicU64,
    /// Keys the digests of copies, so that they tell nothing about their content.
    digest_key: RandomState,
}

impl Index {
    /// An index that knows nothing yet.
    pub fn new(own_namespace: &str) -> Self {
        let snapshot = Snapshot { own_namespace: own_namespace.into(), ..Snapshot::default() };
        Self {
            published: ArcSwap::from_pointee(snapshot),
            writing: Mutex::new(()),
            copies_seen_to: AtomicU64::new(0),
            digest_key: RandomState::new(),
        }
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

    /// A credential was created or changed. An object that cannot be compiled counts as absent.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn apply_credential(&self, object: &RegistryCredential) -> Result<(), CredentialError> {
        let Some(name) = object.metadata.name.as_deref() else {
            return Err(CredentialError::NoName);
        };
        match Credential::parse(object) {
            Ok(credential) => {
                self.change(|snapshot| {
                    let former = snapshot.credentials.insert(name.into(), Arc::new(credential));
                    forget_source_unless_used(snapshot, former.as_deref());
                });
                Ok(())
            }
            Err(error) => {
                self.delete_credential(name);
                Err(error)
            }
        }
    }

    /// A credential is gone. What was known of its source goes unless another credential refers to it.
    pub fn delete_credential(&self, name: &str) {
        self.change(|snapshot| {
            if let Some(gone) = snapshot.credentials.remove(name) {
                let is_used =
                    snapshot.credentials.values().any(|credential| credential.source == gone.source);
                if !is_used {
                    snapshot.sources.remove(&gone.source);
                }
            }
        });
    }

    /// Credentials that were not in a complete list are gone.
    pub fn retain_credentials(&self, listed: &HashSet<String>) {
        let snapshot = self.snapshot();
        for name in snapshot.credentials.keys().filter(|name| !listed.contains(&***name)) {
            self.delete_credential(name);
        }
    }

    /// A registry Secret was created or changed. Secrets that no credential names are not kept.
    pub fn apply_source(&self, secret: &Secret) {
        let Some(key) = key_of(&secret.metadata) else {
            return;
        };
        // Most Secrets of the namespace are named by nobody, and cost no publication.
        let is_named =
            |snapshot: &Snapshot| snapshot.credentials.values().any(|credential| credential.source == key);
        if !is_named(&self.snapshot()) {
            return;
        }
        self.change(|snapshot| {
            if is_named(snapshot) {
                let before = snapshot.sources.get(&key).cloned().unwrap_or_default();
                snapshot.sources.insert(key.clone(), before.after(secret));
            }
        });
    }

    /// A registry Secret is gone. One that was re-created meanwhile, seen by another watch, has another uid.
    pub fn delete_source(&self, metadata: &ObjectMeta) {
        let Some(key) = key_of(metadata) else {
            return;
        };
        self.change(|snapshot| {
            if let Some(source) =
                snapshot.sources.get(&key).filter(|source| source.uid() == metadata.uid.as_deref())
            {
                let gone = source.gone();
                snapshot.sources.insert(key, gone);
            }
        });
    }

    /// Sources of a namespace and Secret type that were not in a complete list are gone.
    pub fn retain_sources(&self, namespace: &str, secret_type: &str, listed: &HashSet<ObjectKey>) {
        self.change(|snapshot| {
            let is_gone = |key: &ObjectKey, source: &Source| {
                *key.namespace == *namespace
                    && source.secret_type() == Some(secret_type)
                    && !listed.contains(key)
            };
            let sources = snapshot.sources.iter().filter(|(key, source)| is_gone(key, source));
            let gone: Vec<_> = sources.map(|(key, source)| (key.clone(), source.gone())).collect();
            snapshot.sources.extend(gone);
        });
    }

    /// A namespace was created or changed.
    pub fn apply_namespace(&self, metadata: &ObjectMeta) {
        let Some(name) = metadata.name.as_deref() else {
            return;
        };
        let namespace = namespace_of(metadata);
        self.change(|snapshot| {
            snapshot.namespaces.insert(name.into(), Arc::new(namespace));
        });
    }

    /// A namespace is gone, and everything in it. Returns the copies that pods rely on: another namespace may be
    /// there under its name.
    pub fn delete_namespace(&self, name: &str) -> Vec<Wanted> {
        relied_on(self.change(|snapshot| remove_namespace(snapshot, name)))
    }

    /// Namespaces that were not in a complete list are gone. Returns the copies that pods rely on.
    pub fn retain_namespaces(&self, listed: &HashSet<String>) -> Vec<Wanted> {
        relied_on(self.change(|snapshot| {
            let names = snapshot.namespaces.keys().filter(|name| !listed.contains(&***name));
            let gone: Vec<Arc<str>> = names.cloned().collect();
            gone.iter().flat_map(|name| remove_namespace(snapshot, name)).collect::<Vec<_>>()
        }))
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

    /// How far the watch on copies has come; asked before a call whose answer is to be learned.
    pub fn copies_seen_to(&self) -> u64 {
        self.copies_seen_to.load(Ordering::SeqCst)
    }

    /// A call of ours, made when the watch had come to `before`, has returned a copy. Where the watch has gone beyond it
    /// since, that counts more: the copy may have been changed or deleted.
    pub fn learn_copy(&self, secret: &Secret, before: u64) {
        self.put_copy(secret, |seen| {
            seen > before && resource_version(&secret.metadata).is_some_and(|version| version <= seen)
        });
    }

    /// The watch on copies has come to this resource version; said before what it has shown is applied.
    pub fn copies_seen(&self, metadata: &ObjectMeta) {
        if let Some(version) = resource_version(metadata) {
            self.copies_seen_to.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// A Secret with our label was created or changed. One that does not bear all marks of a copy counts as absent.
    pub fn apply_copy(&self, secret: &Secret) {
        self.put_copy(secret, |_| false);
    }

    fn put_copy(&self, secret: &Secret, is_outdated: impl FnOnce(u64) -> bool) {
        let Some(key) = key_of(&secret.metadata) else {
            return;
        };
        let origin = Origin::of(&secret.metadata);
        let digest = self.digest_key.hash_one((&secret.type_, secret.data.as_ref().map(content)));
        self.change(|snapshot| {
            if is_outdated(self.copies_seen_to()) {
                return;
            }
            let Some(origin) = origin else {
                snapshot.copies.remove(&key);
                return;
            };
            let credential_uid: Arc<str> = origin.credential_uid.into();
            let wanted = CopyKey { place: key.clone(), credential_uid: credential_uid.clone() };
            snapshot.setbacks.remove(&wanted);
            let reliance = snapshot.copies.get(&key).map(|copy| copy.reliance.clone()).unwrap_or_default();
            let resource_version = secret.metadata.resource_version.as_deref().unwrap_or_default().into();
            let uid = secret.metadata.uid.as_deref().unwrap_or_default().into();
            snapshot.copies.insert(key, Copy { uid, resource_version, credential_uid, digest, reliance });
        });
    }

    /// A copy is gone. A late event about a former copy leaves the present one alone; in any case it is no obstacle any
    /// more. Returns it if pods rely on it.
    pub fn delete_copy(&self, metadata: &ObjectMeta) -> Vec<Wanted> {
        let Some(key) = key_of(metadata) else {
            return Vec::new();
        };
        relied_on(self.change(|snapshot| {
            end_setbacks_at(snapshot, &key);
            let known = snapshot.copies.get(&key);
            let is_known = known.is_some_and(|known| Some(&*known.uid) == metadata.uid.as_deref());
            is_known.then(|| remove_copy(snapshot, key)).flatten()
        }))
    }

    /// Copies that were not in a complete list are gone. Returns those that pods rely on.
    pub fn retain_copies(&self, listed: &HashSet<ObjectKey>) -> Vec<Wanted> {
        relied_on(self.change(|snapshot| {
            let keys = snapshot.copies.keys().filter(|key| !listed.contains(key));
            let gone: Vec<ObjectKey> = keys.cloned().collect();
            for key in &gone {
                end_setbacks_at(snapshot, key);
            }
            gone.into_iter().filter_map(|key| remove_copy(snapshot, key)).collect::<Vec<_>>()
        }))
    }

    /// A write did not succeed: it is remembered, and tried again after a pause that doubles each time.
    pub fn set_back(&self, wanted: &CopyKey, obstacle: Obstacle, now: Instant) -> Instant {
        self.change(|snapshot| {
            let attempts =
                snapshot.setbacks.get(wanted).map_or(1, |setback| setback.attempts.saturating_add(1));
            let pause = FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(10)).min(LONGEST_PAUSE);
            let retry_at = now + pause;
            if snapshot.setbacks.len() >= MANY_SETBACKS {
                snapshot.setbacks.retain(|_, setback| now < setback.retry_at + LONGEST_PAUSE);
            }
            snapshot.setbacks.insert(wanted.clone(), Setback { obstacle, retry_at, attempts });
            retry_at
        })
    }

    /// A write is no longer wanted, or has been superseded.
    pub fn forget_setback(&self, wanted: &CopyKey) {
        if self.snapshot().setbacks.contains_key(wanted) {
            self.change(|snapshot| {
                snapshot.setbacks.remove(wanted);
            });
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
    }
}

/// A copy that has gone, and whether pods rely on it.
type Gone = (Wanted, Reliance);

/// Those that pods rely on. Asked only after it has been published that they are gone: a request first notes its
/// reliance and then looks whether the copy is still there, so that one of both sides sees the other.
fn relied_on(gone: impl IntoIterator<Item = Gone>) -> Vec<Wanted> {
    let now = Instant::now();
    gone.into_iter().filter(|(_, reliance)| reliance.is_recent(now)).map(|(wanted, _)| wanted).collect()
}

/// Forgets a namespace, and what was known of the copies in it.
fn remove_namespace(snapshot: &mut Snapshot, name: &str) -> Vec<Gone> {
    snapshot.namespaces.remove(name);
    let copies: Vec<Wanted> =
        snapshot.credentials.values().map(|credential| Wanted::new(credential, name)).collect();
    for wanted in &copies {
        snapshot.setbacks.remove(&wanted.key());
    }
    copies.into_iter().filter_map(|wanted| remove_copy(snapshot, wanted.place)).collect()
}

/// Nothing stands at a place any more.
fn end_setbacks_at(snapshot: &mut Snapshot, place: &ObjectKey) {
    let credentials = snapshot.credentials.values().filter(|credential| credential.copy_name == place.name);
    let keys: Vec<CopyKey> =
        credentials.map(|credential| Wanted::new(credential, &place.namespace).key()).collect();
    for key in keys {
        snapshot.setbacks.remove(&key);
    }
}

/// Forgets a copy; returns it if its credential is still there.
fn remove_copy(snapshot: &mut Snapshot, place: ObjectKey) -> Option<Gone> {
    let copy = snapshot.copies.remove(&place)?;
    let mut credentials = snapshot.credentials.values();
    let credential = credentials.find(|credential| credential.uid == copy.credential_uid)?;
    Some((Wanted { credential: Arc::clone(credential), place }, copy.reliance))
}

/// What decides about a namespace.
pub fn namespace_of(metadata: &ObjectMeta) -> Namespace {
    Namespace {
        labels: metadata.labels.clone().unwrap_or_default(),
        terminating: metadata.deletion_timestamp.is_some(),
    }
}

/// `None` for one that is no number, of which nothing can be said.
fn resource_version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_deref()?.parse().ok()
}

/// Namespace and name of an object of a namespaced kind.
pub fn key_of(metadata: &ObjectMeta) -> Option<ObjectKey> {
    Some(ObjectKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}

fn content(data: &std::collections::BTreeMap<String, k8s_openapi::ByteString>) -> Vec<(&str, &[u8])> {
    data.iter().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect()
}

#[cfg(test)]
mod tests;
