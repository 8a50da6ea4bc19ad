//! How the copies of one credential stand.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Needs;
use crate::api::{Conflict, Distribution};
use crate::knowledge::snapshot::Setback;
use crate::knowledge::{Snapshot, Wants};
use crate::model::copy::{CopyKey, Obstacle, Wanted};
use crate::model::credential::Credential;
use crate::model::source::SourceState;

/// How the copy stands that a namespace should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// It holds what the source holds.
    Synced,
    /// It is there and does not, or the source holds nothing that could be compared with it.
    Stale,
    /// It is not there yet.
    Missing,
    /// A Secret of another's is in its place.
    Conflict,
    /// It could not be written.
    Failed,
}

impl CopyState {
    /// Whether it is there.
    pub(super) fn is_there(self) -> bool {
        matches!(self, Self::Synced | Self::Stale)
    }
}

/// How many copies stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// [`CopyState::Synced`].
    pub synced: usize,
    /// [`CopyState::Stale`].
    pub stale: usize,
    /// [`CopyState::Missing`].
    pub missing: usize,
    /// [`CopyState::Conflict`].
    pub conflict: usize,
    /// [`CopyState::Failed`].
    pub failed: usize,
}

impl Counts {
    /// All copies that there should be.
    pub fn wanted(&self) -> usize {
        self.synced + self.stale + self.missing + self.conflict + self.failed
    }

    /// Adds those of another credential.
    pub fn add(&mut self, other: &Self) {
        self.synced += other.synced;
        self.stale += other.stale;
        self.missing += other.missing;
        self.conflict += other.conflict;
        self.failed += other.failed;
    }

    fn of(&mut self, state: CopyState) -> &mut usize {
        match state {
            CopyState::Synced => &mut self.synced,
            CopyState::Stale => &mut self.stale,
            CopyState::Missing => &mut self.missing,
            CopyState::Conflict => &mut self.conflict,
            CopyState::Failed => &mut self.failed,
        }
    }
}

/// The namespaces that should have a copy. Nearly all of them have it, so those are kept in the smaller form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    synced: HashSet<Arc<str>>,
    unfinished: BTreeMap<Arc<str>, CopyState>,
    counts: Counts,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The namespaces whose copy is not synced, by name.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (&Arc<str>, CopyState)> {
        self.unfinished.iter().map(|(namespace, state)| (namespace, *state))
    }

    /// All namespaces that should have a copy.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.synced.iter().chain(self.unfinished.keys())
    }

    pub(super) fn state(&self, namespace: &str) -> Option<CopyState> {
        if self.synced.contains(namespace) {
            Some(CopyState::Synced)
        } else {
            self.unfinished.get(namespace).copied()
        }
    }

    /// Notes how the copy of a namespace stands, or that there should be none; returns how it stood before.
    pub(super) fn put(&mut self, namespace: &Arc<str>, state: Option<CopyState>) -> Option<CopyState> {
        let before = self.state(namespace);
        if before == state {
            return before;
        }
        if let Some(before) = before {
            *self.counts.of(before) -= 1;
            self.synced.remove(namespace);
            self.unfinished.remove(namespace);
        }
        if let Some(state) = state {
            *self.counts.of(state) += 1;
            if state == CopyState::Synced {
                self.synced.insert(Arc::clone(namespace));
            } else {
                self.unfinished.insert(Arc::clone(namespace), state);
            }
        }
        before
    }
}

