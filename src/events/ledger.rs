//! What is written of what happens: pure, time is an argument.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::limits::{Bucket, Limits};
use super::{Occurrence, Regarding};

/// How long after its last repetition a thing that happens again is a new Event. Longer than the longest gathering, so
/// that a count is written before it is forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(15);
/// How often what can be forgotten is looked for; the limits alone bound what comes in between.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How many series are kept: far more than the limits let begin in the time after which one is forgotten. Only ones
/// that go on for hours could add up to it.
const MOST_SERIES: usize = 4_096;

/// What is to be done about an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write an Event, and tell [`Ledger::written`].
    Write,
    /// It is counted; its Event will say so.
    Counted,
    /// This object has had its share.
    LimitedObject,
    /// All objects together have had theirs.
    LimitedOverall,
}

/// A count that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repetition {
    pub(super) occurrence: Occurrence,
    /// The name of its Event.
    pub(super) event: String,
    pub(super) count: i32,
    pub(super) last: Timestamp,
}

/// One Event and its repetitions.
#[derive(Debug)]
struct Series {
    event: String,
    count: i32,
    last: Timestamp,
    last_seen: Instant,
    gather: Duration,
    /// When the count is to be written, if it has grown.
    due: Option<Instant>,
}

/// What was written, and what may be.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    series: HashMap<Occurrence, Series>,
    objects: HashMap<Regarding, Bucket>,
    overall: Bucket,
    sweep_at: Instant,
}

impl Ledger {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            series: HashMap::new(),
            objects: HashMap::new(),
            overall: Bucket::full(now),
            sweep_at: now + SWEEP_EVERY,
        }
    }

    /// Something happened.
    pub(super) fn occurred(
        &mut self,
        occurrence: &Occurrence,
        now: Instant,
        wall_clock: Timestamp,
    ) -> Verdict {
        self.sweep(now);
        if let Some(series) = self.series.get_mut(occurrence).filter(|series| !series.is_over(now)) {
            series.count = series.count.saturating_add(1);
            (series.last, series.last_seen) = (wall_clock, now);
            series.due.get_or_insert(now + series.gather);
            return Verdict::Counted;
        }
        if self.series.len() >= MOST_SERIES {
            return Verdict::LimitedOverall;
        }
        self.take(&occurrence.regarding, now)
    }

    /// The Event of an occurrence is there.
    pub(super) fn written(
        &mut self,
        occurrence: Occurrence,
        event: String,
        now: Instant,
        wall_clock: Timestamp,
    ) {
        let gather = self.limits.gather;
        let series = Series { event, count: 1, last: wall_clock, last_seen: now, gather, due: None };
        self.series.insert(occurrence, series);
    }

    /// The Event of an occurrence is gone: the next one is the first again.
    pub(super) fn forget(&mut self, occurrence: &Occurrence) {
        self.series.remove(occurrence);
    }

    /// When a count is to be written next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.series.values().filter_map(|series| series.due).min()
    }

    /// The counts that are to be written now. One for which there is no room waits once more.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Repetition> {
        let is_due = |series: &Series| series.due.is_some_and(|due| due <= now);
        let due: Vec<Occurrence> =
            self.series.iter().filter(|(_, series)| is_due(series)).map(|(key, _)| key.clone()).collect();
        let mut repetitions = Vec::new();
        for occurrence in due {
            let granted = self.take(&occurrence.regarding, now) == Verdict::Write;
            let Some(series) = self.series.get_mut(&occurrence) else { continue };
            series.gather = (series.gather * 2).min(self.limits.gather_most);
            if granted {
                series.due = None;
                let (event, count, last) = (series.event.clone(), series.count, series.last);
                repetitions.push(Repetition { occurrence, event, count, last });
            } else {
                series.due = Some(now + series.gather);
            }
        }
        repetitions
    }

    /// A token of both buckets, or of neither.
    fn take(&mut self, regarding: &Regarding, now: Instant) -> Verdict {
        let object = self.objects.get(regarding).copied().unwrap_or_else(|| Bucket::full(now));
        let Some(object) = object.take(self.limits.per_object, now) else {
            return Verdict::LimitedObject;
        };
        let Some(overall) = self.overall.take(self.limits.overall, now) else {
            return Verdict::LimitedOverall;
        };
        self.overall = overall;
        self.objects.insert(regarding.clone(), object);
        Verdict::Write
    }

    fn sweep(&mut self, now: Instant) {
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP_EVERY;
            self.series.retain(|_, series| series.due.is_some() || !series.is_over(now));
            self.objects.retain(|_, bucket| !bucket.is_full(now));
        }
    }
}

impl Series {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.last_seen + FORGET_AFTER
    }
}
