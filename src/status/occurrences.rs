//! What is worth an Event when the status of a credential changes.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::Namespace;

use super::conditions::{CONFLICT, READY, SOURCE_VALID};
use super::report::Subject;
use crate::api::credential_status::{Condition, CopyFailure};
use crate::api::{RegistryCredential, RegistryCredentialStatus};
use crate::events::{Kind, Occurrence, Regarding};

/// What to tell when a status is replaced by another: on the credential what has become of it, and in each namespace what
/// stands in the way of its copy there, for whoever looks there may not see the credential.
pub fn occurrences(
    subject: &Subject,
    before: &RegistryCredentialStatus,
    after: &RegistryCredentialStatus,
) -> Vec<Occurrence> {
    let regarding = Regarding::new::<RegistryCredential>(None, &subject.name, Some(&subject.uid));
    let mut occurrences = Vec::new();
    let mut tell = |kind, reason, action, note: &str| {
        let (regarding, note) = (regarding.clone(), note.to_owned());
        occurrences.push(Occurrence { regarding, kind, reason, action, note });
    };
    let became = |type_: &str, status: &str| became(before, after, type_, status);

    if let Some(ready) = became(READY, "False").filter(|ready| ready.reason == "InvalidSpec") {
        tell(Kind::Warning, "InvalidSpec", "Read", &ready.message);
    }
    if let Some(broken) = became(SOURCE_VALID, "False") {
        tell(Kind::Warning, "SourceBroken", "ReadSource", &broken.message);
    }
    let was_broken = status_of(before, SOURCE_VALID) == Some("False");
    if let Some(valid) = became(SOURCE_VALID, "True").filter(|_| was_broken) {
        tell(Kind::Normal, "SourceRecovered", "ReadSource", &valid.message);
    }
    if let Some(conflict) = became(CONFLICT, "True") {
        tell(Kind::Warning, "Conflict", "Copy", &conflict.message);
    }
    let was_in_conflict = status_of(before, CONFLICT) == Some("True");
    if let Some(conflict) = became(CONFLICT, "False").filter(|_| was_in_conflict) {
        tell(Kind::Normal, "ConflictResolved", "Copy", &conflict.message);
    }
    if let Some(rotation) = &after.last_rotation
        && before.last_rotation.as_ref() != Some(rotation)
    {
        let note = format!(
            "the new content of the source is in all {} copies; the slowest had it after {} s",
            rotation.copies, rotation.seconds
        );
        tell(Kind::Normal, "RotationFinished", "Copy", &note);
    }
    let known: HashSet<(&str, &str)> = failures(before).map(key_of).collect();
    let new = failures(after).filter(|failure| !known.contains(&key_of(failure)));
    occurrences.extend(new.map(|failure| in_namespace(subject, failure)));
    occurrences
}

/// The condition, if it has this status and had not before.
fn became<'a>(
    before: &RegistryCredentialStatus,
    after: &'a RegistryCredentialStatus,
    type_: &str,
    status: &str,
) -> Option<&'a Condition> {
    after
        .condition(type_)
        .filter(|condition| condition.status == status && status_of(before, type_) != Some(status))
}

fn status_of<'a>(status: &'a RegistryCredentialStatus, type_: &str) -> Option<&'a str> {
    status.condition(type_).map(|condition| condition.status.as_str())
}

fn failures(status: &RegistryCredentialStatus) -> impl Iterator<Item = &CopyFailure> {
    status.copies.iter().flat_map(|copies| &copies.failures)
}

fn key_of(failure: &CopyFailure) -> (&str, &str) {
    (&failure.namespace, &failure.reason)
}

fn in_namespace(subject: &Subject, failure: &CopyFailure) -> Occurrence {
    let CopyFailure { namespace, reason, message } = failure;
    let is_conflict = matches!(reason.as_str(), "ForeignSecret" | "OtherCredential" | "OtherSource");
    Occurrence {
        regarding: Regarding::new::<Namespace>(Some(namespace), namespace, None),
        kind: Kind::Warning,
        reason: if is_conflict { "CopyConflict" } else { "CopyFailed" },
        action: "Copy",
        note: format!(
            "the pull Secret of RegistryCredential {} is not as it should be here: {message}",
            subject.name
        ),
    }
}
