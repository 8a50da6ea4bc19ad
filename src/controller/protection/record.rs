//! What the leader remembers of a Secret between two looks at it. Nothing of it survives a change of leader: each begins to count
//! anew, so that only time counts that one process has seen pass.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::telling::Absence;
use crate::cluster::marked_secrets::Marked;
use crate::knowledge::References;
use crate::knowledge::references::Use;
use crate::model::ObjectKey;
use crate::model::guarded_patch::Guard;
use crate::model::protection::{Listing, LiveReferrer, Reservation};
use crate::model::reference::Referrer;

/// How long a reservation is left alone first. Most writes are through by then.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How long after a look at its referrer the next one comes.
pub(super) const NEXT_LOOK: Duration = Duration::from_secs(5);
/// How long what was found about what has gone counts: whatever no watch tells of is found within this time.
pub(super) const RECHECK: Duration = Duration::from_mins(5);
/// The first pause after something that did not succeed; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long after a write is looked again even if the watch does not show it.
const WATCH_IS_LATE: Duration = Duration::from_secs(5);

/// What is remembered, by Secret.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: HashMap<ObjectKey, Record>,
    dangling: usize,
}

impl Records {
    /// Takes out what is remembered of a Secret.
    pub(super) fn take(&mut self, secret: &ObjectKey) -> Record {
        let record = self.records.remove(secret).unwrap_or_default();
        self.dangling -= record.dangling();
        record
    }

    /// Remembers this of a Secret.
    pub(super) fn put(&mut self, secret: &ObjectKey, record: Record) {
        if record != Record::default() {
            self.dangling += record.dangling();
            self.records.insert(secret.clone(), record);
        }
    }

    /// The Secrets that anything is remembered of.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &ObjectKey> {
        self.records.keys()
    }

    /// How many objects point to a Secret that has gone or is going, each once for each such Secret.
    pub(super) fn dangling(&self) -> usize {
        self.dangling
    }
}

/// What is remembered of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The uid of the marked Secret that was seen last.
    uid: Option<Arc<str>>,
    /// Its reservations, by the names of their annotations.
    reservations: BTreeMap<Arc<str>, Reserved>,
    /// The version that nothing pointed to, as a list says that was begun after it was seen.
    unused: Option<Guard>,
    /// What a look at a Secret that is not marked has found, and when it began, if it could not be marked.
    pub(super) gone: Option<(Absence, Instant)>,
    /// How those that point to a Secret that has gone stand to it.
    standings: BTreeMap<Arc<Referrer>, Standing>,
    /// How many attempts in a row did not succeed.
    failures: u32,
    /// When the next one may be made.
    pub(super) retry_at: Option<Instant>,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reserved {
    /// What it says, if that can be read.
    says: Option<Reservation>,
    /// When this leader first saw it.
    first_seen: Instant,
    /// When the last look at its referrer began, and what it showed.
    look: Option<(Instant, Finding)>,
}

/// What a look at a referrer has shown of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The write is stored, or never will be.
    Settled,
    /// It may be stored still.
    Open,
    /// The API server could not be asked.
    Unknown,
}

impl Finding {
    /// What a look shows that was begun after the reservation was seen.
    pub(super) fn of(reservation: &Reservation, live: &LiveReferrer) -> Self {
        match live {
            LiveReferrer::Unknown(_) => Self::Unknown,
            live if reservation.is_settled_by(live) => Self::Settled,
            LiveReferrer::Found { .. } | LiveReferrer::Absent => Self::Open,
        }
    }
}

/// How an object stands to a Secret that has gone, by a look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It points to it, and people have been told.
    Told,
    /// It did not point to it any more at this moment.
    Clear(Instant),
}

/// What carrying out a plan has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The Secret has been changed, which the watch will show.
    Written,
    /// The Secret is another by now, or another replica may lead: it is looked at anew.
    Overtaken,
    /// There is none to be marked, by a look that began then.
    Gone(Absence, Instant),
    /// Looks at the referrers of these reservations, by the names of their annotations, that began after this moment.
    Looked(Instant, Vec<(Arc<str>, Finding)>),
    /// A list that was begun after this version was seen.
    Listed(Guard, Listing),
    /// How these stand to a Secret that has gone; without one where that could not be found out.
    Confirmed(Vec<(Arc<Referrer>, Option<Standing>)>),
    /// The API server did not do it.
    Failed,
}

impl Record {
    /// Brings what is remembered to what is there now.
    pub(super) fn see(&mut self, marked: Option<&Marked>, uses: impl FnOnce() -> Vec<Use>, now: Instant) {
        let uid = marked.map(|marked| &marked.guard.uid);
        if uid != self.uid.as_ref() {
            self.reservations.clear();
            self.uid = uid.cloned();
        }
        if marked.map(|marked| &marked.guard) != self.unused.as_ref() {
            self.unused = None;
        }
        if let Some(marked) = marked {
            self.see_reservations(marked, now);
            self.gone = None;
            if !marked.terminating {
                self.standings.clear();
            }
        }
        if !self.standings.is_empty() {
            let uses = uses();
            self.standings.retain(|referrer, _| uses.iter().any(|one| one.referrer == *referrer));
        }
    }

