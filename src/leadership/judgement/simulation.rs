//! Two candidates and a Lease on an API server, in simulated time: requests and answers are late or lost, wall clocks
//! are anything, processes stand still, the Lease is touched by strangers. Whatever happens, never may both write; and
//! when the trouble is over, one leads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::super::lease::{claimed, record_of};
use super::*;
use k8s_openapi::api::coordination::v1::Lease;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};
/// What the elector gives a call.
const CALL_TIMEOUT: u64 = 5_000;
/// After so long without trouble somebody must lead: the duration, and some rests and calls.
const CALM: u64 = 30_000;

/// One call's luck, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Luck {
    /// Until the API server acts; it may well be after the caller has given up.
    there: Option<u64>,
    /// From then until the answer is there.
    back: Option<u64>,
    /// For how long the process stands still when the answer has come.
    standstill: u64,
    /// What the caller's wall clock shows.
    wall_clock: i64,
}

const NO_TROUBLE: Luck = Luck { there: Some(5), back: Some(5), standstill: 0, wall_clock: 0 };

/// What happens, in the order of its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrives {
        call: usize,
    },
    Answered {
        call: usize,
    },
    GivenUp {
        call: usize,
    },
    Wakes {
        who: usize,
    },
    /// Somebody annotates the Lease.
    Touched,
}

struct Call {
    who: usize,
    started: u64,
    /// Nothing to write: it reads.
    write: Option<Lease>,
    luck: Luck,
    answer: Option<Answer>,
    over: bool,
}

enum Answer {
    Is(Box<Option<Lease>>),
    Conflict,
    Absent,
}

struct Simulation {
    start: Instant,
    now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    calls: Vec<Call>,
    candidates: [Candidate; 2],
    seen: [Option<Lease>; 2],
    lease: Option<Lease>,
    version: u64,
    lucks: Vec<Luck>,
}

impl Simulation {
    fn new(lucks: Vec<Luck>) -> Self {
        let start = Instant::now();
        let candidate = |name: &str| Candidate::new(name.to_owned(), TIMING, start);
        let mut simulation = Self {
            start,
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            calls: Vec::new(),
            candidates: [candidate("one"), candidate("two")],
            seen: [None, None],
            lease: None,
            version: 0,
            lucks,
        };
        simulation.at(0, Happening::Wakes { who: 0 });
        simulation.at(1, Happening::Wakes { who: 1 });
        simulation
    }

