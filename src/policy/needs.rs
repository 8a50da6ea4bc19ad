//! What a decision may ask for, and the answers to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::ObjectKey;
use crate::model::copy::{CopyAnswer, Wanted};
use crate::model::module::{SelectedSecret, Selector};
use crate::model::namespace::Namespace;
use crate::model::protection::{Bypass, Listing, LiveReferrer, Reservation, SecretAnswer};
use crate::model::reference::Referrer;
use crate::review::Requester;

/// Something that must be got or done before a decision can be made.
#[derive(Debug, Clone)]
pub enum Need {
    /// Read the namespace of the request, which the watch has not shown yet.
    Namespace(Arc<str>),
    /// Create the copy of a credential, which the watch has not shown yet; on a dry run only look for it.
    Copy {
        /// The copy.
        wanted: Wanted,
        /// Whether nothing may be written.
        is_dry_run: bool,
    },
    /// Look for the Secrets that a selector of Lifecycle Manager's finds.
    Secrets(SecretQuery),
    /// Read a Secret that the object of the request points to.
    ReferencedSecret(ObjectKey),
    /// Leave a reservation on a Secret, so that nobody deletes it who has not seen what is about to point to it.
    Reserve {
        /// The Secret.
        secret: ObjectKey,
        /// The uid of the one that was read.
        uid: Arc<str>,
        /// The reservation.
        reservation: Reservation,
    },
    /// Read what points to a Secret, or is about to.
    Referrer(Referrer),
    /// List everything that may point to a Secret, beginning after this is asked for.
    Referrers {
        /// The Secret.
        secret: ObjectKey,
        /// Whether it has marks of those that are in use, so that nothing old may be believed of it.
        is_marked: bool,
    },
    /// Ask whether somebody may let a Secret go although it is in use.
    Bypass {
        /// Who.
        requester: Requester,
        /// The Secret.
        secret: ObjectKey,
    },
}

/// What Secrets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretQuery {
    /// The labels that they have.
    pub selector: Selector,
    /// The namespaces in which they are of use; none means all. Others are looked in only if there is none in these.
    pub namespaces: BTreeSet<Arc<str>>,
}

/// The answers so far.
#[derive(Debug, Default)]
pub struct Answers {
    /// The namespace, once read.
    pub namespace: Option<NamespaceAnswer>,
    /// Copies, by the name of their credential.
    pub copies: BTreeMap<Arc<str>, CopyAnswer>,
    /// The Secrets that were looked for, by their selector.
    pub secrets: BTreeMap<Selector, SecretsAnswer>,
    /// The Secrets that the object of the request points to, as they were read.
    pub referenced: BTreeMap<ObjectKey, SecretAnswer>,
    /// The same Secrets with a reservation on them.
    pub reserved: BTreeMap<ObjectKey, SecretAnswer>,
    /// What points to a Secret, or is about to, once read.
    pub referrers: BTreeMap<Referrer, LiveReferrer>,
    /// Everything that points to a Secret, once listed.
    pub listing: Option<Listing>,
    /// Whether whoever asks may let a Secret go although it is in use, once asked.
    pub bypass: Option<Bypass>,
}

/// How many Secrets are looked at: more than one with the same labels is a mistake already. Each may have 1 MiB.
pub const MOST_SECRETS: u32 = 20;

/// What looking for Secrets brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretsAnswer {
    /// These have the labels.
    Found(Vec<SelectedSecret>),
    /// They could not be listed, or not in time, or are too many.
    Unknown(Arc<str>),
}

impl SecretsAnswer {
    /// What these are for whoever asks so: those that are of use, if they are not too many, or else some that are not.
    pub fn for_query(query: &SecretQuery, found: Vec<SelectedSecret>) -> Self {
        let is_of_use = |secret: &SelectedSecret| {
            query.namespaces.is_empty() || query.namespaces.contains(&secret.key.namespace)
        };
        let (of_use, mut others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_of_use);
        others.truncate(MOST_SECRETS as usize);
        match of_use.len() {
            0 => Self::Found(others),
            few if few <= MOST_SECRETS as usize => Self::Found(of_use),
            _ => Self::Unknown(format!("more than {MOST_SECRETS}").into()),
        }
    }
}

/// What reading a namespace brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceAnswer {
    /// It is there.
    Found(Arc<Namespace>),
    /// There is none of that name; the API server will refuse whatever is created in it.
    Absent,
    /// The API server could not be asked in time.
    Unknown(Arc<str>),
}
