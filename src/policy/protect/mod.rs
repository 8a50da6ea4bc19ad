//! Keeps Secrets where they are as long as something points to them.
//!
//! A Secret is deleted, or something comes to point to it: neither review sees the other's object. What brings them in an order is
//! that both write to the Secret or delete it in one version of it. So whoever comes to point to it first leaves a reservation
//! there, and whoever deletes it is asked again when one has landed meanwhile.

pub(super) mod marks;
pub(super) mod references;
pub(super) mod secrets;
mod words;

#[cfg(test)]
mod tests;

use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::protection::IN_USE_LABEL;
use crate::model::pruned::Pruned;
use crate::policy::{Decision, Outcome, Reason, Step};
use crate::review::Request;

/// An object, of which only the metadata is read.
#[derive(Default, Deserialize)]
struct Stored {
    #[serde(default)]
    metadata: ObjectMeta,
}

/// The metadata of an object, or of none; nothing of what cannot be read, which is not for deciding that it does not matter.
fn metadata(object: Option<&RawValue>) -> Result<Option<ObjectMeta>, Unreadable> {
    let Some(object) = object else { return Ok(None) };
    let Pruned(stored) = serde_json::from_str::<Pruned<Stored>>(object.get()).map_err(|_| Unreadable)?;
    Ok(Some(stored.metadata))
}

/// The API server has sent a Secret that is none.
#[derive(Debug, Clone, Copy)]
struct Unreadable;

impl Unreadable {
    /// What an entry says of it that fails closed.
    fn refuse() -> Step {
        let sentence = "the metadata of this Secret could not be read, and it may be in use; try again";
        let outcome = Outcome::Postponed(sentence.to_owned());
        Step::Decided(Decision { outcome, ..Decision::allow(Reason::Unreadable) })
    }

    /// What an entry says of it that fails open.
    fn allow() -> Step {
        let mut decision = Decision::allow(Reason::Unreadable);
        decision.warnings.add("could not read the metadata of this Secret, so not see if it is in use");
        Step::Decided(decision)
    }
}

/// The Secret that a request is about. A deletion of several names none, and neither does a creation that leaves the name to the API
/// server.
fn key(request: &Request<'_>, metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(request.namespace(), metadata.name.as_deref().unwrap_or_default())
}

/// Whether a Secret has the label of those that are in use.
fn is_marked(metadata: &ObjectMeta) -> bool {
    metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(IN_USE_LABEL))
}

/// Whether it is regcred itself that asks.
pub(super) fn is_own(request: &Request<'_>, known: &Snapshot) -> bool {
    known.own_user.as_deref() == Some(request.user_info.username())
}
