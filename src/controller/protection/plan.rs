//! What is to be done about a Secret that is marked as in use, or should be. No I/O.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{RECHECK, Record};
use super::telling::Absence;
use crate::cluster::marked_secrets::Marked;
use crate::knowledge::References;
use crate::knowledge::references::Use;
use crate::model::ObjectKey;
use crate::model::guarded_patch::Guard;
use crate::model::protection::Reservation;

/// How many of those that point to a Secret that has gone are looked at in one step.
pub(super) const CONFIRMED_AT_ONCE: usize = 20;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing, until something changes.
    Nothing,
    /// Look again at this moment.
    Later(Instant),
    /// Mark the Secret, if it is there.
    Label,
    /// Look at the referrers of these reservations.
    Look(Vec<Reservation>),
    /// Take these annotations off this version.
    Withdraw(Guard, Vec<Arc<str>>),
    /// List what points to the Secret, of which this is the version that was seen.
    List(Guard),
    /// Take the mark off this version.
    TakeOff(Guard),
    /// Tell of these that their Secret has gone or is going, if they still point to it.
    Tell(Absence, Vec<Use>),
}

/// Decides about a Secret; `record` is what was remembered of it, and is brought up to date.
pub(super) struct Planner<'a> {
    /// What the watches show of what points to Secrets.
    pub(super) references: &'a References,
    /// After which time a write that was admitted is stored, or never will be.
    pub(super) settle: Duration,
    pub(super) now: Instant,
}

impl Planner<'_> {
    pub(super) fn plan(&self, secret: &ObjectKey, marked: Option<&Marked>, record: &mut Record) -> Plan {
        record.see(marked, || self.references.of(secret), self.now);
        if let Some(retry_at) = record.retry_at.filter(|retry_at| self.now < *retry_at) {
            return Plan::Later(retry_at);
        }
        match marked {
            Some(marked) => self.marked(secret, marked, record),
            None => self.unmarked(secret, record),
        }
    }

    fn unmarked(&self, secret: &ObjectKey, record: &mut Record) -> Plan {
        if !self.references.has(secret) {
            *record = Record::default();
            return Plan::Nothing;
        }
        match record.gone {
            Some((absence, at)) if self.now < at + RECHECK => {
                self.tell(absence, secret, record).unwrap_or(Plan::Later(at + RECHECK))
            }
            _ => Plan::Label,
        }
    }

    fn marked(&self, secret: &ObjectKey, marked: &Marked, record: &mut Record) -> Plan {
        let over = record.over(self.references, self.settle, self.now);
        if !over.is_empty() {
            return Plan::Withdraw(marked.guard.clone(), over);
        }
        if marked.terminating
            && let Some(tell) = self.tell(Absence::Going, secret, record)
        {
            return tell;
        }
        let due = record.due(self.now);
        if !due.is_empty() {
            return Plan::Look(due);
        }
        if let Some(next) = record.next(self.settle) {
            return Plan::Later(next);
        }
        if self.references.has(secret) {
            return Plan::Nothing;
        }
        let guard = marked.guard.clone();
        if record.take_unused(&guard) { Plan::TakeOff(guard) } else { Plan::List(guard) }
    }

    fn tell(&self, absence: Absence, secret: &ObjectKey, record: &Record) -> Option<Plan> {
        let mut unconfirmed = record.unconfirmed(self.references.of(secret), self.now);
        unconfirmed.truncate(CONFIRMED_AT_ONCE);
        (!unconfirmed.is_empty()).then_some(Plan::Tell(absence, unconfirmed))
    }
}

#[cfg(test)]
mod tests;
