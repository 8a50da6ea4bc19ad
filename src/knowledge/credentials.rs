//! Credentials by what else than their name they are asked for, so that nothing that happens in one place costs a look at
//! all of them.

use std::hash::Hash;
use std::sync::Arc;

use super::Snapshot;
use super::snapshot::Unusable;
use crate::model::ObjectKey;
use crate::model::credential::Credential;

/// The names of credentials by their uid, and in their order by what several may have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    uids: imbl::HashMap<Arc<str>, Arc<str>>,
    copy_names: imbl::HashMap<Arc<str>, imbl::OrdSet<Arc<str>>>,
    sources: imbl::HashMap<ObjectKey, imbl::OrdSet<Arc<str>>>,
}

/// What was known under the name of a credential.
#[derive(Debug, Clone)]
pub(super) enum Former {
    /// One that could be used.
    Usable(Arc<Credential>),
    /// One that could not.
    Unusable(Unusable),
}

impl Former {
    pub(super) fn uid(&self) -> &Arc<str> {
        match self {
            Self::Usable(credential) => &credential.uid,
            Self::Unusable(unusable) => &unusable.uid,
        }
    }

    pub(super) fn usable(self) -> Option<Arc<Credential>> {
        match self {
            Self::Usable(credential) => Some(credential),
            Self::Unusable(_) => None,
        }
    }
}

impl Snapshot {
    /// The credential of this uid, if it can be used.
    pub fn credential(&self, uid: &str) -> Option<&Arc<Credential>> {
        self.credentials.get(self.name_of(uid)?)
    }

    /// The name of the credential of this uid, whether it can be used or not.
    pub fn name_of(&self, uid: &str) -> Option<&Arc<str>> {
        self.directory.uids.get(uid)
    }

    /// Whether the credential of this uid is there, but makes no sense as it is written now.
    pub fn is_unusable(&self, uid: &str) -> bool {
        self.name_of(uid).is_some_and(|name| self.unusable.contains_key(name))
    }

    /// The credentials whose copies are called so, by name.
    pub fn credentials_with_copies_called(&self, copy_name: &str) -> impl Iterator<Item = &Arc<Credential>> {
        let names = self.directory.copy_names.get(copy_name).into_iter().flatten();
        names.filter_map(|name| self.credentials.get(name))
    }

    /// The credentials that can be used and refer to this source, by name.
    pub fn credentials_of(&self, source: &ObjectKey) -> impl Iterator<Item = &Arc<Credential>> {
        let names = self.directory.sources.get(source).into_iter().flatten();
        names.filter_map(|name| self.credentials.get(name))
    }

    /// Whether a credential refers to this Secret, also one that cannot be used as it is written now.
    pub fn is_a_source(&self, secret: &ObjectKey) -> bool {
        self.directory.sources.contains_key(secret)
    }

    /// The Secrets that credentials refer to.
    pub fn named_sources(&self) -> impl Iterator<Item = &ObjectKey> {
        self.directory.sources.keys()
    }

    /// The Secret that the credential of this name refers to, whether it can be used or not.
    pub fn source_named_by(&self, credential: &str) -> Option<&ObjectKey> {
        let usable = self.credentials.get(credential).map(|one| &one.source);
        usable.or_else(|| self.unusable.get(credential).map(|one| &one.source))
    }

    /// Puts a credential where none of its name is.
    pub(super) fn put_credential(&mut self, credential: Arc<Credential>) {
        let name = &credential.name;
        self.directory.uids.insert(credential.uid.clone(), name.clone());
        note(&mut self.directory.copy_names, credential.copy_name.clone(), name);
        note(&mut self.directory.sources, credential.source.clone(), name);
        self.credentials.insert(name.clone(), credential);
    }

    /// Puts one that cannot be used where none of its name is.
    pub(super) fn put_unusable(&mut self, name: Arc<str>, unusable: Unusable) {
        self.directory.uids.insert(unusable.uid.clone(), name.clone());
        note(&mut self.directory.sources, unusable.source.clone(), &name);
        self.unusable.insert(name, unusable);
    }

    /// Takes out what is known under a name.
    pub(super) fn remove_credential(&mut self, name: &str) -> Option<Former> {
        let usable = self.credentials.remove(name).map(Former::Usable);
        let former = usable.or_else(|| self.unusable.remove(name).map(Former::Unusable))?;
        let directory = &mut self.directory;
        if directory.uids.get(former.uid()).is_some_and(|known| **known == *name) {
            directory.uids.remove(former.uid());
        }
        match &former {
            Former::Usable(credential) => {
                strike(&mut directory.copy_names, &credential.copy_name, name);
                strike(&mut directory.sources, &credential.source, name);
            }
            Former::Unusable(unusable) => strike(&mut directory.sources, &unusable.source, name),
        }
        Some(former)
    }
}

fn note<K: Hash + Eq + Clone>(names: &mut imbl::HashMap<K, imbl::OrdSet<Arc<str>>>, key: K, name: &Arc<str>) {
    names.entry(key).or_default().insert(Arc::clone(name));
}

fn strike<K: Hash + Eq + Clone>(names: &mut imbl::HashMap<K, imbl::OrdSet<Arc<str>>>, key: &K, name: &str) {
    if let Some(those) = names.get_mut(key) {
        those.remove(name);
        if those.is_empty() {
            names.remove(key);
        }
    }
}
