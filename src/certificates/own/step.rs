//! What to do next, as a function of what was just read: no clock, no client, no key is made here.
//!
//! ```text
//!  Secret lost, unusable, its authority old     Secret lacks what is in use      an entry's bundle differs
//!           │                                            │                                │
//!           ▼                                            ▼                                ▼
//!       Establish ───────────────────────────────────▶ Record ───────────────────────▶ Publish
//!                                                                                         │
//!                       Rest ◀─────────── Serve ◀─── published everywhere for a while ◀───┘
//! ```
//!
//! One rule carries the rest: **whatever a bundle trusts stays there until the Secret says that its last leaf has
//! ended.** What the Secret does not know is first recorded in it. So no order of events (a lost Secret, an older one
//! that is brought back, replicas that know different things) takes away the trust in a leaf that is served.
//!
//! Every replica goes by this; there is no leader. Each write names the version that it was decided on, so of several
//! replicas that decide the same one writes and the others find it done.

use std::time::{Duration, SystemTime};

use super::bundles::{Change, Configuration, Entry};
use super::record::{Former, Record};
use super::schedule::Schedule;
use crate::certificates::TrustAnchor;

/// How many former authorities are remembered. One a year is usual; each loss of the Secret adds one. A dozen
/// losses within the life of a leaf are somebody's experiment, and the `caBundle` must not grow without end.
const FORMER_AT_MOST: usize = 16;

/// What the Secret holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// There is none.
    Absent,
    /// It cannot be used.
    Unusable,
    /// This.
    Record(Record),
}

/// The leaf that this replica serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) issuer: TrustAnchor,
    pub(super) made: SystemTime,
    pub(super) not_after: SystemTime,
}

/// All that a step is decided on.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    /// Read before the configurations.
    pub(super) stored: Stored,
    /// Those of the two that exist.
    pub(super) configurations: Vec<Configuration>,
    pub(super) served: Option<Served>,
    /// For how long this replica has seen the record's authority in every bundle.
    pub(super) published_for: Option<Duration>,
    pub(super) now: SystemTime,
}

/// What to do. After each but `Rest` everything is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a new authority, and store it with these former ones.
    Establish { former: Vec<Former> },
    /// Store this.
    Record(Record),
    /// Change what entries trust; per configuration, by its place in what was observed.
    Publish(Vec<(usize, Vec<Change>)>),
    /// Make a leaf that ends at this time, try it, and serve it.
    Serve { not_after: SystemTime },
    /// Nothing, for so long at most.
    Rest(Duration),
}

impl Observed {
    /// Decides.
    pub(super) fn next(&self, schedule: &Schedule) -> Step {
        let record = match &self.stored {
            Stored::Record(record) if !self.must_be_replaced(record, schedule) => record,
            Stored::Record(record) => {
                let former = record.former.iter().cloned().chain([self.retired(record, schedule)]).collect();
                return Step::Establish { former: self.in_use(None, former, schedule) };
            }
            // What was seen of it earlier is of no use: another replica may have recorded later ends since.
            Stored::Absent | Stored::Unusable => {
                return Step::Establish { former: self.in_use(None, Vec::new(), schedule) };
            }
        };
        let mut settled = self.settled(record, schedule);
        let leaf = self.leaf(record, schedule);
        if let Leaf::Reserve(not_after) = leaf {
            settled.leaves_until = settled.leaves_until.max(not_after);
        }
        if settled != *record {
            return Step::Record(settled);
        }
        let changes = self.changes(record, schedule);
        if !changes.is_empty() {
            return Step::Publish(changes);
        }
        match leaf {
            Leaf::Serve(not_after) => Step::Serve { not_after },
            Leaf::Wait(pause) => Step::Rest(pause.min(self.quiet_for(record, schedule))),
            Leaf::Reserve(_) | Leaf::Good => Step::Rest(self.quiet_for(record, schedule)),
        }
    }

    fn must_be_replaced(&self, record: &Record, schedule: &Schedule) -> bool {
        let certificate = &record.signing.certificate;
        self.now >= schedule.renewal(certificate.made(), certificate.not_after())
            // Made by somebody whose clock is hours ahead, or put there: no leaf of it would be accepted.
            || self.now < certificate.not_before()
    }

    /// The authority that signed until now. Its leaves have ended when the record says so, and when one made now would
    /// have: an older record that was brought back knows of earlier ends only.
    fn retired(&self, record: &Record, schedule: &Schedule) -> Former {
        let certificate = record.signing.certificate.clone();
        let until = schedule.leaf_end(self.now, certificate.not_after()).max(record.leaves_until);
        Former { certificate, until }
    }

    /// The record with everything in it that is in use, and nothing that is over.
    fn settled(&self, record: &Record, schedule: &Schedule) -> Record {
        let signing = &record.signing.certificate;
        let served = self.served.as_ref().filter(|served| served.issuer == *signing);
        let leaves_until =
            served.map_or(record.leaves_until, |served| served.not_after.max(record.leaves_until));
        let former = self.in_use(Some(signing), record.former.clone(), schedule);
        Record { signing: record.signing.clone(), leaves_until, former }
    }