/// How the copy of a credential in a namespace stands; `None` if there should be none.
pub(super) fn state_of(
    known: &Snapshot,
    needs: Needs<'_>,
    credential: &Credential,
    namespace: &str,
) -> Option<CopyState> {
    let gives_way = known.gives_way_to_a_source(credential, namespace);
    if !gives_way && known.wants(credential, namespace) != Wants::Copy {
        return None;
    }
    let place = credential.copy_in(namespace);
    let is_there = known.has_copy(&place, credential);
    let is_needed = match credential.distribution {
        Distribution::Eager => true,
        // Where pods are not known, nobody can say more than that it was needed once.
        Distribution::OnDemand => needs(known, namespace, credential).unwrap_or(is_there),
    };
    if !is_needed {
        return None;
    }
    if gives_way || known.rival(credential, namespace).is_some() {
        return Some(CopyState::Conflict);
    }
    let setback =
        known.setbacks.get(&CopyKey { place: place.clone(), credential_uid: credential.uid.clone() });
    let obstacle = setback.filter(|setback| is_news(setback)).map(|setback| &setback.obstacle);
    let Some(SourceState::Good(source)) = known.source_of(credential) else {
        // Whatever could not be written was not written for the want of a source.
        return Some(if is_there { CopyState::Stale } else { CopyState::Missing });
    };
    let copy = known.copies.get(&place);
    Some(match (copy, obstacle) {
        (Some(copy), _) if is_there && copy.digest == source.digest => CopyState::Synced,
        _ if known.holder(&place, credential).is_some() => CopyState::Conflict,
        (_, Some(Obstacle::Foreign | Obstacle::Rival(_) | Obstacle::Source)) => CopyState::Conflict,
        (_, Some(Obstacle::Passing(_) | Obstacle::Lasting(_))) => CopyState::Failed,
        (_, Some(Obstacle::NamespaceGone) | None) if is_there => CopyState::Stale,
        (_, Some(Obstacle::NamespaceGone) | None) => CopyState::Missing,
    })
}

/// Whether there is a copy of a credential in a namespace, besides the one that [`state_of`] has judged, that follows the
/// source and does not hold what that holds: one that is not needed, or that has a name which the credential gave up. One
/// that may not stay does not follow: it goes, with its namespace or without.
pub(super) fn is_behind(known: &Snapshot, credential: &Credential, namespace: &str, is_judged: bool) -> bool {
    let Some(source) = known.good_source(credential) else {
        return false;
    };
    let judged = is_judged.then(|| credential.copy_in(namespace));
    let mut others = known
        .copies_of_in(&credential.uid, namespace)
        .filter(|(place, _)| judged.as_ref().is_none_or(|judged| judged != *place));
    others.any(|(_, copy)| copy.digest != source.digest) && known.is_offered(credential, namespace)
}

/// A single failure that may pass is none: the next attempt comes within seconds.
fn is_news(setback: &Setback) -> bool {
    setback.attempts > 1 || !matches!(setback.obstacle, Obstacle::Passing(_))
}

/// What stands in the way of the copy in a namespace, in one word and in a sentence; `None` where nothing does any more.
pub(super) fn reason_of(
    known: &Snapshot,
    credential: &Arc<Credential>,
    namespace: &str,
) -> Option<(&'static str, String)> {
    let wanted = Wanted::new(credential, namespace);
    let holder = known.holder(&wanted.place, credential);
    let rival = holder.or_else(|| known.rival(credential, namespace).map(|rival| &rival.name));
    let rival = rival.map(|rival| Obstacle::Rival(Arc::clone(rival)));
    let setback = known.setbacks.get(&wanted.key()).map(|setback| &setback.obstacle);
    let obstacle = if known.gives_way_to_a_source(credential, namespace) {
        &Obstacle::Source
    } else {
        rival.as_ref().or(setback)?
    };
    let copy = &wanted.place;
    let sentence = match obstacle {
        Obstacle::Rival(rival) => format!(
            "Secret {copy} is, or is to be, the copy of RegistryCredential {rival}; give one of both another spec.copyName"
        ),
        Obstacle::Foreign => {
            format!("Secret {copy} is there and was not made by regcred{}", remedy(credential.conflict))
        }
        Obstacle::Source => format!(
            "Secret {copy} is, or is to be, the source of another RegistryCredential; set another spec.copyName"
        ),
        Obstacle::Lasting(reason) => format!("the API server will not take Secret {copy}: {reason}"),
        Obstacle::Passing(reason) => {
            format!("Secret {copy} could not be written and is tried again: {reason}")
        }
        // The watch will tell of it; nobody has to do anything.
        Obstacle::NamespaceGone => return None,
    };
    Some((obstacle.word(), sentence))
}

/// What can be done about a Secret of another's, and why what `spec.conflict` says has not been done with it.
fn remedy(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::Refuse => "; delete it, set another spec.copyName, or set spec.conflict",
        Conflict::Adopt => {
            ", and spec.conflict Adopt takes over only one of the same type and content that no controller owns; delete \
             it, set another spec.copyName, or set spec.conflict to Overwrite if just its content differs"
        }
        Conflict::Overwrite => {
            ", and spec.conflict Overwrite takes over none that has another type or that a controller owns; delete it, or \
             set another spec.copyName"
        }
    }
}
