//! The status of a credential.

use std::sync::Arc;

use jiff::{Timestamp, Unit};

use super::conditions::{CONFLICT, READY, SOURCE_VALID, SYNCED, Verdict, Verdicts};
use super::ledger::Ledger;
use super::registries::Registries;
use super::tally::{CopyState, reason_of};
use crate::api::RegistryCredentialStatus;
use crate::api::credential_status::{Condition, CopiesStatus, CopyFailure, SourceStatus, StatusSummary};
use crate::knowledge::Snapshot;
use crate::model::credential::Credential;

/// How many failures are listed: enough to see what is wrong; where all namespaces fail they fail alike.
const LISTED_FAILURES: usize = 10;
/// The longest sentence, in characters. Kubernetes allows 32 KiB; people read less, and with the list of failures all stays
/// a few kilobytes.
const LONGEST_MESSAGE: usize = 512;

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name of the credential.
    pub name: Arc<str>,
    /// Its uid: the status of one must never be written to another of its name.
    pub uid: Arc<str>,
}

/// The status of the credential of a name, and whose it is; `None` if there is none of that name.
///
/// The status that is stored with it gives what is not known any more: since when a condition has been as it is, and the
/// last rotation.
pub fn of(
    known: &Snapshot,
    name: &str,
    ledger: &Ledger,
    now: Timestamp,
) -> Option<(Subject, RegistryCredentialStatus)> {
    let stored = known.stored.get(name).map(|stored| &stored.status);
    let mut status = RegistryCredentialStatus {
        last_rotation: ledger
            .last_rotation()
            .or_else(|| stored.and_then(|stored| stored.last_rotation.as_ref()))
            .cloned(),
        ..RegistryCredentialStatus::default()
    };
    let (uid, generation, verdicts) = if let Some(credential) = known.credentials.get(name) {
        let registries = registries(known, credential);
        let copies = copies(known, credential, ledger);
        status.summary = Some(StatusSummary {
            registries: registries.summary(),
            synced: format!("{}/{}", copies.synced, copies.wanted),
        });
        let everywhere = ledger.version_everywhere();
        status.source = everywhere.map(|version| SourceStatus { resource_version: version.to_string() });
        (status.registries, status.more_registries) = (registries.listed, count(registries.more));
        status.copies = Some(copies);
        (&credential.uid, credential.generation, Verdicts::of(known, credential, ledger))
    } else {
        let unusable = known.unusable.get(name)?;
        (&unusable.uid, unusable.generation, Verdicts::of_unusable(&unusable.error))
    };
    let conditions = [
        (READY, verdicts.ready),
        (SOURCE_VALID, verdicts.source_valid),
        (SYNCED, verdicts.synced),
        (CONFLICT, verdicts.conflict),
    ];
    status.observed_generation = Some(generation);
    status.conditions =
        conditions.map(|(type_, verdict)| condition(type_, verdict, generation, stored, now)).into();
    Some((Subject { name: name.into(), uid: Arc::clone(uid) }, status))
}

fn condition(
    type_: &str,
    verdict: Verdict,
    generation: i64,
    stored: Option<&RegistryCredentialStatus>,
    now: Timestamp,
) -> Condition {
    let before = stored.and_then(|stored| stored.condition(type_));
    let since = before
        .filter(|before| before.status == verdict.status && !before.last_transition_time.is_empty())
        .map_or_else(|| text_of(now), |before| before.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: verdict.status.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: since,
        reason: verdict.reason.to_owned(),
        message: brief(verdict.message),
    }
}

/// What it had keys for stays told while its source is broken.
fn registries(known: &Snapshot, credential: &Credential) -> Registries {
    let keyring = known.sources.get(&credential.source).and_then(|source| source.keyring.as_ref());
    keyring.map(|keyring| Registries::of(credential, keyring)).unwrap_or_default()
}

fn copies(known: &Snapshot, credential: &Arc<Credential>, ledger: &Ledger) -> CopiesStatus {
    let counts = ledger.counts();
    let failed = counts.conflict + counts.failed;
    let failures = ledger
        .tally
        .unfinished()
        .filter(|(_, state)| matches!(state, CopyState::Conflict | CopyState::Failed))
        .take(LISTED_FAILURES)
        .filter_map(|(namespace, _)| {
            let (reason, message) = reason_of(known, credential, namespace)?;
            let (namespace, reason) = (namespace.to_string(), reason.to_owned());
            Some(CopyFailure { namespace, reason, message: brief(message) })
        });
    CopiesStatus {
        wanted: count(counts.wanted()),
        synced: count(counts.synced),
        failed: count(failed),
        failures: failures.collect(),
        more_failures: count(failed.saturating_sub(LISTED_FAILURES)),
    }
}

/// To the second, as Kubernetes writes times.
pub(super) fn text_of(moment: Timestamp) -> String {
    moment.round(Unit::Second).unwrap_or(moment).to_string()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn brief(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}
