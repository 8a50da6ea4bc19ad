//! What a candidate does next, by what it has seen and when. It knows no network and no clock: time is an argument,
//! always of the monotonic clock of this process.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How long what lasts; see [`super::LeaseSettings`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// For how long an unchanged record keeps others from leading.
    pub(super) duration: Duration,
    /// For how long the leader may write, counted from before it asked for its last renewal. Shorter than `duration`.
    pub(super) renew_deadline: Duration,
    /// The pause between two attempts.
    pub(super) retry_period: Duration,
}

/// What a Lease says. Nothing in it is compared with a clock: only whether it has changed counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Its resourceVersion.
    pub(super) version: String,
    /// Who has it; nobody, when empty.
    pub(super) holder: String,
    /// The holder's own time of its last renewal.
    pub(super) renewed: Option<Timestamp>,
    /// For how long the holder wants it to be good.
    pub(super) lasts: Duration,
}

/// A time in which this replica leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    /// Grows with each term of this process.
    pub(super) number: u64,
    /// No write may start from then on.
    pub(super) writes_until: Instant,
}

/// Why a term is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// No renewal came through before the deadline.
    Expired,
    /// The Lease was found to be another's, or nobody's.
    Superseded,
    /// Given back by ourselves.
    Released,
}

impl Ending {
    /// Its name in metrics and logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Released => "released",
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the Lease.
    Read,
    /// Write our name into the Lease as it was last seen, or create it where there was none.
    Claim,
    /// Rest for the retry period, or until [`Candidate::wake_by`] if that is sooner.
    Rest,
}

/// One who would lead.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    timing: Timing,
    seen: Option<Record>,
    /// Since when `seen` has been so, as far as we know.
    since: Instant,
    /// How long after `since` the Lease may be taken.
    kept: Duration,
    term: Option<Term>,
    terms: u64,
    ending: Option<Ending>,
}

impl Candidate {
    /// One who has seen nothing yet; its first step is to read.
    pub(super) fn new(identity: String, timing: Timing, now: Instant) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            since: now,
            kept: Duration::ZERO,
            term: None,
            terms: 0,
            ending: None,
        }
    }

    /// The term it is in.
    pub(super) fn term(&self) -> Option<Term> {
        self.term
    }

    /// Why the last term ended, told once.
    pub(super) fn take_ending(&mut self) -> Option<Ending> {
        self.ending.take()
    }

    /// When a rest has to end, however long it was meant to be.
    pub(super) fn wake_by(&self, now: Instant) -> Option<Instant> {
        match self.term {
            Some(term) => Some(term.writes_until),
            None => Some(self.since + self.kept).filter(|free| *free > now),
        }
    }

    /// A rest is over.
    pub(super) fn woke(&mut self, now: Instant) -> Step {
        self.expire(now);
        if self.term.is_some() { Step::Claim } else { Step::Read }
    }

    /// The Lease was read, or found to be absent. `now` is after the answer: what it tells is older, never newer.
    pub(super) fn looked(&mut self, found: Option<Record>, now: Instant) -> Step {
        self.expire(now);
        self.see(found, now);
        match &self.seen {
            // Somebody deleted it. Others who had seen us there wait as if we still were.
            None if self.term.is_some() => Step::Claim,
            // Ours: by a renewal whose answer was lost, or by a claim that came through late.
            Some(record) if record.holder == self.identity => Step::Claim,
            _ => {
                self.end(Ending::Superseded);
                if now >= self.since + self.kept { Step::Claim } else { Step::Rest }
            }
        }
    }

    /// A claim was carried out. `started` is before it was sent: others may have seen it ever since.
    pub(super) fn claimed(&mut self, started: Instant, written: Record, now: Instant) -> Step {
        self.expire(now);
        let unchanged = self.seen.as_ref().is_some_and(|seen| seen.version == written.version);
        self.see(Some(written), now);
        let writes_until = started + self.timing.renew_deadline;
        // A write that changed nothing is a renewal that nobody else has noticed, so it is none.
        if !unchanged && now < writes_until {
            let number = self.term.map_or(self.terms + 1, |term| term.number);
            self.terms = number;
            self.term = Some(Term { number, writes_until });
        }
        Step::Rest
    }

    /// A claim was refused because the Lease had changed meanwhile.
    pub(super) fn refused(&mut self, now: Instant) -> Step {
        self.expire(now);
        // The leader must know at once whether it still is: it may have been its own renewal whose answer was lost.
        if self.term.is_some() { Step::Read } else { Step::Rest }
    }

    /// Nothing is known of how a call ended, or it failed for a reason that says nothing about the Lease.
    pub(super) fn failed(&mut self, now: Instant) -> Step {
        self.expire(now);
        Step::Rest
    }

    /// Ends the term, if there is one, so that the Lease can be given back.
    pub(super) fn resign(&mut self) -> bool {
        let led = self.term.is_some();
        self.end(Ending::Released);
        led
    }

    fn expire(&mut self, now: Instant) {
        if self.term.is_some_and(|term| now >= term.writes_until) {
            self.end(Ending::Expired);
        }
    }

    fn end(&mut self, ending: Ending) {
        if self.term.take().is_some() {
            self.ending = Some(ending);
        }
    }

    fn see(&mut self, found: Option<Record>, now: Instant) {
        if self.seen == found {
            return;
        }
        self.kept = match &found {
            Some(record) if record.holder.is_empty() || record.holder == self.identity => Duration::ZERO,
            // The longer of two opinions, for replicas of two releases may run beside each other.
            Some(record) => record.lasts.max(self.timing.duration),
            // Deleted: the holder whom we saw may not know yet. Where we have never seen one, there is no waiting.
            None => self.kept,
        };
        self.seen = found;
        self.since = now;
    }
}
