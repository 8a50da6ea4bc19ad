//! What is required of a Secret that an object is about to point to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;

use super::words;
use crate::model::ObjectKey;
use crate::model::gardener::{
    Content, FieldError, FieldPath, SecretReference, credential_errors, credential_warnings,
};
use crate::model::protection::{ALLOW_DELETION, MOST_RESERVATIONS, SecretAnswer, WholeSecret, reserved};
use crate::model::reference::{Pointers, Reference};
use crate::policy::Reason;

/// With so many sentences nothing more is looked for: a Secret may be wrong in every place that names it.
const MOST_SENTENCES: usize = 100;

/// What has been found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict {
    /// What is wrong.
    pub(super) refused: Vec<String>,
    /// What cannot be decided now.
    pub(super) postponed: Vec<(Reason, String)>,
    /// What people are told.
    pub(super) warned: Vec<String>,
}

impl Verdict {
    /// Whether nothing is in the way.
    pub(super) fn allows(&self) -> bool {
        self.refused.is_empty() && self.postponed.is_empty()
    }
}

/// A place that says what a Secret must hold.
#[derive(Debug, Clone)]
pub(super) enum Demand {
    /// The configuration of an extension.
    Extension(SecretReference),
    /// Kyma's way to ask for a registry cache, which names the Secret itself.
    Config {
        /// The name.
        name: Arc<str>,
        /// The field.
        path: FieldPath,
    },
}

impl Demand {
    /// What a `RegistryCacheConfig` asks of its Secret.
    pub(super) fn of_config(reference: &Reference) -> Self {
        Self::Config { name: Arc::clone(&reference.secret.name), path: FieldPath::new(&reference.path) }
    }

    fn content(&self) -> Content {
        match self {
            Self::Extension(reference) => reference.content,
            Self::Config { .. } => Content::Credentials,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Extension(reference) => reference.path.to_string(),
            Self::Config { path, .. } => path.to_string(),
        }
    }

    fn errors(&self, secret: &Secret) -> Vec<FieldError> {
        match self {
            Self::Extension(reference) => reference.errors(secret),
            Self::Config { name, path } => credential_errors(secret, name, path),
        }
    }

    fn warnings(&self, secret: &Secret) -> Vec<String> {
        match self {
            Self::Extension(reference) => reference.warnings(secret),
            Self::Config { .. } => credential_warnings(secret),
        }
    }

    /// That there is no such Secret, where upstream has words for it.
    fn absent(&self, secret: &ObjectKey) -> Option<String> {
        match self {
            Self::Extension(reference) => Some(reference.no_secret(secret)),
            Self::Config { .. } => None,
        }
    }
}

/// A Secret that is looked at.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) key: ObjectKey,
    /// Whether the object did not point to it before.
    pub(super) is_new: bool,
    /// The first place that names it.
    place: String,
    demands: Vec<Demand>,
}

/// The Secrets that an object did not point to before, and those of which something is demanded that was not; in the order of the
/// demands, which is that of upstream's errors, and then of the places.
pub(super) fn looked_at(
    now: &Pointers,
    before: &Pointers,
    demands: impl IntoIterator<Item = (ObjectKey, Demand)>,
) -> Vec<Looked> {
    let before: HashSet<&ObjectKey> = before.secrets.iter().map(|reference| &reference.secret).collect();
    let mut places: HashMap<&ObjectKey, &Reference> = HashMap::new();
    for reference in &now.secrets {
        places.entry(&reference.secret).or_insert(reference);
    }
    let mut looked: Vec<Looked> = Vec::new();
    let mut positions: HashMap<ObjectKey, usize> = HashMap::new();
    for (key, demand) in demands {
        let position = *positions.entry(key.clone()).or_insert(looked.len());
        if let Some(known) = looked.get_mut(position) {
            known.demands.push(demand);
            continue;
        }
        let reference = places.get(&key);
        looked.push(Looked {
            is_new: reference.is_some() && !before.contains(&key),
            place: reference.map_or_else(|| demand.place(), ToString::to_string),
            demands: vec![demand],
            key,
        });
    }
    for reference in &now.secrets {
        let key = &reference.secret;
        if !before.contains(key) && !positions.contains_key(key) {
            positions.insert(key.clone(), looked.len());
            let place = reference.to_string();
            looked.push(Looked { key: key.clone(), is_new: true, place, demands: Vec::new() });
        }
    }
    looked
}

/// What has been seen of a Secret.
pub(super) enum Sight<'a> {
    /// As it was read, so that it may have gone since.
    Read(&'a SecretAnswer),
    /// With the reservation on it.
    Reserved(&'a SecretAnswer),
}

impl Looked {
    /// Adds to a verdict what is to be said about it.
    pub(super) fn judge(&self, sight: &Sight<'_>, mut verdict: Verdict) -> Verdict {
        let Self { key, place, .. } = self;
        match sight {
            Sight::Read(SecretAnswer::Absent) | Sight::Reserved(SecretAnswer::Absent) => {
                let before = verdict.refused.len();
                verdict.refused.extend(self.demands.iter().filter_map(|demand| demand.absent(key)));
                if verdict.refused.len() == before {
                    verdict.refused.push(words::absent(key, place));
                }
            }
            Sight::Read(SecretAnswer::Unknown(reason)) => {
                verdict.postponed.push((Reason::Unknown, words::unknown(key, place, reason)));
            }
            Sight::Reserved(SecretAnswer::Unknown(reason)) => {
                verdict.postponed.push((Reason::Unknown, words::not_reserved(key, place, reason)));
            }
            Sight::Read(SecretAnswer::Found(secret)) => {
                let others = reserved(&secret.get().metadata);
                if self.is_new && others >= MOST_RESERVATIONS {
                    verdict.postponed.push((Reason::BeingTakenUp, words::full(key, place, others)));
                }
                self.judge_found(secret, &mut verdict);
            }
            Sight::Reserved(SecretAnswer::Found(secret)) => self.judge_found(secret, &mut verdict),
        }
        verdict
    }

    fn judge_found(&self, secret: &WholeSecret, verdict: &mut Verdict) {
        let Self { key, place, .. } = self;
        if secret.is_terminating() {
            verdict.refused.push(words::terminating(key, place));
            return;
        }
        let secret = secret.get();
        let annotations = secret.metadata.annotations.as_ref();
        if self.is_new && annotations.is_some_and(|annotations| annotations.contains_key(ALLOW_DELETION)) {
            verdict.refused.push(words::to_be_deleted(key, place));
        }
        // What a Secret holds is right or wrong for all places that demand the same; of which it is wrong, each is told.
        let mut right: Vec<Content> = Vec::new();
        for demand in &self.demands {
            if right.contains(&demand.content()) {
                continue;
            }
            let errors = demand.errors(secret);
            if errors.is_empty() {
                right.push(demand.content());
                verdict.warned.extend(demand.warnings(secret));
            }
            verdict.refused.extend(errors.iter().map(ToString::to_string));
            if verdict.refused.len() >= MOST_SENTENCES {
                return;
            }
        }
    }
}
