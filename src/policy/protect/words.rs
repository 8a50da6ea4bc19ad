//! What people are told about Secrets in use.

use std::fmt;
use std::sync::Arc;

use crate::model::ObjectKey;
use crate::model::protection::{
    ALLOW_DELETION, BYPASS_GROUP, BYPASS_RESOURCE, BYPASS_VERB, Bypass, IN_USE_LABEL,
};
use crate::model::reference::{Reference, Referrer, ReferrerKind};
use crate::policy::shown::{listed, shown_at_length};

/// How many places of one object are named; of the others there is a count.
const PLACES: usize = 2;

/// A Secret, and what uses it.
pub(super) struct Used<'a> {
    pub(super) secret: &'a ObjectKey,
    /// The objects.
    pub(super) by: Vec<User>,
    /// How many more there are.
    pub(super) more: usize,
}

/// An object that points to a Secret.
pub(super) struct User {
    pub(super) referrer: Arc<Referrer>,
    /// The places in it that do.
    pub(super) places: Vec<Reference>,
    /// For a binding, the objects that name it.
    pub(super) users: Vec<Arc<Referrer>>,
}

impl User {
    fn is_binding(&self) -> bool {
        matches!(self.referrer.kind, ReferrerKind::Binding(_))
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}", shown_at_length(&self.referrer), told(&self.places))?;
        if let Some((first, others)) = self.users.split_first() {
            write!(formatter, "; used by {}", shown_at_length(first))?;
            if !others.is_empty() {
                write!(formatter, " and {} more", others.len())?;
            }
        }
        formatter.write_str(")")
    }
}

/// Which objects use a Secret, and what to do.
pub(super) fn in_use(used: &Used<'_>, bypass: Option<&Bypass>) -> String {
    let Used { secret, by, more } = used;
    let names: Vec<String> =
        by.iter().map(ToString::to_string).chain((0..*more).map(|_| String::new())).collect();
    let users = listed(names.into_iter());
    // What a binding points to never changes.
    let way_out = match by.as_slice() {
        [one] if *more == 0 && !one.is_binding() => {
            format!("point the {} at another Secret first", one.referrer.kind)
        }
        [one] if *more == 0 && one.users.is_empty() => format!("delete the {} first", one.referrer.kind),
        [one] if *more == 0 => {
            format!("point what uses the {0} at another one, and delete the {0} first", one.referrer.kind)
        }
        many if many.iter().any(User::is_binding) => {
            "point them at another Secret, or delete them, first".to_owned()
        }
        _ => "point them at another Secret first".to_owned(),
    };
    let right = format!("{BYPASS_VERB} {BYPASS_RESOURCE}.{BYPASS_GROUP}");
    let bypass = match bypass {
        None | Some(Bypass::Allowed) => String::new(),
        Some(Bypass::Denied) => {
            format!("; its annotation {ALLOW_DELETION} counts only for whoever may {right}")
        }
        Some(Bypass::Unknown(reason)) => {
            format!("; it could not be asked if you may {right} ({reason}); if you may, try again")
        }
    };
    format!("Secret {secret} is still used by {users}; {way_out}{bypass}")
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
         it; leave them as they are, and if your change does, try again"
    )
}
