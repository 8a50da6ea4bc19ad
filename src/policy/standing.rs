//! Where the copy of a credential that a pod needs stands. The rule that decides and `regcred explain` both ask here.

use std::sync::Arc;
use std::time::Instant;

use super::needs::Answers;
use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::copy::{CopyAnswer, Obstacle, Wanted};
use crate::model::namespace::Namespace;
use crate::model::pod::Pod;
use crate::model::source::{Defect, SourceState};

/// What the pods of a namespace are judged on.
pub(super) struct Ground<'a> {
    pub(super) known: &'a Snapshot,
    pub(super) answers: &'a Answers,
    pub(super) now: Instant,
    pub(super) pod: &'a Pod<'a>,
    pub(super) namespace: &'a str,
    /// What is known of the namespace, if anything is.
    pub(super) seen: Option<&'a Namespace>,
}

/// Where a copy stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'a> {
    /// The pod is annotated as a mirror by somebody who is no node; the API server refuses whatever is and names a
    /// Secret.
    PodIsMirror,
    /// The pod's ServiceAccount allows only the Secrets that it lists.
    AccountIsGuarded,
    Present,
    Created,
    /// It would be created, were this no dry run.
    WouldBeCreated,
    /// It must be created first, or looked for where nothing may be written.
    ToBeCreated,
    SourceMissing,
    SourceBroken(&'a Defect),
    /// This other credential is to have its place.
    GivesWay(&'a Arc<str>),
    Blocked(&'a Obstacle),
}

impl Standing<'_> {
    /// Whether the pod is given the name: whenever its copy is there or will come, for pull Secrets can never be added
    /// later; never one that stands for a foreign Secret, nor for one that would fail every pull of the pod.
    pub(super) fn is_added(self) -> bool {
        match self {
            Self::Present | Self::Created | Self::WouldBeCreated | Self::SourceMissing => true,
            Self::Blocked(obstacle) => matches!(obstacle, Obstacle::Passing(_)),
            Self::PodIsMirror
            | Self::AccountIsGuarded
            | Self::ToBeCreated
            | Self::GivesWay(_)
            | Self::SourceBroken(_) => false,
        }
    }
}

impl<'a> Ground<'a> {
    /// The ServiceAccount of the pod.
    pub(super) fn service_account(&self) -> ObjectKey {
        ObjectKey::new(self.namespace, self.pod.service_account())
    }

    /// Where the copy of a credential that the pod needs stands.
    pub(super) fn standing(&self, wanted: &Wanted) -> Standing<'a> {
        let Wanted { credential, place } = wanted;
        if self.pod.is_annotated_as_mirror() {
            return Standing::PodIsMirror;
        }
        if !self.pod.names_pull_secret(&place.name)
            && self.known.guarded_service_accounts.contains(&self.service_account())
        {
            return Standing::AccountIsGuarded;
        }
        if self.known.has_copy(place, credential) {
            return Standing::Present;
        }
        if *place != credential.source && self.known.is_kept_for_a_source(credential, place) {
            return Standing::Blocked(&Obstacle::Source);
        }
        if let Some(namespace) = self.seen
            && let Some(first) = self.known.first_claim(credential, self.namespace, namespace)
        {
            return Standing::GivesWay(&first.name);
        }
        match self.known.sources.get(&credential.source).map(|source| &source.state) {
            // All that is to be done is to take its mark off, whatever has become of the source.
            _ if self.known.marked_copy(place, credential).is_some() => {}
            None | Some(SourceState::Missing) => return Standing::SourceMissing,
            Some(SourceState::Undecodable { defect, .. }) => return Standing::SourceBroken(defect),
            // A credential whose copy would be its source needs none.
            Some(SourceState::Good(_)) if *place == credential.source => return Standing::Present,
            Some(SourceState::Good(_)) => {}
        }
        match self.answers.copies.get(&credential.name) {
            Some(CopyAnswer::Present) => Standing::Present,
            Some(CopyAnswer::Created) => Standing::Created,
            Some(CopyAnswer::Absent) => Standing::WouldBeCreated,
            Some(CopyAnswer::Blocked(obstacle)) => Standing::Blocked(obstacle),
            None => match self.known.setback(&wanted.key(), self.now) {
                Some(setback) => Standing::Blocked(&setback.obstacle),
                None => Standing::ToBeCreated,
            },
        }
    }
}
