//! Whether a credential answers for images: asked about pods in the making and about those that are there.

use crate::model::credential::Credential;
use crate::model::keyring::{Keyring, Target};

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

/// What a credential says of an image, offered or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit<'a> {
    /// This key of its Secret answers.
    Key(&'a [u8]),
    /// No key of its Secret does.
    NoKey,
    /// Its `images` do not cover it.
    NotCovered,
    /// Its Secret has not been seen since we started.
    KeysUnknown,
}

impl Fit<'_> {
    /// How sure it is that the image needs the credential; `None` if it does not.
    pub fn certainty(self) -> Option<Certainty> {
        match self {
            Self::Key(_) => Some(Certainty::Yes),
            Self::KeysUnknown => Some(Certainty::Perhaps),
            Self::NoKey | Self::NotCovered => None,
        }
    }
}

impl Snapshot {
    /// Whether a credential answers for one of these images.
    pub fn answers<'a>(
        &self,
        credential: &Credential,
        images: impl IntoIterator<Item = &'a Target>,
    ) -> Option<Certainty> {
        let keyring = self.keyring(credential);
        // The same for all images that it is for: its keys are known or they are not.
        images.into_iter().find_map(|image| fit(credential, keyring, image).certainty())
    }

    /// What a credential says of an image; both what narrows it and the keys of its Secret decide.
    pub fn fit(&self, credential: &Credential, image: &Target) -> Fit<'_> {
        fit(credential, self.keyring(credential), image)
    }

    /// The keys of a credential's Secret, if they are known.
    pub fn keyring(&self, credential: &Credential) -> Option<&Keyring> {
        self.sources.get(&credential.source)?.keyring.as_deref()
    }
}

fn fit<'a>(credential: &Credential, keyring: Option<&'a Keyring>, image: &Target) -> Fit<'a> {
    if !credential.is_for(image) {
        return Fit::NotCovered;
    }
    match keyring.map(|keyring| keyring.answering(image)) {
        Some(Some(key)) => Fit::Key(key),
        Some(None) => Fit::NoKey,
        None => Fit::KeysUnknown,
    }
}