    /// The former authorities: those known, that of the leaf served, and what bundles trust besides. Of the last it is
    /// not known when their leaves end, but no leaf made until now is valid for longer than one made now.
    fn in_use(&self, signing: Option<&TrustAnchor>, known: Vec<Former>, schedule: &Schedule) -> Vec<Former> {
        let mut former = known;
        // Once over, it stays until no bundle has it and every clock agrees, or who is behind would take it up again.
        let over = self.now.checked_sub(2 * schedule.clock_tolerance()).unwrap_or(self.now);
        former.retain(|one| one.until > over || self.entries().any(|entry| entry.trusts(&one.certificate)));
        for certificate in self.entries().flat_map(|entry| &entry.anchors) {
            let is_new =
                Some(certificate) != signing && former.iter().all(|one| one.certificate != *certificate);
            if is_new && certificate.not_after() > self.now && former.len() < FORMER_AT_MOST {
                let until = schedule.leaf_end(self.now, certificate.not_after());
                former.push(Former { certificate: certificate.clone(), until });
            }
        }
        if let Some(Served { issuer, not_after, .. }) = &self.served {
            match former.iter_mut().find(|one| one.certificate == *issuer) {
                Some(one) => one.until = one.until.max(*not_after),
                None if *not_after > self.now => {
                    former.push(Former { certificate: issuer.clone(), until: *not_after });
                }
                None => {}
            }
        }
        former.retain(|one| Some(&one.certificate) != signing);
        // Those whose leaves end first make room.
        while former.len() > FORMER_AT_MOST {
            let first = former.iter().enumerate().min_by_key(|(_, one)| one.until).map(|(place, _)| place);
            former.remove(first.unwrap_or_default());
        }
        former
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.configurations.iter().flat_map(|configuration| &configuration.entries)
    }

    fn changes(&self, record: &Record, schedule: &Schedule) -> Vec<(usize, Vec<Change>)> {
        let of_configuration = |configuration: &Configuration| {
            let entries = configuration.entries.iter();
            entries.filter_map(|entry| self.change(entry, record, schedule)).collect::<Vec<_>>()
        };
        let all = self.configurations.iter().map(of_configuration).enumerate();
        all.filter(|(_, changes)| !changes.is_empty()).collect()
    }

    /// What the entry is to trust, if that is not what it trusts.
    fn change(&self, entry: &Entry, record: &Record, schedule: &Schedule) -> Option<Change> {
        // A little longer than it is put there: replicas whose clocks differ would else take turns.
        let stays = |one: &&Former| {
            one.until > self.now
                || (entry.trusts(&one.certificate) && one.until + schedule.clock_tolerance() > self.now)
        };
        let former = record.former.iter().filter(stays).map(|one| &one.certificate);
        let anchors: Vec<_> = std::iter::once(&record.signing.certificate).chain(former).cloned().collect();
        let is_right =
            entry.anchors.len() == anchors.len() && anchors.iter().all(|anchor| entry.trusts(anchor));
        (!is_right).then(|| Change { place: entry.place, name: entry.name.clone(), anchors })
    }

    /// What is to be done about the leaf.
    fn leaf(&self, record: &Record, schedule: &Schedule) -> Leaf {
        let signing = &record.signing.certificate;
        let served = self.served.as_ref().filter(|served| served.not_after > self.now);
        let is_good = |served: &Served| {
            served.issuer == *signing && self.now < schedule.renewal(served.made, served.not_after)
        };
        if served.is_some_and(is_good) {
            return Leaf::Good;
        }
        if self.entries().next().is_some() {
            // API servers learn of a bundle by watch. A leaf that works is replaced only when they surely have; where
            // there is none, an early one is lost no more than none.
            let wait = served.map_or(schedule.first_wait(), |_| schedule.propagation);
            let waited = self.published_for.unwrap_or_default();
            if self.published_for.is_none() || waited < wait {
                return Leaf::Wait(wait.saturating_sub(waited));
            }
        }
        let latest = schedule.leaf_end(self.now, signing.not_after());
        // A leaf ends at a time that is recorded already, if that is almost as late: replicas that begin together
        // write once.
        if record.leaves_until >= latest.min(schedule.early_leaf_end(self.now)) {
            Leaf::Serve(latest.min(record.leaves_until))
        } else {
            Leaf::Reserve(latest)
        }
    }

    /// How long until time alone brings a step.
    fn quiet_for(&self, record: &Record, schedule: &Schedule) -> Duration {
        let certificate = &record.signing.certificate;
        let authority = schedule.renewal(certificate.made(), certificate.not_after());
        let leaf = self.served.as_ref().map(|served| schedule.renewal(served.made, served.not_after));
        let tolerance = schedule.clock_tolerance();
        let former = record.former.iter().flat_map(|one| [one.until + tolerance, one.until + 2 * tolerance]);
        let times = std::iter::once(authority).chain(leaf).chain(former);
        // What is past was looked at just now.
        let next = times.filter_map(|time| time.duration_since(self.now).ok()).min();
        schedule.rest(next)
    }
}

enum Leaf {
    /// It is.
    Good,
    /// Another one is needed, but its authority is not known to the API servers for long enough.
    Wait(Duration),
    /// Another one is needed, and its end must be recorded first.
    Reserve(SystemTime),
    /// Another one can be served.
    Serve(SystemTime),
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "step_properties.rs"]
mod properties;
