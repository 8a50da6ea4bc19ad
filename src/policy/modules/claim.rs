//! Which credential says how layers of a module are labelled: the one whose registries the module's is among.

use crate::knowledge::{Fit, Snapshot};
use crate::model::ObjectKey;
use crate::model::credential::Credential;
use crate::model::keyring::Target;
use crate::model::module::Selector;

/// What the credentials say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim<'a> {
    /// None is for the registry and names labels.
    Nobody,
    /// This one does; if several agree, the first by name.
    One {
        /// Its name.
        credential: &'a str,
        /// The labels.
        selector: &'a Selector,
    },
    /// It cannot be told which labels.
    Doubtful(Doubt<'a>),
}

/// Why it cannot be told which labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt<'a> {
    /// These two are for the registry alike and name different labels.
    Rivals(&'a str, &'a str),
    /// This credential may be for the registry, but the keys of its Secret are not known.
    KeysUnknown(&'a str, &'a ObjectKey),
}

/// A credential that is, or may be, for the registry.
struct Claimant<'a> {
    credential: &'a Credential,
    selector: &'a Selector,
    specificity: Vec<u8>,
    is_certain: bool,
}

impl<'a> Claim<'a> {
    /// The labels, if it can be told which.
    pub(super) fn selector(&self) -> Option<&'a Selector> {
        match self {
            Self::One { selector, .. } => Some(selector),
            Self::Nobody | Self::Doubtful(_) => None,
        }
    }

    /// What those credentials say that count.
    pub(super) fn of(registry: &Target, known: &'a Snapshot, counts: impl Fn(&Credential) -> bool) -> Self {
        let claimants = known.credentials.values().filter(|credential| counts(credential));
        let claimants = claimants.filter_map(|credential| {
            let selector = credential.module_labels.as_ref()?;
            let key = match known.fit(credential, registry) {
                Fit::Key(key) => Some(key),
                Fit::KeysUnknown => None,
                Fit::NoKey | Fit::NotCovered => return None,
            };
            Some(Claimant {
                credential,
                selector,
                specificity: specificity(credential.narrowed_by(registry), key),
                is_certain: key.is_some(),
            })
        });
        let (certain, uncertain): (Vec<Claimant<'a>>, Vec<_>) =
            claimants.partition(|claimant| claimant.is_certain);
        let keys_unknown = |claimant: &Claimant<'a>| {
            Self::Doubtful(Doubt::KeysUnknown(&claimant.credential.name, &claimant.credential.source))
        };
        let most = certain.iter().map(|claimant| &claimant.specificity).max();
        let mut best = certain.iter().filter(|claimant| Some(&claimant.specificity) == most);
        let Some(first) = best.next() else {
            return uncertain.first().map_or(Self::Nobody, keys_unknown);
        };
        let names_others = |claimant: &&Claimant<'a>| claimant.selector != first.selector;
        // A key that is not known may be more special than any other.
        match (best.find(names_others), uncertain.iter().find(names_others)) {
            (Some(rival), _) => Self::Doubtful(Doubt::Rivals(&first.credential.name, &rival.credential.name)),
            (None, Some(claimant)) => keys_unknown(claimant),
            (None, None) => Self::One { credential: &first.credential.name, selector: first.selector },
        }
    }
}

/// How special a match is: by the narrower of what narrows the credential and the key of its Secret, in the order in which the
/// kubelet tries keys, which is that of their bytes from behind.
fn specificity(narrowed_by: Option<&str>, key: Option<&[u8]>) -> Vec<u8> {
    let narrowed_by = narrowed_by.map(str::as_bytes).unwrap_or_default();
    let key = key.unwrap_or_default();
    // Docker Hub has two names, of which patterns have the short one.
    let key = match key.strip_prefix(b"index.") {
        Some(short) if short == b"docker.io" || short.starts_with(b"docker.io/") => short,
        _ => key,
    };
    narrowed_by.max(key).to_vec()
}
