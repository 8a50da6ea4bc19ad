//! Whether an object may point to what it is about to point to.

use crate::knowledge::Snapshot;
use crate::policy::{Answers, Decision, Reason, Step};
use crate::review::Request;

pub(in crate::policy) fn decide(_request: &Request<'_>, _known: &Snapshot, _answers: &Answers) -> Step {
    Step::Decided(Decision::allow(Reason::NotConcerned))
}
