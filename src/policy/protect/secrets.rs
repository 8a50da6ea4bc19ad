//! Whether a Secret may go: by being deleted, or by being let go of by those who hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::core::ObjectMeta;

use super::words::{self, Used, User};
use super::{Unreadable, is_marked, is_own, key, metadata};
use crate::knowledge::Snapshot;
use crate::model::protection::{
    ALLOW_DELETION, Bypass, Listing, LiveReferrer, PROTECTING_FINALIZERS, Reservation, reservations,
};
use crate::model::reference::{Reference, Referrer};
use crate::policy::{Answers, Decision, Need, Outcome, Reason, Step};
use crate::review::Request;

/// How many of the objects that the watches show are looked at before everything is listed: one that is confirmed decides, and
/// people are told of no more.
const LOOKED_AT_FIRST: usize = 5;

/// Decides about a Secret that has the mark of those in use. Its entry fails closed.
pub(in crate::policy) fn decide_marked(request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    let (Ok(old), Ok(new)) = (metadata(request.old_object), metadata(request.object)) else {
        return Unreadable::refuse();
    };
    let Some(old) = old.filter(|old| is_marked(old) && !is_own(request, known)) else {
        return not_concerned();
    };
    match new {
        Some(new) if &*request.operation == "UPDATE" => update(&old, &new, request, known, answers),
        _ => delete(&old, request, known, answers),
    }
}

/// Decides about a Secret that is not marked, which it may be in use all the same: from before regcred, or as of a moment ago.
pub(in crate::policy) fn decide_unmarked(request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    match metadata(request.old_object) {
        Ok(Some(old)) if !is_marked(&old) && !is_own(request, known) => delete(&old, request, known, answers),
        Ok(_) => not_concerned(),
        Err(Unreadable) => Unreadable::allow(),
    }
}

fn not_concerned() -> Step {
    Step::Decided(Decision::allow(Reason::NotConcerned))
}

/// A Secret that is being deleted already cannot be deleted any more: asked once again, the API server does nothing.
fn delete(old: &ObjectMeta, request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    if old.deletion_timestamp.is_some() { not_concerned() } else { let_go(old, request, known, answers) }
}

/// What takes marks away, or a finalizer by which a Secret is held. Anything else may change.
fn update(
    old: &ObjectMeta,
    new: &ObjectMeta,
    request: &Request<'_>,
    known: &Snapshot,
    answers: &Answers,
) -> Step {
    let secret = key(request, old);
    if old.deletion_timestamp.is_none() {
        // Another entry puts them back, so whoever takes them away unawares never comes here.
        let taken = taken_away(old, new);
        let needs = unread(taken.iter().map(|reservation| &reservation.claim.referrer), answers);
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        if !is_marked(new) || taken.iter().any(|reservation| !is_settled(reservation, known, answers)) {
            let outcome = Outcome::Denied(words::marks_must_stay(&secret));
            return Step::Decided(Decision { outcome, ..Decision::allow(Reason::Refused) });
        }
    }
    if stripped(old, new).next().is_none() {
        return not_concerned();
    }
    let_go(old, request, known, answers)
}

/// The reservations that an update takes away, or makes something else of.
pub(super) fn taken_away(old: &ObjectMeta, new: &ObjectMeta) -> Vec<Reservation> {
    let kept = reservations(new);
    reservations(old).into_iter().filter(|reservation| !kept.contains(reservation)).collect()
}

/// The finalizers by which Gardener holds a Secret, and that an update takes away.
fn stripped<'a>(old: &'a ObjectMeta, new: &'a ObjectMeta) -> impl Iterator<Item = &'static str> + use<'a> {
    let has =
        |metadata: &ObjectMeta, name: &str| metadata.finalizers.iter().flatten().any(|held| held == name);
    PROTECTING_FINALIZERS.into_iter().filter(move |name| has(old, name) && !has(new, name))
}

/// The referrers that have not been looked at yet, each once.
pub(super) fn unread<'a>(referrers: impl Iterator<Item = &'a Referrer>, answers: &Answers) -> Vec<Need> {
    let unread: BTreeSet<&Referrer> =
        referrers.filter(|referrer| !answers.referrers.contains_key(referrer)).collect();
    unread.into_iter().cloned().map(Need::Referrer).collect()
}

/// Whether the write that a reservation stands for is stored or never will be, as far as has been looked. That its object was deleted
/// stays true, however late the watch was that has shown it.
pub(super) fn is_settled(reservation: &Reservation, known: &Snapshot, answers: &Answers) -> bool {
    let live = answers.referrers.get(&reservation.claim.referrer);
    live.is_some_and(|live| reservation.is_settled_by(live)) || known.references.is_over(reservation)
}

