//! What people are told about an object that points to Secrets.

use std::collections::BTreeSet;

use crate::model::ObjectKey;
use crate::model::protection::ALLOW_DELETION;
use crate::model::reference::Referrer;
use crate::policy::shown::{listed, shown, shown_at_length, visible};

/// The longest sentence, in characters. Upstream's longest explains what a DNS name is, after a path and a value.
const LONGEST: usize = 500;

/// Sentences as one, as upstream joins errors: one alone as it is, several in brackets, none twice; of many the first, and a count.
pub(super) fn all(sentences: &[String]) -> String {
    let mut seen = BTreeSet::new();
    let sentences: Vec<String> = sentences
        .iter()
        .filter(|sentence| seen.insert(*sentence))
        .map(|sentence| visible(sentence, LONGEST))
        .collect();
    match sentences.as_slice() {
        [sentence] => sentence.clone(),
        _ => format!("[{}]", listed(sentences.into_iter())),
    }
}

/// A Secret, and the place that names it.
fn named(secret: &ObjectKey, place: &str) -> String {
    format!("Secret {} ({})", shown_at_length(secret), shown_at_length(place))
}

pub(super) fn absent(secret: &ObjectKey, place: &str) -> String {
    format!("{} does not exist; create it first", named(secret, place))
}

pub(super) fn terminating(secret: &ObjectKey, place: &str) -> String {
    format!("{} is being deleted, for good; point to another one", named(secret, place))
}

/// That somebody has prepared to let a Secret go.
pub(super) fn to_be_deleted(secret: &ObjectKey, place: &str) -> String {
    format!(
        "{} may be deleted any moment, by its annotation {ALLOW_DELETION}; take that off first",
        named(secret, place)
    )
}

/// That a Secret has as many reservations as it may have.
pub(super) fn full(secret: &ObjectKey, place: &str, reserved: usize) -> String {
    format!(
        "{} is being taken up by {reserved} others right now; try again in some minutes",
        named(secret, place)
    )
}

pub(super) fn unknown(secret: &ObjectKey, place: &str, reason: &str) -> String {
    format!("{} could not be looked at ({}); try again", named(secret, place), shown_at_length(reason))
}

/// That no reservation could be left.
pub(super) fn not_reserved(secret: &ObjectKey, place: &str, reason: &str) -> String {
    format!(
        "{} could not be kept from being deleted meanwhile ({}); try again",
        named(secret, place),
        shown_at_length(reason)
    )
}

pub(super) fn too_many(count: usize, most: usize) -> String {
    format!(
        "{count} Secrets are to be looked at, and {most} are the most at once; take them up in several steps"
    )
}

/// That the Secrets of a namespace are not looked at.
pub(super) fn unseen(namespace: &str) -> String {
    format!("Secrets of namespace {} are not checked: regcred has no rights there", shown(namespace))
}

pub(super) fn dangling(binding: &Referrer, path: &str) -> String {
    format!("{path}: there is no {}", shown_at_length(binding))
}

/// That the Secret of a binding is not there, or will not be for long.
pub(super) fn useless(binding: &Referrer, secret: &ObjectKey, fault: &str) -> String {
    format!("Secret {} of {} {fault}", shown_at_length(secret), shown_at_length(binding))
}

/// That something is wrong which was so before.
pub(super) fn as_before(error: &str) -> String {
    format!("wrong already: {error}")
}

/// That a container runtime other than containerd is of no use for an extension, in upstream's words.
pub(super) fn other_runtime(extension_type: &str) -> String {
    format!("container runtime needs to be containerd when the {extension_type} extension is enabled")
}

/// That an extension has no configuration, in upstream's words.
pub(super) fn no_configuration(extension_type: &str) -> String {
    format!("providerConfig is required for the {extension_type} extension")
}
