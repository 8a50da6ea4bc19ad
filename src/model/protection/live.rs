//! What the API server itself says of what points to a Secret.

use std::sync::Arc;

use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Reference, Referrer};

/// A referrer as the API server has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveReferrer {
    /// It is there.
    Found {
        /// Its uid.
        uid: Arc<str>,
        /// Its resource version.
        resource_version: Arc<str>,
        /// What it points to.
        pointers: Pointers,
    },
    /// There is none of that name.
    Absent,
    /// The API server could not be asked, or not in time.
    Unknown(Arc<str>),
}

impl LiveReferrer {
    /// The places in it that name a Secret.
    pub fn places(&self, secret: &ObjectKey) -> Vec<Reference> {
        match self {
            Self::Found { pointers, .. } => {
                pointers.secrets.iter().filter(|reference| reference.secret == *secret).cloned().collect()
            }
            Self::Absent | Self::Unknown(_) => Vec::new(),
        }
    }
}

/// What a list of everything that may point to a Secret has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// These point to it, by these places; in order.
    Complete(Vec<(Arc<Referrer>, Vec<Reference>)>),
    /// Some kind could not be listed, or not in time.
    Unknown(Arc<str>),
}
