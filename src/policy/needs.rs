//! What a decision may ask for, and the answers to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::copy::{CopyAnswer, Wanted};
use crate::model::module::{SelectedSecret, Selector};
use crate::model::namespace::Namespace;

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
    /// Look for the Secrets that a module's label selects.
    Secrets(Selector),
}

/// The answers so far.
#[derive(Debug, Default)]
pub struct Answers {
    /// The namespace, once read.
    pub namespace: Option<NamespaceAnswer>,
    /// Copies, by the name of their credential.
    pub copies: BTreeMap<Arc<str>, CopyAnswer>,
    /// The Secrets that a module's label selects, once looked for.
    pub secrets: Option<SecretsAnswer>,
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
    /// That these have been found, if they are not too many.
    pub fn of(found: Vec<SelectedSecret>) -> Self {
        if found.len() > MOST_SECRETS as usize { Self::too_many() } else { Self::Found(found) }
    }

    /// That there are more than are looked at.
    pub fn too_many() -> Self {
        Self::Unknown(format!("more than {MOST_SECRETS}").into())
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
