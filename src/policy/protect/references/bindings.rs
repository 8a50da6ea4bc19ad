//! The bindings that an object newly names. Each is what points to its Secret, so the object that names it reserves nothing there; but
//! people are told where that leads nowhere.

use std::collections::HashSet;

use super::words;
use crate::model::ObjectKey;
use crate::model::protection::{LiveReferrer, SecretAnswer};
use crate::model::reference::{Pointers, Referrer};
use crate::policy::Answers;

/// The bindings that an object did not name before.
pub(super) fn new_bindings<'p>(now: &'p Pointers, before: &Pointers) -> Vec<(&'p Referrer, &'static str)> {
    let before: HashSet<&Referrer> = before.bindings.iter().map(|(binding, _)| binding).collect();
    let new = now.bindings.iter().filter(|(binding, _)| !before.contains(binding));
    new.map(|(binding, path)| (binding, *path)).collect()
}

/// Those of them that are not there: the object waits for them, and does not hold what they will name.
pub(super) fn dangling(bindings: &[(&Referrer, &'static str)], answers: &Answers) -> Vec<String> {
    let is_absent = |binding: &Referrer| {
        !binding.key.can_exist() || matches!(answers.referrers.get(binding), Some(LiveReferrer::Absent))
    };
    let absent = bindings.iter().filter(|(binding, _)| is_absent(binding));
    absent.map(|(binding, path)| words::dangling(binding, path)).collect()
}

/// A Secret that an object uses through a binding, which is what points to it.
pub(super) struct Behind<'p> {
    binding: &'p Referrer,
    pub(super) secret: ObjectKey,
}

/// The Secrets that the bindings name which are there.
pub(super) fn behind<'p>(
    bindings: &[(&'p Referrer, &'static str)],
    answers: &Answers,
) -> impl Iterator<Item = Behind<'p>> {
    bindings.iter().filter_map(|(binding, _)| {
        let LiveReferrer::Found { pointers, .. } = answers.referrers.get(binding)? else { return None };
        Some(Behind { binding, secret: pointers.secrets.first()?.secret.clone() })
    })
}

impl Behind<'_> {
    /// That the binding is of no use, which is for whoever wrote it to mend.
    pub(super) fn warning(&self, answers: &Answers) -> Option<String> {
        let fault = match answers.referenced.get(&self.secret) {
            None | Some(SecretAnswer::Absent) => "does not exist",
            Some(SecretAnswer::Found(secret)) if secret.is_terminating() => "is being deleted",
            Some(SecretAnswer::Found(_) | SecretAnswer::Unknown(_)) => return None,
        };
        Some(words::useless(self.binding, &self.secret, fault))
    }
}
