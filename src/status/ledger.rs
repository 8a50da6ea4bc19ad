//! What is followed of one credential, from one look at it to the next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Needs;
use super::rotation::Rotation;
use super::tally::{CopyState, Counts, Tally, is_behind, state_of};
use crate::api::credential_status::LastRotation;
use crate::knowledge::Snapshot;
use crate::model::credential::Credential;

/// What is followed of one credential.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) tally: Tally,
    /// Namespaces that have a copy, besides the one that they need, that does not hold what the source holds: one that no pod
    /// needs any more stays for a while and follows, and so does one of a credential in mode Audit, and one under a name that
    /// the credential gave its copies before.
    behind: HashSet<Arc<str>>,
    /// The version of the source, while it was good, when all namespaces were last looked at. What is known by now may be a
    /// newer one, about which they were not asked.
    source_version: Option<Arc<str>>,
    rotation: Rotation,
}

/// When something was seen, by both clocks: durations by the one, dates for people by the other.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// By the clock that only goes forward.
    pub at: Instant,
    /// By the wall clock.
    pub wall_clock: Timestamp,
}

/// How the copy of a namespace stood, and stands.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) namespace: Arc<str>,
    pub(super) before: Option<CopyState>,
    pub(super) state: Option<CopyState>,
}

impl Ledger {
    /// Looks at one namespace; returns how long its copy took if it has just followed its source.
    pub fn look(
        &mut self,
        known: &Snapshot,
        needs: Needs<'_>,
        credential: &Credential,
        namespace: &Arc<str>,
        now: Instant,
    ) -> Option<Duration> {
        let state = state_of(known, needs, credential, namespace);
        self.tally.put(namespace, state);
        self.note_whether_behind(known, credential, namespace, state);
        self.rotation.seen(namespace, state, now)
    }

    fn note_whether_behind(
        &mut self,
        known: &Snapshot,
        credential: &Credential,
        namespace: &Arc<str>,
        state: Option<CopyState>,
    ) {
        if is_behind(known, credential, namespace, state.is_some()) {
            self.behind.insert(Arc::clone(namespace));
        } else {
            self.behind.remove(namespace);
        }
    }

    /// Looks at all namespaces, as after a change of the credential or its source; returns how long each copy took that
    /// has followed its source.
    pub fn look_everywhere(
        &mut self,
        known: &Snapshot,
        needs: Needs<'_>,
        credential: &Credential,
        seen: Seen,
    ) -> Vec<Duration> {
        let gone = self.tally.namespaces().filter(|namespace| !known.namespaces.contains_key(&***namespace));
        let gone: Vec<Arc<str>> = gone.cloned().collect();
        let mut looks = Vec::new();
        self.behind.clear();
        for namespace in known.namespaces.keys().chain(&gone) {
            let state = state_of(known, needs, credential, namespace);
            let before = self.tally.put(namespace, state);
            self.note_whether_behind(known, credential, namespace, state);
            if before.is_some() || state.is_some() {
                looks.push(Look { namespace: Arc::clone(namespace), before, state });
            }
        }
        let source = known.good_source(credential);
        self.source_version = source.map(|source| Arc::clone(&source.resource_version));
        let digest = source.map(|source| source.digest);
        let mut took = self.rotation.source_holds(digest, &looks, seen);
        took.extend(looks.iter().filter_map(|look| self.rotation.seen(&look.namespace, look.state, seen.at)));
        took
    }

    /// Looks again where a copy is not as it should be: what stands in its way may be another thing by now.
    pub fn look_where_unfinished(
        &mut self,
        known: &Snapshot,
        needs: Needs<'_>,
        credential: &Credential,
        now: Instant,
    ) -> Vec<Duration> {
        let namespaces: Vec<Arc<str>> =
            self.tally.unfinished().map(|(namespace, _)| Arc::clone(namespace)).collect();
        namespaces
            .iter()
            .filter_map(|namespace| self.look(known, needs, credential, namespace, now))
            .collect()
    }

    /// How the copy of a namespace stands; `None` if there should be none.
    pub fn state(&self, namespace: &str) -> Option<CopyState> {
        self.tally.state(namespace)
    }

    /// How its copies stand.
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Whether a namespace has a copy besides the one that it needs which does not hold what the source holds.
    pub fn is_behind(&self, namespace: &str) -> bool {
        self.behind.contains(namespace)
    }

    /// Whether every copy is as it should be.
    pub fn is_finished(&self) -> bool {
        self.tally.unfinished().next().is_none()
    }

    /// The version of the source whose content is in every copy that there is, or should be; `None` while one lacks it.
    pub fn version_everywhere(&self) -> Option<&Arc<str>> {
        self.source_version.as_ref().filter(|_| self.is_finished() && self.behind.is_empty())
    }

    /// The last rotation that has reached every copy, of those that this process has seen.
    pub fn last_rotation(&self) -> Option<&LastRotation> {
        self.rotation.finished()
    }
}
