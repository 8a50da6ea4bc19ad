//! Tells whoever writes or deletes a Secret that modules are pulled with what that means for them.

use super::{last_secret, written_secret};
use crate::configuration::Modules;
use crate::knowledge::Snapshot;
use crate::policy::protect::is_own;
use crate::policy::{Answers, Decision, Outcome, Reason, Step};
use crate::review::Request;

pub(in crate::policy) fn decide(
    request: &Request<'_>,
    known: &Snapshot,
    rules: &Modules,
    answers: &Answers,
) -> Step {
    let namespace = request.namespace();
    if known.keeps_out_of(namespace) || !known.scope.covers(namespace) {
        return Step::Decided(Decision::allow(Reason::SystemNamespace));
    }
    if is_own(request, known) {
        return Step::Decided(Decision::allow(Reason::NotConcerned));
    }
    let loss = match last_secret::decide(request, known, rules, answers) {
        Step::Decided(loss) => loss,
        needs @ Step::Needs(_) => return needs,
    };
    let written = written_secret::decide(request, known, rules);
    let reason = match (loss.reason, written.reason) {
        (Reason::Refused | Reason::Warned, _) | (_, Reason::NotConcerned) => loss.reason,
        (_, reason) => reason,
    };
    // Whoever has to write it again anyway is told of the rest then.
    let warnings = match loss.outcome {
        Outcome::Allowed => loss.warnings.followed_by(written.warnings),
        Outcome::Denied(_) | Outcome::Postponed(_) => loss.warnings,
    };
    Step::Decided(Decision { reason, warnings, ..loss })
}
