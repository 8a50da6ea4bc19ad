//! Keeps the marks on Secrets in use: whoever replaces a Secret as a whole, or creates it anew, knows nothing of them.

use super::secrets::{is_settled, taken_away, unread};
use super::{is_marked, is_own, key, metadata};
use crate::knowledge::Snapshot;
use crate::policy::patch::SecretMarks;
use crate::policy::{Answers, Decision, Patch, Reason, Step};
use crate::review::Request;

pub(in crate::policy) fn decide(request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    let not_concerned = || Step::Decided(Decision::allow(Reason::NotConcerned));
    let (Ok(Some(new)), Ok(old)) = (metadata(request.object), metadata(request.old_object)) else {
        return not_concerned();
    };
    if is_own(request, known) || new.deletion_timestamp.is_some() {
        return not_concerned();
    }
    let (was_marked, taken) = match old {
        Some(old) => (is_marked(&old), taken_away(&old, &new)),
        None => (known.references.has(&key(request, &new)), Vec::new()),
    };
    let needs = unread(taken.iter().map(|reservation| &reservation.claim.referrer), answers);
    if !needs.is_empty() {
        return Step::Needs(needs);
    }
    let open = taken.into_iter().filter(|reservation| !is_settled(reservation, known, answers)).collect();
    match SecretMarks::put_back(&new, was_marked && !is_marked(&new), open) {
        None => not_concerned(),
        Some(marks) => {
            let patch = Some(Patch::SecretMarks(Box::new(marks)));
            Step::Decided(Decision { patch, ..Decision::allow(Reason::Marked) })
        }
    }
}
