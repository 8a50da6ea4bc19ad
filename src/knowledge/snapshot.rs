//! The immutable view that decisions read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::copy::Copy;
use super::credentials::Directory;
use super::references::References;
use crate::api::RegistryCredentialStatus;
use crate::model::ObjectKey;
use crate::model::consent::Consent;
use crate::model::copy::{CopyKey, Obstacle};
use crate::model::credential::{Credential, CredentialError};
use crate::model::namespace::Namespace;
use crate::model::scope::Scope;
use crate::model::source::{Source, SourceSecret, SourceState};

/// The namespaces that Kubernetes keeps for itself; `kube-` is reserved for its own.
const SYSTEM_NAMESPACE_PREFIX: &str = "kube-";

/// Everything known at one moment. Its maps share structure with their predecessors, so that publishing a change
/// costs the same however much is known, and so does a clone.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The namespace that regcred runs in, which gets no copies.
    pub own_namespace: Arc<str>,
    /// Whether namespaces are asked if they consent to a credential.
    pub consent: Consent,
    /// The namespaces that are looked at.
    pub scope: Scope,
    /// Credentials by name; in this order their pull Secrets are added.
    pub credentials: imbl::OrdMap<Arc<str>, Arc<Credential>>,
    /// Credentials that cannot be compiled, by name.
    pub unusable: imbl::OrdMap<Arc<str>, Unusable>,
    /// Where to find the credentials in both.
    pub(super) directory: Directory,
    /// The version of each credential that is stored, by its name.
    pub stored: imbl::HashMap<Arc<str>, Arc<Stored>>,
    /// The uids of credentials that have been seen to go while copies of theirs were there.
    pub(super) ended: imbl::HashSet<Arc<str>>,
    /// Sources by namespace and name, for those that a credential refers to.
    pub sources: imbl::HashMap<ObjectKey, Source>,
    /// Sources that have not been looked for completely since a credential named them, and for which types of Secrets;
    /// until then one that is not known need not be missing.
    pub(super) unread_sources: imbl::HashMap<ObjectKey, BTreeSet<&'static str>>,
    /// Namespaces by name.
    pub namespaces: imbl::HashMap<Arc<str>, Arc<Namespace>>,
    /// ServiceAccounts whose pods may name only the Secrets that the account lists.
    pub guarded_service_accounts: imbl::HashSet<ObjectKey>,
    /// Copies of ours; in this order those of a namespace stand together.
    pub copies: imbl::OrdMap<ObjectKey, Copy>,
    /// The places of the copies of each credential, by its uid.
    pub(super) places: imbl::HashMap<Arc<str>, imbl::OrdSet<ObjectKey>>,
    /// Writes that did not succeed, remembered until they may be tried again.
    pub setbacks: imbl::HashMap<CopyKey, Setback>,
    /// What points to Secrets.
    pub references: References,
    /// The user that regcred itself is to the API server, once that is known.
    pub own_user: Option<Arc<str>>,
}

/// A credential as it is stored, besides its spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its resource version.
    pub resource_version: Arc<str>,
    /// Its status; empty if it has none.
    pub status: RegistryCredentialStatus,
}

/// A credential that makes no sense as it is written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Its uid.
    pub uid: Arc<str>,
    /// The generation of its spec.
    pub generation: i64,
    /// The Secret that it refers to.
    pub source: ObjectKey,
    /// What is wrong with it.
    pub error: CredentialError,
}

/// Why a copy is not there, and when it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// What stood in the way.
    pub obstacle: Obstacle,
    /// When the next attempt may be made.
    pub retry_at: Instant,
    /// How many attempts have been made.
    pub attempts: u32,
}

impl Snapshot {
    /// Whether regcred keeps out of a namespace altogether.
    pub fn keeps_out_of(&self, namespace: &str) -> bool {
        namespace.starts_with(SYSTEM_NAMESPACE_PREFIX) || namespace == &*self.own_namespace
    }

    /// Whether a copy for this very credential is there, and stays. One that is marked as no longer needed may be deleted
    /// any moment, so it counts as missing until the mark has been taken off.
    pub fn has_copy(&self, place: &ObjectKey, credential: &Credential) -> bool {
        self.copies.get(place).is_some_and(|copy| copy.credential_uid == credential.uid && !copy.is_marked)
    }

