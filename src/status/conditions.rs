//! The conditions: what holds, the reason in one word, and a sentence that says what to do.

use std::sync::Arc;

use super::ledger::Ledger;
use super::tally::{CopyState, reason_of};
use crate::api::{Distribution, Mode};
use crate::knowledge::Snapshot;
use crate::model::credential::{Credential, CredentialError};
use crate::model::source::SourceState;

/// The type of the condition: nothing needs a person's hand.
pub const READY: &str = "Ready";
/// The type of the condition: the source can be carried.
pub const SOURCE_VALID: &str = "SourceValid";
/// The type of the condition: every namespace that should have a copy has one that holds what the source holds.
pub const SYNCED: &str = "Synced";
/// The type of the condition: in some namespace another's Secret is in the place of a copy.
pub const CONFLICT: &str = "Conflict";

/// How many namespaces a sentence names.
const NAMED: usize = 3;

/// What is said of one aspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Verdict {
    fn new(status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }
}

/// The four conditions, in the order in which they are told.
pub(super) struct Verdicts {
    pub(super) ready: Verdict,
    pub(super) source_valid: Verdict,
    pub(super) synced: Verdict,
    pub(super) conflict: Verdict,
}

impl Verdicts {
    /// Of a credential that makes no sense as it is written.
    pub(super) fn of_unusable(error: &CredentialError) -> Self {
        let unknown =
            || Verdict::new("Unknown", "InvalidSpec", "nothing is known until the spec is corrected");
        let message = format!("{error}; until then pods do not get it, and its copies stay as they are");
        Self {
            ready: Verdict::new("False", "InvalidSpec", message),
            source_valid: unknown(),
            synced: unknown(),
            conflict: unknown(),
        }
    }

    pub(super) fn of(known: &Snapshot, credential: &Arc<Credential>, ledger: &Ledger) -> Self {
        let source_valid = source(known, credential);
        let conflict = conflict(known, credential, ledger);
        let synced = synced(known, credential, ledger, &source_valid);
        let ready = ready(credential, &source_valid, &conflict, &synced);
        Self { ready, source_valid, synced, conflict }
    }
}

fn source(known: &Snapshot, credential: &Credential) -> Verdict {
    let source = &credential.source;
    match known.source_of(credential) {
        Some(SourceState::Good(_)) => Verdict::new("True", "Usable", format!("Secret {source} can be used")),
        Some(SourceState::Missing) => Verdict::new(
            "False",
            "SecretMissing",
            format!(
                "there is no Secret {source} of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg; create it \
                 (a Secret of another type must be deleted first), or correct spec.secretRef"
            ),
        ),
        Some(SourceState::Undecodable { reason, .. }) => Verdict::new(
            "False",
            "SecretUndecodable",
            format!(
                "Secret {source} is not carried, for a pod that named it could pull nothing: {reason}; correct it; copies \
                 keep what was good last"
            ),
        ),
        None => Verdict::new(
            "Unknown",
            "NotRead",
            format!(
                "the Secrets of namespace {} have not been read yet; if this stays, see regcred's log: it may lack the \
                 right to list and watch them",
                source.namespace
            ),
        ),
    }
}

fn conflict(known: &Snapshot, credential: &Arc<Credential>, ledger: &Ledger) -> Verdict {
    let Places { count, names, first } = Places::of(ledger, |state| state == CopyState::Conflict);
    let Some(first) = first else {
        return Verdict::new("False", "NoConflict", "no Secret of another's is in the place of a copy");
    };
    let (reason, sentence) = reason_of(known, credential, &first);
    let message = if count == 1 {
        sentence
    } else {
        format!(
            "in {count} namespaces ({names}) another's Secret is in the place of the copy; in the first: {sentence}"
        )
    };
    Verdict::new("True", reason, message)
}

fn synced(
    known: &Snapshot,
    credential: &Arc<Credential>,
    ledger: &Ledger,
    source_valid: &Verdict,
) -> Verdict {
    let counts = ledger.counts();
    let wanted = counts.wanted();
    if credential.mode == Mode::Audit {
        return Verdict::new("True", "Audit", "mode Audit: no namespace gets a copy");
    }
    if source_valid.status != "True" {
        let message =
            format!("{} of {wanted} copies are there; see SourceValid", counts.synced + counts.stale);
        return Verdict::new("False", "SourceInvalid", message);
    }
    if wanted == 0 {
        let message = match credential.distribution {
            Distribution::OnDemand => "no pod needs a copy now; the first that does gets it",
            Distribution::Eager => "there is no namespace now that it is offered to",
        };
        return Verdict::new("True", "NothingWanted", message);
    }
    if ledger.is_finished() {
        let copies = if wanted == 1 { "1 copy holds" } else { &format!("all {wanted} copies hold") };
        return Verdict::new("True", "AllCurrent", format!("{copies} what the source holds"));
    }
    let failed = Places::of(ledger, |state| state == CopyState::Failed);
    if let Some(first) = failed.first {
        let (reason, sentence) = reason_of(known, credential, &first);
        let message = if failed.count == 1 {
            sentence
        } else {
            format!(
                "the copies of {} of {wanted} namespaces ({}) could not be written; in the first: {sentence}",
                failed.count, failed.names
            )
        };
        return Verdict::new("False", reason, message);
    }
    let waiting = Places::of(ledger, |state| state != CopyState::Conflict);
    if waiting.count == 0 {
        return Verdict::new(
            "False",
            "Conflict",
            "only copies are missing that another's Secret is in the place of; see Conflict",
        );
    }
    let message = format!("waiting for {} of {wanted} namespaces: {}", waiting.count, waiting.names);
    Verdict::new("False", "Syncing", message)
}

/// False only for what does not end by itself; copies that are on their way are no reason.
fn ready(credential: &Credential, source_valid: &Verdict, conflict: &Verdict, synced: &Verdict) -> Verdict {
    let because = |status, verdict: &Verdict| Verdict::new(status, verdict.reason, verdict.message.clone());
    if source_valid.status != "True" {
        because(source_valid.status, source_valid)
    } else if conflict.status == "True" {
        because("False", conflict)
    } else if credential.mode == Mode::Audit {
        let message = "mode Audit: pods that would get it are warned about and counted, nothing is changed; set \
                       spec.mode to Enforce";
        Verdict::new("True", "Audit", message)
    } else if synced.status == "True" || synced.reason == "Syncing" {
        because("True", synced)
    } else {
        because("False", synced)
    }
}

/// Namespaces whose copies stand in some way.
struct Places {
    count: usize,
    /// The first few, for a sentence.
    names: String,
    first: Option<Arc<str>>,
}

impl Places {
    fn of(ledger: &Ledger, is_meant: impl Fn(CopyState) -> bool) -> Self {
        let meant = ledger.tally.unfinished().filter(|(_, state)| is_meant(*state));
        let (mut count, mut names, mut first) = (0, String::new(), None);
        for (namespace, _) in meant {
            if count < NAMED {
                names.push_str(if count > 0 { ", " } else { "" });
                names.push_str(namespace);
            }
            first.get_or_insert_with(|| Arc::clone(namespace));
            count += 1;
        }
        if count > NAMED {
            names.push_str(", …");
        }
        Self { count, names, first }
    }
}
