//! What a pod that is there would be given, were it created now: by the very decision that injection makes.

use std::sync::Arc;
use std::time::Instant;

use super::inject::{Creation, decide_creation};
use super::needs::{Answers, Need};
use super::{Patch, Step};
use crate::knowledge::Snapshot;
use crate::knowledge::pods::Shape;
use crate::model::copy::{CopyAnswer, Obstacle};
use crate::model::pod::Pod;

/// What a pod lacks. Nothing can be added to it any more; what replaces it will have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// The pull Secrets that it would be given.
    pub names: Vec<String>,
    /// Whether the copies behind all of these are there now, so that what replaces it can pull at once.
    pub are_there: bool,
}

/// What pods of this shape in a namespace lack.
pub fn lacking(namespace: &str, shape: &Shape, known: &Snapshot, now: Instant) -> Lacking {
    let pod = Pod::alike(
        shape.images.iter().map(|image| &*image.repository),
        shape.pull_secrets.iter().map(|name| &**name),
        &shape.service_account,
        shape.opts_out,
        shape.is_mirror,
    );
    // Asked as a dry run is: what is not there would be created.
    let creation = Creation { namespace, is_by_node: shape.is_mirror, is_dry_run: true };
    let mut answers = Answers::default();
    let mut step = decide_creation(&creation, &pod, known, &answers, now);
    if let Step::Needs(needs) = &step {
        for need in needs {
            match need {
                Need::Copy { wanted, .. } => {
                    let answer = known
                        .holder(&wanted.place, &wanted.credential)
                        .map_or(CopyAnswer::Absent, |holder| {
                            CopyAnswer::Blocked(Obstacle::Rival(Arc::clone(holder)))
                        });
                    answers.copies.insert(wanted.credential.name.clone(), answer);
                }
                // No pod asks for these.
                Need::Secrets(_)
                | Need::ReferencedSecret(_)
                | Need::Reserve { .. }
                | Need::Referrer(_)
                | Need::Referrers { .. }
                | Need::Bypass { .. } => {}
                // Of a namespace that the watch does not show, or shows ending, nothing can be said.
                Need::Namespace(_) => return Lacking::default(),
            }
        }
        step = decide_creation(&creation, &pod, known, &answers, now);
    }
    let patch = match &step {
        Step::Decided(decision) => decision.patch.as_ref(),
        Step::Needs(_) => None,
    };
    let names = patch.map(Patch::pull_secrets).unwrap_or_default().to_vec();
    let is_there = |name: &String| {
        let mut credentials = known.credentials_with_copies_called(name);
        credentials.any(|credential| known.has_copy(&credential.copy_in(namespace), credential))
    };
    Lacking { are_there: names.iter().all(is_there), names }
}