    fn at(&mut self, when: u64, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse((when, self.order, what)));
    }

    fn instant(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn may_write(&self, who: usize) -> bool {
        let now = self.instant(self.now);
        self.candidates[who].term().is_some_and(|term| now < term.writes_until)
    }

    /// Runs until this time; the lucks are used up one per call, and what comes after them has no trouble.
    fn run(&mut self, until: u64) {
        while let Some(Reverse((when, _, _))) = self.queue.peek()
            && *when <= until
        {
            let Some(Reverse((when, _, what))) = self.queue.pop() else { return };
            self.now = when;
            match what {
                Happening::Arrives { call } => self.arrives(call),
                Happening::Answered { call } | Happening::GivenUp { call } => self.answered(call),
                Happening::Wakes { who } => {
                    let step = self.candidates[who].woke(self.instant(when));
                    self.follow(who, step);
                }
                Happening::Touched => self.touched(),
            }
            assert!(!(self.may_write(0) && self.may_write(1)), "both may write at {when} ms");
        }
    }

    fn follow(&mut self, who: usize, step: Step) {
        let now = self.instant(self.now);
        let write = match step {
            Step::Rest => {
                let period = u64::try_from(TIMING.retry_period.as_millis()).unwrap();
                let latest = self.candidates[who].wake_by(now).map_or(period, |latest| {
                    u64::try_from(latest.saturating_duration_since(now).as_millis()).unwrap()
                });
                return self.at(self.now + period.min(latest), Happening::Wakes { who });
            }
            Step::Read => None,
            Step::Claim => Some(()),
        };
        let luck = self.lucks.pop().unwrap_or(NO_TROUBLE);
        let identity = ["one", "two"][who];
        let write = write.map(|()| {
            let wall_clock = Timestamp::from_microsecond(luck.wall_clock).unwrap();
            claimed(self.seen[who].as_ref(), identity, TIMING.duration, wall_clock)
        });
        let call = self.calls.len();
        self.calls.push(Call { who, started: self.now, write, luck, answer: None, over: false });
        if let Some(there) = luck.there {
            self.at(self.now + there, Happening::Arrives { call });
        }
        self.at(self.now + CALL_TIMEOUT + luck.standstill, Happening::GivenUp { call });
    }

    /// The API server acts, also on what nobody waits for any more.
    fn arrives(&mut self, number: usize) {
        let call = &mut self.calls[number];
        let version_of =
            |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        call.answer = Some(match call.write.clone() {
            None => Answer::Is(Box::new(self.lease.clone())),
            Some(write) if self.lease.is_none() && write.metadata.resource_version.is_some() => {
                Answer::Absent
            }
            Some(write) if write.metadata.resource_version != version_of(&self.lease) => Answer::Conflict,
            Some(mut write) => {
                // As the API server does, it keeps the version of what does not change.
                if self.lease.as_ref() != Some(&write) {
                    self.version += 1;
                    write.metadata.resource_version = Some(self.version.to_string());
                    self.lease = Some(write);
                }
                Answer::Is(Box::new(self.lease.clone()))
            }
        });
        let (back, standstill) = (call.luck.back, call.luck.standstill);
        if let Some(back) = back {
            self.at(self.now + back + standstill, Happening::Answered { call: number });
        }
    }

    fn answered(&mut self, number: usize) {
        let now = self.instant(self.now);
        let call = &mut self.calls[number];
        if std::mem::replace(&mut call.over, true) {
            return;
        }
        let (who, started, wrote) = (call.who, call.started, call.write.is_some());
        let in_time = self.now < started + CALL_TIMEOUT + call.luck.standstill;
        let answer = call.answer.take().filter(|_| in_time);
        let started = self.instant(started);
        let candidate = &mut self.candidates[who];
        let step = match answer {
            Some(Answer::Is(found)) => {
                let record = (*found).as_ref().map(record_of);
                self.seen[who] = *found;
                match record {
                    Some(written) if wrote => candidate.claimed(started, written, now),
                    found => candidate.looked(found, now),
                }
            }
            Some(Answer::Absent) => {
                self.seen[who] = None;
                candidate.looked(None, now)
            }
            Some(Answer::Conflict) => candidate.refused(now),
            None => candidate.failed(now),
        };
        self.follow(who, step);
    }

    fn touched(&mut self) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(lease) = &mut self.lease {
            lease.metadata.resource_version = Some(version);
        }
    }
}

/// A tenth of the messages is lost, most are quick, some take longer than anybody waits.
fn message() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![1 => Just(None), 6 => (0..50_u64).prop_map(Some), 3 => (0..25_000_u64).prop_map(Some)]
}

fn luck() -> impl Strategy<Value = Luck> {
    let standstill = prop_oneof![8 => Just(0), 2 => 0..20_000_u64];
    // Now and then the clock stands still, else it jumps about.
    let wall_clock = prop_oneof![Just(1), -1_000_000..1_000_000_000_i64];
    (message(), message(), standstill, wall_clock).prop_map(|(there, back, standstill, wall_clock)| Luck {
        there,
        back,
        standstill,
        wall_clock,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn never_may_two_write_and_one_leads_when_the_trouble_is_over(
        lucks in proptest::collection::vec(luck(), 0..120),
        touches in proptest::collection::vec(0..200_000_u64, 0..3),
    ) {
        let mut simulation = Simulation::new(lucks);
        for touch in touches {
            simulation.at(touch, Happening::Touched);
        }
        let mut until = 60_000;
        simulation.run(until);
        while !simulation.lucks.is_empty() {
            until += 60_000;
            simulation.run(until);
        }
        // What was sent in trouble may still arrive for this long.
        until += 60_000 + CALM;
        simulation.run(until);
        prop_assert!(simulation.may_write(0) || simulation.may_write(1), "nobody leads");
    }
}

#[test]
fn one_leads_at_once_and_goes_on_leading() {
    let mut simulation = Simulation::new(Vec::new());
    simulation.run(100);
    assert!(simulation.may_write(0));
    simulation.run(3_600_000);
    assert!(simulation.may_write(0), "the one that was first, an hour later");
    assert_eq!(simulation.candidates[0].term().unwrap().number, 1);
}

#[test]
fn when_the_leader_falls_silent_the_other_leads_within_the_duration_and_one_retry() {
    let mut simulation = Simulation::new(Vec::new());
    simulation.run(60_000);
    assert!(simulation.may_write(0));
    // It wakes no more.
    simulation.queue.retain(|Reverse((_, _, what))| *what != Happening::Wakes { who: 0 });
    simulation.run(60_000 + 17_100);
    assert!(simulation.may_write(1));
}
