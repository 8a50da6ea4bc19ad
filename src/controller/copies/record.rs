//! What the leader remembers of a place between two looks at it. Nothing of it survives a change of leader: each begins to
//! count anew, so that only time counts that one process has seen pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is remembered of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Since when no pod has been seen that needs the copy.
    pub(super) unneeded: Option<Instant>,
    /// Since when the source has been seen missing.
    pub(super) source_missing: Option<Instant>,
    /// Since when its credential has been seen missing.
    pub(super) orphaned: Option<Instant>,
    /// Since when the copy has been seen to be written from a newer source or credential than we know.
    pub(super) outdated: Option<Instant>,
    /// The uid of the copy that has been seen marked, and since when.
    pub(super) marked: Option<(Arc<str>, Instant)>,
}

/// The pauses between seeing and acting.
#[derive(Debug, Clone, Copy)]
pub struct Graces {
    /// How long a copy stays that no pod needs.
    pub unneeded: Duration,
    /// How long copies stay whose source has been deleted.
    pub source_missing: Duration,
    /// After which time a write that the API server has admitted is stored, or never will be. A pod that was admitted just
    /// before its copy was marked is known by then.
    pub settle: Duration,
}

/// Notes a moment, unless an earlier one is noted.
pub(super) fn since(noted: &mut Option<Instant>, now: Instant) -> Instant {
    *noted.get_or_insert(now)
}
