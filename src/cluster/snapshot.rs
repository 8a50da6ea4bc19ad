//! The immutable view that decisions read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::reliance::Reliance;
use crate::model::ObjectKey;
use crate::model::copy::CopyKey;
use crate::model::credential::Credential;
use crate::model::pod::OPT_OUT_VALUE;
use crate::model::source::Source;

/// The namespaces that Kubernetes keeps for itself; `kube-` is reserved for its own.
const SYSTEM_NAMESPACE_PREFIX: &str = "kube-";
/// The label that lets a namespace opt out.
const OPT_OUT_LABEL: &str = "regcred.dev/inject";

/// Everything known at one moment. Its maps share structure with their predecessors, so that publishing a change
/// costs the same however much is known, and so does a clone.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The namespace that regcred runs in, which gets no copies.
    pub own_namespace: Arc<str>,
    /// Credentials by name; in this order their pull Secrets are added.
    pub credentials: imbl::OrdMap<Arc<str>, Arc<Credential>>,
    /// Sources by namespace and name, for those that a credential refers to.
    pub sources: imbl::HashMap<ObjectKey, Source>,
    /// Namespaces by name.
    pub namespaces: imbl::HashMap<Arc<str>, Arc<Namespace>>,
    /// ServiceAccounts whose pods may name only the Secrets that the account lists.
    pub guarded_service_accounts: imbl::HashSet<ObjectKey>,
    /// Copies of ours.
    pub copies: imbl::HashMap<ObjectKey, Copy>,
    /// Writes that did not succeed, remembered until they may be tried again.
    pub setbacks: imbl::HashMap<CopyKey, Setback>,
}

/// A namespace, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespace {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted; nothing can be created in it then.
    pub terminating: bool,
}

impl Namespace {
    /// Whether its label keeps all its pods as they are.
    pub fn opts_out(&self) -> bool {
        self.labels.get(OPT_OUT_LABEL).is_some_and(|value| value == OPT_OUT_VALUE)
    }
}

/// A copy of ours.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its uid.
    pub uid: Arc<str>,
    /// Its resource version.
    pub resource_version: Arc<str>,
    /// The uid of the credential it is a copy for.
    pub credential_uid: Arc<str>,
    /// A digest of its content with a key of this process; the content itself is not kept.
    pub digest: u64,
    /// When a pod last relied on it.
    pub reliance: Reliance,
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

/// What stands in the way of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A Secret of the copy's name that is not ours; left as it is.
    Foreign,
    /// The copy of this other credential, whose copies have the same name; left as it is.
    Rival(Arc<str>),
    /// The API server refused or did not answer in time. It may pass.
    Passing(Arc<str>),
    /// The namespace is gone or going; nothing can be created in it, the pod neither.
    NamespaceGone,
    /// The API server will never accept such an object.
    Lasting(Arc<str>),
}

impl Snapshot {
    /// Whether regcred keeps out of a namespace altogether.
    pub fn keeps_out_of(&self, namespace: &str) -> bool {
        namespace.starts_with(SYSTEM_NAMESPACE_PREFIX) || namespace == &*self.own_namespace
    }

    /// Whether a copy for this very credential is there.
    pub fn has_copy(&self, place: &ObjectKey, credential: &Credential) -> bool {
        self.copies.get(place).is_some_and(|copy| copy.credential_uid == credential.uid)
    }

    /// The setback of a copy that still counts at a moment.
    pub fn setback(&self, wanted: &CopyKey, now: Instant) -> Option<&Setback> {
        self.setbacks.get(wanted).filter(|setback| now < setback.retry_at)
    }
}
