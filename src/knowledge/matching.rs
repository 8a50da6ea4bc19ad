//! Whether a credential answers for images: asked about pods in the making and about those that are there.

use crate::model::credential::Credential;
use crate::model::keyring::Target;

use super::Snapshot;

/// How sure it is that a credential is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It answers for an image.
    Yes,
    /// Its Secret has not been seen since we started, so nobody can tell. Pull Secrets can never be added to a pod
    /// later, so it counts as needed.
    Perhaps,
}

impl Snapshot {
    /// Whether a credential answers for one of these images; both what narrows it and the keys of its Secret decide.
    pub fn answers<'a>(
        &self,
        credential: &Credential,
        images: impl IntoIterator<Item = &'a Target>,
    ) -> Option<Certainty> {
        let mut narrowed = images.into_iter().filter(|image| credential.is_for(image));
        match self.sources.get(&credential.source).and_then(|source| source.keyring.as_ref()) {
            Some(keyring) => narrowed.any(|image| keyring.answers(image)).then_some(Certainty::Yes),
            None => narrowed.next().map(|_| Certainty::Perhaps),
        }
    }
}
