//! The conditions: what holds, the reason in one word, and a sentence that says what to do.

use std::sync::Arc;

use super::ledger::Ledger;
use super::tally::{CopyState, reason_of};
use crate::api::{Distribution, Mode};
use crate::knowledge::Snapshot;
use crate::model::credential::{Credential, CredentialError};
use crate::model::source::{Defect, SourceState};

/// The type of the condition: nothing needs a person's hand.
pub const READY: &str = "Ready";
/// The type of the condition: the source can be carried.
pub const SOURCE_VALID: &str = "SourceValid";
/// The type of the condition: every namespace that should have a copy has one that holds what the source holds.
pub const SYNCED: &str = "Synced";
/// The type of the condition: in some namespace another's Secret is in the place of a copy.
pub const CONFLICT: &str = "Conflict";

/// The reason of [`CONFLICT`] where there is none.
const NO_CONFLICT: &str = "NoConflict";

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
        let synced = synced(known, credential, ledger, &source_valid, &conflict);
        let ready = ready(credential, &source_valid, &conflict, &synced);
        Self { ready, source_valid, synced, conflict }
    }
}

fn source(known: &Snapshot, credential: &Credential) -> Verdict {
    let source = &credential.source;
    let Some(state) = known.source_of(credential) else {
        let message = format!(
            "the Secrets of namespace {} have not been read yet; if this stays, see regcred's log: it may lack the right to \
             list and watch them",
            source.namespace
        );
        return Verdict::new("Unknown", "NotRead", message);
    };
    let (status, message) = match state {
        SourceState::Good(_) => ("True", format!("Secret {source} can be used")),
        SourceState::Missing => (
            "False",
            format!(
                "there is no Secret {source} of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg; create it \
                 (a Secret of another type must be deleted first), or correct spec.secretRef"
            ),
        ),
        SourceState::Undecodable { defect: Defect::Undecodable(reason), .. } => (
            "False",
            format!(
                "Secret {source} is not carried, for a pod that named it could pull nothing: {reason}; correct it; copies \
                 keep what was good last"
            ),
        ),
        SourceState::Undecodable { defect: defect @ Defect::IsCopy, .. } => (
            "False",
            format!(
                "Secret {source} is not carried: {defect}; name in spec.secretRef the Secret that it was copied from; copies \
                 keep what was good last"
            ),
        ),
    };
    Verdict::new(status, state.word(), message)
}

fn conflict(known: &Snapshot, credential: &Arc<Credential>, ledger: &Ledger) -> Verdict {
    let places = Places::of(ledger, |state| state == CopyState::Conflict);
    let Some((reason, sentence)) = places.reason(known, credential) else {
        return Verdict::new("False", NO_CONFLICT, "no Secret of another's is in the place of a copy");
    };
    let message = match (places.all.len(), places.names()) {
        (1, _) => sentence,
        (count, names) => format!(
            "in {count} namespaces ({names}) another's Secret is in the place of the copy; in the first: {sentence}"
        ),
    };
    Verdict::new("True", reason, message)
}

fn synced(
    known: &Snapshot,
    credential: &Arc<Credential>,
    ledger: &Ledger,
    source_valid: &Verdict,
    conflict: &Verdict,
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
    if let Some((reason, sentence)) = failed.reason(known, credential) {
        let message = match (failed.all.len(), failed.names()) {
            (1, _) => sentence,
            (count, names) => format!(
                "the copies of {count} of {wanted} namespaces ({names}) could not be written; in the first: {sentence}"
            ),
        };
        return Verdict::new("False", reason, message);
    }
    // What stood in the way at the last look may have gone since, and is then on its way like any other.
    let is_conflict = conflict.reason != NO_CONFLICT;
    let waiting = Places::of(ledger, |state| !is_conflict || state != CopyState::Conflict);
    if waiting.all.is_empty() {
        return Verdict::new(
            "False",
            "Conflict",
            "only copies are missing that another's Secret is in the place of; see Conflict",
        );
    }
    let message = format!("waiting for {} of {wanted} namespaces: {}", waiting.all.len(), waiting.names());
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

/// Namespaces whose copies stand in some way, by name.
struct Places<'a> {
    all: Vec<&'a Arc<str>>,
}

impl<'a> Places<'a> {
    fn of(ledger: &'a Ledger, is_meant: impl Fn(CopyState) -> bool) -> Self {
        let meant = ledger.tally.unfinished().filter(|(_, state)| is_meant(*state));
        Self { all: meant.map(|(namespace, _)| namespace).collect() }
    }

    /// The first few, for a sentence.
    fn names(&self) -> String {
        let names: Vec<&str> = self.all.iter().take(NAMED).map(|name| &***name).collect();
        names.join(", ") + if self.all.len() > NAMED { ", …" } else { "" }
    }

    /// What stands in the way in the first of them in which something still does.
    fn reason(&self, known: &Snapshot, credential: &Arc<Credential>) -> Option<(&'static str, String)> {
        self.all.iter().find_map(|namespace| reason_of(known, credential, namespace))
    }
}
