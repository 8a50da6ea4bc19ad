//! Which credentials a namespace is offered that answer for a set of images.

use std::collections::HashSet;
use std::sync::Arc;

use super::needs::{Answers, NamespaceAnswer};
use crate::knowledge::{Certainty, Snapshot};
use crate::model::credential::{Credential, Offer};
use crate::model::image::ImageReference;
use crate::model::keyring::Target;
use crate::model::namespace::Namespace;

/// Reads an image; `None` for one that the kubelet cannot read either.
pub(super) fn read_image(reference: &str) -> Option<(String, Target)> {
    let reference = ImageReference::parse(reference).ok()?;
    let target = Target::new(reference.repository());
    Some((reference.into_repository(), target))
}

/// Images of an object, read, each once. What the kubelet cannot read is left out: such a container never pulls.
pub(super) struct Images(Vec<Target>);

impl Images {
    pub(super) fn read<'a>(references: impl Iterator<Item = &'a str>) -> Self {
        let mut seen = HashSet::new();
        let mut images = Vec::new();
        for reference in references {
            if let Some((repository, target)) = read_image(reference)
                && seen.insert(repository)
            {
                images.push(target);
            }
        }
        Self(images)
    }
}

/// A credential that the images need.
pub(super) struct Candidate<'a> {
    pub(super) credential: &'a Arc<Credential>,
    pub(super) certainty: Certainty,
}

/// The credentials that the images need, offered or not, by name.
pub(super) fn needed<'a>(images: &Images, known: &'a Snapshot) -> Vec<Candidate<'a>> {
    let candidates = known.credentials.values().filter_map(|credential| {
        let certainty = known.answers(credential, &images.0)?;
        Some(Candidate { credential, certainty })
    });
    candidates.collect()
}

/// What is known of the namespace of a request.
pub(super) enum Place {
    /// Its labels are known.
    Known(Arc<Namespace>),
    /// There is none of that name.
    Absent,
    /// It must be read first.
    Unread,
    /// It could not be read, for this reason.
    Unreadable(Arc<str>),
}

impl Place {
    pub(super) fn of(namespace: &str, known: &Snapshot, answers: &Answers) -> Self {
        // What was last seen ending may be gone by now, and another one be there under its name: that is read.
        let seen = known.namespaces.get(namespace).filter(|namespace| !namespace.terminating);
        match (seen, &answers.namespace) {
            (Some(namespace), _) | (None, Some(NamespaceAnswer::Found(namespace))) => {
                Self::Known(namespace.clone())
            }
            (None, Some(NamespaceAnswer::Absent)) => Self::Absent,
            (None, Some(NamespaceAnswer::Unknown(reason))) => Self::Unreadable(reason.clone()),
            (None, None) => Self::Unread,
        }
    }

    /// What is known of the namespace.
    pub(super) fn seen(&self) -> Option<&Namespace> {
        match self {
            Self::Known(seen) => Some(seen),
            Self::Absent | Self::Unread | Self::Unreadable(_) => None,
        }
    }

    /// Whether the namespace is offered a candidate, as far as is known of it.
    pub(super) fn offers(&self, namespace: &str, credential: &Credential, known: &Snapshot) -> Offer {
        let labels = match self {
            Self::Known(namespace) => Some(&namespace.labels),
            Self::Absent | Self::Unread | Self::Unreadable(_) => None,
        };
        known.offers(credential, namespace, labels)
    }
}