/// Whether a Secret is used by nothing, and about to be used by nothing.
///
/// Who has left a reservation is looked at first, and judged by that look: only then everything is listed. A list that was begun
/// earlier need not show the very write that settled a reservation.
fn let_go(old: &ObjectMeta, request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    let secret = key(request, old);
    let asks_for_bypass =
        old.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(ALLOW_DELETION));
    if asks_for_bypass {
        match &answers.bypass {
            None => {
                let requester = request.user_info.requester();
                return Step::Needs(vec![Need::Bypass { requester, secret }]);
            }
            Some(Bypass::Allowed) => {
                let mut decision = Decision::allow(Reason::Bypassed);
                decision.warnings.add(words::bypassed(&secret));
                return Step::Decided(decision);
            }
            Some(Bypass::Denied | Bypass::Unknown(_)) => {}
        }
    }
    let bypass = answers.bypass.as_ref();
    let (reservations, uses) = (reservations(old), known.references.of(&secret));
    let claimed = reservations.iter().map(|reservation| &reservation.claim.referrer);
    let needs = unread(claimed.chain(uses.iter().take(LOOKED_AT_FIRST).map(|one| &*one.referrer)), answers);
    if !needs.is_empty() {
        return Step::Needs(needs);
    }
    let confirmed: BTreeMap<_, _> = answers
        .referrers
        .iter()
        .map(|(referrer, live)| (Arc::new(referrer.clone()), live.places(&secret)))
        .filter(|(_, places)| !places.is_empty())
        .collect();
    if !confirmed.is_empty() {
        let unseen =
            uses.iter().skip(LOOKED_AT_FIRST).filter(|one| !confirmed.contains_key(&one.referrer)).count();
        return refuse(&Used { secret: &secret, by: users(confirmed, known), more: unseen }, bypass);
    }
    if let Some(open) = reservations.iter().find(|reservation| !is_settled(reservation, known, answers)) {
        let referrer = &open.claim.referrer;
        let unknown = match answers.referrers.get(referrer) {
            Some(LiveReferrer::Unknown(reason)) => Some(&**reason),
            _ => None,
        };
        return postpone(Reason::BeingTakenUp, words::being_taken_up(&secret, referrer, unknown));
    }
    match &answers.listing {
        None => {
            let is_marked = is_marked(old) || !reservations.is_empty();
            Step::Needs(vec![Need::Referrers { secret, is_marked }])
        }
        Some(Listing::Complete(by)) if by.is_empty() => Step::Decided(free(old)),
        Some(Listing::Complete(by)) => {
            let by = users(by.iter().cloned(), known);
            refuse(&Used { secret: &secret, by, more: 0 }, bypass)
        }
        Some(Listing::Unknown(reason)) if is_marked(old) || !uses.is_empty() => {
            postpone(Reason::Unknown, words::unknown(&secret, reason))
        }
        Some(Listing::Unknown(reason)) => {
            let mut decision = Decision::allow(Reason::Unknown);
            decision.warnings.add(words::let_go_unseen(&secret, reason));
            Step::Decided(decision)
        }
    }
}

/// What is told of those that point to a Secret.
fn users(by: impl IntoIterator<Item = (Arc<Referrer>, Vec<Reference>)>, known: &Snapshot) -> Vec<User> {
    let user = |(referrer, places): (Arc<Referrer>, _)| {
        let users = known.references.users(&referrer).into_iter().map(|(user, _)| user).collect();
        User { referrer, places, users }
    };
    by.into_iter().map(user).collect()
}

/// Nothing points to it. What Gardener has not let go of yet stays as it is until then.
fn free(old: &ObjectMeta) -> Decision {
    let mut decision = Decision::allow(Reason::NotInUse);
    let held = old.finalizers.iter().flatten().find(|name| PROTECTING_FINALIZERS.contains(&name.as_str()));
    if let Some(finalizer) = held {
        decision.warnings.add(words::held(finalizer));
    }
    decision
}

/// For good, unless somebody who may have the right to let it go could not be asked about.
fn refuse(used: &Used<'_>, bypass: Option<&Bypass>) -> Step {
    let sentence = words::in_use(used, bypass);
    let outcome = match bypass {
        Some(Bypass::Unknown(_)) => Outcome::Postponed(sentence),
        _ => Outcome::Denied(sentence),
    };
    Step::Decided(Decision { outcome, ..Decision::allow(Reason::InUse) })
}

fn postpone(reason: Reason, sentence: String) -> Step {
    Step::Decided(Decision { outcome: Outcome::Postponed(sentence), ..Decision::allow(reason) })
}