    /// The other credential whose copy is in the place of this one's, as far as the watch shows. One that has gone is none: its
    /// copy is about to go, too.
    pub fn holder(&self, place: &ObjectKey, credential: &Credential) -> Option<&Arc<str>> {
        let copy = self.copies.get(place)?;
        (copy.credential_uid != credential.uid).then(|| self.name_of(&copy.credential_uid)).flatten()
    }

    /// The copy for this very credential that is marked as no longer needed.
    pub fn marked_copy(&self, place: &ObjectKey, credential: &Credential) -> Option<&Copy> {
        self.copies.get(place).filter(|copy| copy.credential_uid == credential.uid && copy.is_marked)
    }

    /// What is known of the source of a credential; `None` until it has been looked for.
    pub fn source_of(&self, credential: &Credential) -> Option<&SourceState> {
        match self.sources.get(&credential.source) {
            Some(source) => Some(&source.state),
            None if self.unread_sources.contains_key(&credential.source) => None,
            None => Some(&SourceState::Missing),
        }
    }

    /// What copies of a credential hold, while its source can be carried.
    pub fn good_source(&self, credential: &Credential) -> Option<&Arc<SourceSecret>> {
        match self.source_of(credential)? {
            SourceState::Good(source) => Some(source),
            SourceState::Missing | SourceState::Undecodable { .. } => None,
        }
    }

    /// The setback of a copy that still counts at a moment.
    pub fn setback(&self, wanted: &CopyKey, now: Instant) -> Option<&Setback> {
        self.setbacks.get(wanted).filter(|setback| now < setback.retry_at)
    }

    /// Whether the credential of this uid has been seen to go. Of one that is just not known it may be the watch that is
    /// late.
    pub fn has_ended(&self, credential_uid: &str) -> bool {
        self.ended.contains(credential_uid)
    }

    pub(super) fn end(&mut self, credential_uid: Arc<str>) {
        let Self { ended, places, .. } = self;
        ended.retain(|uid| places.contains_key(uid));
        ended.insert(credential_uid);
    }

    /// The copies in a namespace.
    pub fn copies_in(&self, namespace: &str) -> impl Iterator<Item = (&ObjectKey, &Copy)> {
        self.copies
            .range(ObjectKey::new(namespace, "")..)
            .take_while(move |(place, _)| *place.namespace == *namespace)
    }

    /// The copies of a credential in a namespace, by its uid: also under names that it gave them before.
    pub fn copies_of_in(
        &self,
        credential_uid: &str,
        namespace: &str,
    ) -> impl Iterator<Item = (&ObjectKey, &Copy)> {
        let places = self.places.get(credential_uid).into_iter();
        let here = places.flat_map(move |places| places.range(ObjectKey::new(namespace, "")..));
        here.take_while(move |place| *place.namespace == *namespace)
            .filter_map(|place| Some((place, self.copies.get(place)?)))
    }

    /// Where the copies of a credential are, by its uid.
    pub fn places_of(&self, credential_uid: &str) -> impl Iterator<Item = &ObjectKey> {
        self.places.get(credential_uid).into_iter().flatten()
    }

    pub(super) fn put_copy(&mut self, place: ObjectKey, copy: Copy) {
        let uid = copy.credential_uid.clone();
        let former = self.copies.insert(place.clone(), copy);
        match former {
            // Where it is has not changed, which is so in most cases.
            Some(former) if former.credential_uid == uid => return,
            Some(former) => self.remove_place(&former.credential_uid, &place),
            None => {}
        }
        self.places.entry(uid).or_default().insert(place);
    }

    pub(super) fn remove_copy(&mut self, place: &ObjectKey) -> Option<Copy> {
        let copy = self.copies.remove(place)?;
        self.remove_place(&copy.credential_uid, place);
        Some(copy)
    }

    fn remove_place(&mut self, credential_uid: &Arc<str>, place: &ObjectKey) {
        if let Some(places) = self.places.get_mut(credential_uid) {
            places.remove(place);
            if places.is_empty() {
                self.places.remove(credential_uid);
            }
        }
    }
}
