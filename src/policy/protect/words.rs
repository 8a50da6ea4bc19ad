//! What people are told about Secrets in use.

use std::sync::Arc;

use crate::model::ObjectKey;
use crate::model::protection::{ALLOW_DELETION, IN_USE_LABEL};
use crate::model::reference::{Reference, Referrer};
use crate::policy::shown::{listed, shown_at_length};

/// How many places of one object are named; of the others there is a count.
const PLACES: usize = 2;

/// A Secret, and what uses it.
pub(super) struct Used<'a> {
    pub(super) secret: &'a ObjectKey,
    /// The objects, and the places in them.
    pub(super) by: Vec<(Arc<Referrer>, Vec<Reference>)>,
    /// How many more there are.
    pub(super) more: usize,
}

/// Which objects use a Secret, and what to do.
pub(super) fn in_use(used: &Used<'_>, was_to_be_allowed: bool) -> String {
    let Used { secret, by, more } = used;
    let names: Vec<String> = by
        .iter()
        .map(|(referrer, places)| format!("{} ({})", shown_at_length(referrer), told(places)))
        .chain((0..*more).map(|_| String::new()))
        .collect();
    let all = names.len();
    let users = listed(names.into_iter());
    let way_out = match by.as_slice() {
        [(referrer, _)] if all == 1 => format!("point the {} at another Secret first", referrer.kind),
        _ => "point them at another Secret first".to_owned(),
    };
    let refused = if was_to_be_allowed {
        format!(
            "; its annotation {ALLOW_DELETION} counts only for whoever may bypass secretprotections.regcred.dev"
        )
    } else {
        String::new()
    };
    format!("Secret {secret} is still used by {users}; {way_out}{refused}")
}

/// The places that name a Secret.
fn told(places: &[Reference]) -> String {
    let first: Vec<String> = places.iter().take(PLACES).map(shown_at_length).collect();
    match places.len().saturating_sub(PLACES) {
        0 => first.join("; "),
        more => format!("{}; and {more} more places", first.join("; ")),
    }
}

/// That somebody is about to use a Secret.
pub(super) fn being_taken_up(secret: &ObjectKey, referrer: &Referrer, unknown: Option<&str>) -> String {
    match unknown {
        None => format!(
            "Secret {secret} is being taken up by {} right now; if that does not come, it can be deleted in some minutes",
            shown_at_length(referrer)
        ),
        Some(reason) => format!(
            "Secret {secret} may be in use by {}, which could not be looked at ({reason}); try again",
            shown_at_length(referrer)
        ),
    }
}

/// That it could not be found out whether a Secret that was known to be in use still is.
pub(super) fn unknown(secret: &ObjectKey, reason: &str) -> String {
    format!("Secret {secret} may be in use, and what uses it could not be looked at ({reason}); try again")
}

/// That a Secret goes about which nothing is known.
pub(super) fn let_go_unseen(secret: &ObjectKey, reason: &str) -> String {
    format!("could not see if {secret} is in use ({reason})")
}

/// That a Secret was let go because somebody may do so.
pub(super) fn bypassed(secret: &ObjectKey) -> String {
    format!("{secret} goes although it may be in use, by its annotation {ALLOW_DELETION}")
}

/// That Gardener still holds a Secret that nothing points to any more.
pub(super) fn held(finalizer: &str) -> String {
    format!("Gardener holds it by {finalizer} until it has seen that nothing points to it any more")
}

/// That marks cannot be taken away.
pub(super) fn marks_must_stay(secret: &ObjectKey) -> String {
    format!(
        "label {IN_USE_LABEL} and the reservations of Secret {secret} are taken off by regcred itself once nothing points to \
         it; leave them, and if you did, try again"
    )
}