    fn see_reservations(&mut self, marked: &Marked, now: Instant) {
        let read = marked.reservations.iter().map(|one| (Arc::from(one.annotation()), Some(one.clone())));
        let unreadable = marked.unreadable.iter().map(|name| (Arc::clone(name), None));
        let mut before = std::mem::take(&mut self.reservations);
        self.reservations = read
            .chain(unreadable)
            .map(|(annotation, says)| {
                let known = before.remove(&annotation).filter(|known| known.says == says);
                let reserved = known.unwrap_or(Reserved { says, first_seen: now, look: None });
                (annotation, reserved)
            })
            .collect();
    }

    /// The annotations of those that are over.
    pub(super) fn over(&self, references: &References, settle: Duration, now: Instant) -> Vec<Arc<str>> {
        let is_over = |one: &Reserved| {
            one.is_over(settle, now) || one.says.as_ref().is_some_and(|says| references.is_over(says))
        };
        let over = self.reservations.iter().filter(|(_, reserved)| is_over(reserved));
        over.map(|(annotation, _)| Arc::clone(annotation)).collect()
    }

    /// Those whose referrers are to be looked at now.
    pub(super) fn due(&self, now: Instant) -> Vec<Reservation> {
        let due = self.reservations.values().filter(|one| one.next_look().is_some_and(|next| next <= now));
        due.filter_map(|one| one.says.clone()).collect()
    }

    /// When something is to be done about one next; `None` when there are none.
    pub(super) fn next(&self, settle: Duration) -> Option<Instant> {
        self.reservations.values().map(|one| one.next_look().unwrap_or(one.first_seen + settle)).min()
    }

    /// Whether nothing points to this version, as a list says that was begun after it was seen. Said once: a write that came to
    /// nothing needs another list.
    pub(super) fn take_unused(&mut self, guard: &Guard) -> bool {
        self.unused.take().is_some_and(|unused| unused == *guard)
    }

    /// Those of the users of a Secret that has gone that are to be looked at.
    pub(super) fn unconfirmed(&self, uses: Vec<Use>, now: Instant) -> Vec<Use> {
        let is_unconfirmed = |one: &Use| match self.standings.get(&one.referrer) {
            None => true,
            Some(Standing::Told) => false,
            Some(Standing::Clear(at)) => *at + RECHECK <= now,
        };
        uses.into_iter().filter(is_unconfirmed).collect()
    }

    fn dangling(&self) -> usize {
        self.standings.values().filter(|standing| **standing == Standing::Told).count()
    }

    /// Takes note of what has been done, and says when to look again at the latest.
    pub(super) fn note(&mut self, outcome: Outcome, now: Instant) -> Instant {
        match outcome {
            Outcome::Written | Outcome::Overtaken => {
                self.gone = None;
                self.succeed(now + WATCH_IS_LATE)
            }
            Outcome::Gone(absence, at) => {
                self.gone = Some((absence, at));
                self.succeed(now)
            }
            Outcome::Looked(begun, findings) => {
                let is_known = findings.iter().all(|(_, finding)| *finding != Finding::Unknown);
                for (annotation, finding) in findings {
                    if let Some(reserved) = self.reservations.get_mut(&annotation) {
                        reserved.note(begun, finding);
                    }
                }
                if is_known { self.succeed(now) } else { self.fail(now) }
            }
            Outcome::Listed(guard, Listing::Complete(by)) if by.is_empty() => {
                self.unused = Some(guard);
                self.succeed(now)
            }
            // The watches will show what points to it. If they do not, that is looked for again, ever more seldom.
            Outcome::Listed(..) => {
                self.unused = None;
                self.fail(now)
            }
            Outcome::Failed => self.fail(now),
            Outcome::Confirmed(standings) => {
                let is_known = standings.iter().all(|(_, standing)| standing.is_some());
                let known = standings.into_iter().filter_map(|(referrer, one)| Some((referrer, one?)));
                self.standings.extend(known);
                if is_known { self.succeed(now) } else { self.fail(now) }
            }
        }
    }

    fn succeed(&mut self, look_again: Instant) -> Instant {
        (self.failures, self.retry_at) = (0, None);
        look_again
    }

    fn fail(&mut self, now: Instant) -> Instant {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        *self.retry_at.insert(now + pause)
    }
}

impl Reserved {
    /// When its referrer is to be looked at; `None` where there is nothing to be found out, or nobody to look at.
    fn next_look(&self) -> Option<Instant> {
        match (&self.says, self.look) {
            (None, _) | (_, Some((_, Finding::Settled))) => None,
            (Some(_), None) => Some(self.first_seen + FIRST_LOOK),
            (Some(_), Some((begun, _))) => Some(begun + NEXT_LOOK),
        }
    }

    /// A look that was begun before it was seen, or before another that counts, shows nothing of it.
    fn note(&mut self, begun: Instant, finding: Finding) {
        if begun >= self.first_seen && !matches!(self.look, Some((_, Finding::Settled))) {
            self.look = Some((begun, finding));
        }
    }

    /// Whether its write is stored, or never will be. One that says nothing is over when its time is; of others a look is needed
    /// that was begun since.
    fn is_over(&self, settle: Duration, now: Instant) -> bool {
        let ends = self.first_seen + settle;
        match (&self.says, self.look) {
            (None, _) => ends <= now,
            (Some(_), Some((_, Finding::Settled))) => true,
            (Some(_), Some((begun, Finding::Open))) => ends <= begun,
            (Some(_), None | Some((_, Finding::Unknown))) => false,
        }
    }
}
