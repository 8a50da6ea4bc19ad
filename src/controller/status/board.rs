//! What is followed of all credentials, and whose status is to be written when. No I/O.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::PAUSE;
use super::writer::Outcome;
use crate::api::RegistryCredentialStatus;
use crate::cluster::changes::Change;
use crate::knowledge::Snapshot;
use crate::knowledge::snapshot::Stored;
use crate::model::credential::Credential;
use crate::status::{self, Counts, Ledger, Needs, READY, Seen, Subject};

/// How long changes of one credential are gathered before its status is made: a new one's source is listed meanwhile, and
/// a copy written.
const GATHER: Duration = Duration::from_millis(300);
/// How often what is not as it should be is looked at again: what stands in the way of a copy may change without any watch
/// telling.
const LOOK_AGAIN: Duration = PAUSE;
/// The longest pause after writes that failed; it begins with [`PAUSE`] and doubles.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A status to be written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Whose it is.
    pub(super) subject: Subject,
    /// What is stored, as far as is known.
    pub(super) before: Arc<Stored>,
    /// What shall be.
    pub(super) status: RegistryCredentialStatus,
}

/// What is followed.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: BTreeMap<Arc<str>, Entry>,
}

#[derive(Debug)]
struct Entry {
    uid: Arc<str>,
    ledger: Ledger,
    /// When its status is to be made; `None` while the one that is stored is right as far as is known.
    due: Option<Instant>,
    /// When it may be written again.
    not_before: Instant,
    /// When what is not as it should be is looked at again.
    look_again: Option<Instant>,
    failures: u32,
    is_under_way: bool,
    is_ready: Option<bool>,
}

impl Entry {
    /// A status that is there may have been written just now, by another leader.
    fn new(uid: Arc<str>, has_status: bool, now: Instant) -> Self {
        Self {
            uid,
            ledger: Ledger::default(),
            due: None,
            not_before: if has_status { now + PAUSE } else { now },
            look_again: None,
            failures: 0,
            is_under_way: false,
            is_ready: None,
        }
    }

    fn changed(&mut self, now: Instant) {
        self.due.get_or_insert_with(|| self.not_before.max(now + GATHER));
        self.look_again = match self.look_again {
            _ if self.ledger.is_finished() => None,
            moment => Some(moment.filter(|moment| *moment > now).unwrap_or(now + LOOK_AGAIN)),
        };
    }
}

impl Board {
    /// Notes what has changed, and looks again where it is time to. Returns how long each copy took that has followed its
    /// source since.
    pub(super) fn note(
        &mut self,
        changes: &HashSet<Change>,
        known: &Snapshot,
        needs: Needs<'_>,
        seen: Seen,
    ) -> Vec<Duration> {
        let mut took = Vec::new();
        if changes.contains(&Change::Everything) {
            self.look_at_everything(known, needs, seen, &mut took);
        } else {
            for change in changes {
                self.note_one(change, known, needs, seen, &mut took);
            }
        }
        for (name, entry) in &mut self.entries {
            if entry.look_again.is_some_and(|moment| moment <= seen.at)
                && let Some(credential) = known.credentials.get(name)
            {
                took.extend(entry.ledger.look_where_unfinished(known, needs, credential, seen.at));
                entry.changed(seen.at);
            }
        }
        took
    }

    fn look_at_everything(
        &mut self,
        known: &Snapshot,
        needs: Needs<'_>,
        seen: Seen,
        took: &mut Vec<Duration>,
    ) {
        self.entries
            .retain(|name, _| known.credentials.contains_key(name) || known.unusable.contains_key(name));
        for name in known.credentials.keys().chain(known.unusable.keys()) {
            self.look_at(name, known, needs, seen, took);
        }
    }

    fn note_one(
        &mut self,
        change: &Change,
        known: &Snapshot,
        needs: Needs<'_>,
        seen: Seen,
        took: &mut Vec<Duration>,
    ) {
        match change {
            // The first is told apart above, and no copy depends on the others.
            Change::Everything | Change::References(_) | Change::MarkedSecret(_) => {}
            Change::Credential { name, .. } => self.look_at(name, known, needs, seen, took),
            Change::Status(name) => {
                if let Some(entry) = self.entries.get_mut(name) {
                    entry.changed(seen.at);
                }
            }
            Change::Source(source) => {
                for credential in known.credentials_of(source) {
                    self.look_at(&credential.name, known, needs, seen, took);
                }
            }
            Change::Namespace(namespace) | Change::Pods(namespace) => {
                for credential in known.credentials.values() {
                    self.look_into(namespace, credential, known, needs, seen, took);
                }
            }
            Change::Copy(place) => {
                let called_so = known.credentials_with_copies_called(&place.name);
                // Under a name that it gave its copies before: whose it is, or was.
                let owner = known.copies.get(place).and_then(|copy| known.credential(&copy.credential_uid));
                let behind =
                    self.entries.iter().filter(|(_, entry)| entry.ledger.is_behind(&place.namespace));
                let behind: Vec<_> = behind.filter_map(|(name, _)| known.credentials.get(name)).collect();
                for credential in called_so.chain(owner).chain(behind) {
                    self.look_into(&place.namespace, credential, known, needs, seen, took);
                }
            }
        }
    }

