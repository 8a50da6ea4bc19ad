//! What stands in the way of a copy, and what a Secret means that is there under its name.

use std::sync::Arc;

use kube::core::ObjectMeta;

use super::Origin;
use crate::model::credential::Credential;

/// What creating a copy, or looking for it, brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyAnswer {
    /// It has been created.
    Created,
    /// It was there already, and it is ours.
    Present,
    /// It is not there, and was not created because this is a dry run.
    Absent,
    /// It is not there, and cannot be created now.
    Blocked(Obstacle),
}

/// What stands in the way of a copy. [`Obstacle::word`] is the reason that people are told, the same in conditions, explanations
/// and logs, and in snake case in metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A Secret of the copy's name that is not ours; left as it is.
    Foreign,
    /// The copy of this other credential, whose copies have the same name; left as it is.
    Rival(Arc<str>),
    /// The source of another credential belongs there, whether it is there or not.
    Source,
    /// The API server refused or did not answer in time. It may pass.
    Passing(Arc<str>),
    /// The namespace is gone or going; nothing can be created in it, the pod neither.
    NamespaceGone,
    /// The API server will never accept such an object.
    Lasting(Arc<str>),
}

impl Obstacle {
    /// It in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Foreign => "ForeignSecret",
            Self::Rival(_) => "OtherCredential",
            Self::Source => "OtherSource",
            Self::Passing(_) => "WriteFailed",
            Self::NamespaceGone => "NamespaceGone",
            Self::Lasting(_) => "Refused",
        }
    }

    /// What else is known of it: the other credential, or what the API server said.
    pub fn detail(&self) -> &str {
        match self {
            Self::Rival(detail) | Self::Passing(detail) | Self::Lasting(detail) => detail,
            Self::Foreign | Self::Source | Self::NamespaceGone => "",
        }
    }
}

impl CopyAnswer {
    /// It is not there, for a reason that may pass.
    pub fn failed(reason: &str) -> Self {
        Self::Blocked(Obstacle::Passing(reason.into()))
    }

    /// What a Secret that has a copy's name means for the copy.
    pub fn of_existing(found: &ObjectMeta, credential: &Credential) -> Self {
        if found.deletion_timestamp.is_some() {
            return Self::failed("a Secret of that name is being deleted");
        }
        match Origin::of(found) {
            Some(origin) if origin.is_of(credential) => Self::Present,
            // The garbage collector removes it, because its owner is gone.
            Some(origin) if *origin.credential == *credential.name => {
                Self::failed("the copy of a former credential of that name is still there")
            }
            Some(origin) => Self::Blocked(Obstacle::Rival(origin.credential.into())),
            None => Self::Blocked(Obstacle::Foreign),
        }
    }
}