    /// Looks at a credential as a whole.
    fn look_at(
        &mut self,
        name: &Arc<str>,
        known: &Snapshot,
        needs: Needs<'_>,
        seen: Seen,
        took: &mut Vec<Duration>,
    ) {
        let usable = known.credentials.get(name);
        let Some(uid) = usable.map(|one| &one.uid).or_else(|| known.unusable.get(name).map(|one| &one.uid))
        else {
            self.entries.remove(name);
            return;
        };
        if self.entries.get(name).is_none_or(|entry| entry.uid != *uid) {
            let has_status =
                known.stored.get(name).is_some_and(|stored| !stored.status.conditions.is_empty());
            self.entries.insert(Arc::clone(name), Entry::new(Arc::clone(uid), has_status, seen.at));
        }
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        match usable {
            Some(credential) => took.extend(entry.ledger.look_everywhere(known, needs, credential, seen)),
            None => entry.ledger = Ledger::default(),
        }
        entry.changed(seen.at);
    }

    /// Looks at a credential's copy in one namespace.
    fn look_into(
        &mut self,
        namespace: &Arc<str>,
        credential: &Credential,
        known: &Snapshot,
        needs: Needs<'_>,
        seen: Seen,
        took: &mut Vec<Duration>,
    ) {
        let Some(entry) = self.entries.get_mut(&credential.name) else {
            return;
        };
        let stands = |ledger: &Ledger| (ledger.state(namespace), ledger.version_everywhere().cloned());
        let before = stands(&entry.ledger);
        took.extend(entry.ledger.look(known, needs, credential, namespace, seen.at));
        if stands(&entry.ledger) != before {
            entry.changed(seen.at);
        }
    }

    /// The next status that is to be written now and differs from what is stored.
    pub(super) fn draft(&mut self, known: &Snapshot, now: Instant, wall_clock: Timestamp) -> Option<Draft> {
        for (name, entry) in &mut self.entries {
            if entry.is_under_way || entry.due.is_none_or(|due| due > now) {
                continue;
            }
            entry.due = None;
            let Some((subject, status)) = status::of(known, name, &entry.ledger, wall_clock) else {
                continue;
            };
            // Between two looks another may have come under its name; the change that tells so is on its way.
            if subject.uid != entry.uid {
                continue;
            }
            entry.is_ready = status.condition(READY).map(|ready| ready.status == "True");
            let Some(before) = known.stored.get(name).filter(|stored| stored.status != status) else {
                continue;
            };
            entry.is_under_way = true;
            return Some(Draft { subject, before: Arc::clone(before), status });
        }
        None
    }

    /// A write that began at a moment has ended.
    pub(super) fn ended(&mut self, subject: &Subject, began: Instant, outcome: Outcome, now: Instant) {
        let Some(entry) = self.entries.get_mut(&subject.name).filter(|entry| entry.uid == subject.uid) else {
            return;
        };
        entry.is_under_way = false;
        match outcome {
            Outcome::Written | Outcome::Gone => {
                entry.failures = 0;
                entry.not_before = began + PAUSE;
                entry.due = entry.due.map(|due| due.max(entry.not_before));
            }
            // The watch will show the version that there is by now, but that need not be a change.
            Outcome::Overtaken => {
                entry.not_before = began + PAUSE;
                entry.due = Some(entry.not_before);
            }
            Outcome::Failed => {
                let pause = PAUSE.saturating_mul(1 << entry.failures.min(10)).min(LONGEST_PAUSE);
                entry.failures += 1;
                entry.not_before = now + pause;
                entry.due = Some(entry.not_before);
            }
        }
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        let moments = self.entries.values().flat_map(|entry| {
            [entry.due.filter(|_| !entry.is_under_way), entry.look_again].into_iter().flatten()
        });
        moments.min()
    }

    /// How all copies stand.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values() {
            counts.add(&entry.ledger.counts());
        }
        counts
    }

    /// How many credentials are ready, and how many are not.
    pub(super) fn readiness(&self) -> (usize, usize) {
        let judged = self.entries.values().filter_map(|entry| entry.is_ready);
        judged
            .fold((0, 0), |(ready, not), is_ready| if is_ready { (ready + 1, not) } else { (ready, not + 1) })
    }
}
