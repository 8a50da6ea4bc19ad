//! How long things last, and when they are renewed.

use std::time::{Duration, SystemTime};

use thiserror::Error;

use crate::certificates::authority::whole_seconds;

/// However long there is nothing to do, the wall clock is looked at this often: a timer does not notice that the
/// machine was suspended or its clock set.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// A step that is due in no time at all still lets others have their turn.
const SHORTEST_REST: Duration = Duration::from_millis(100);
/// Clocks of a cluster's nodes differ by seconds, and by minutes where nobody looks.
const LARGEST_CLOCK_TOLERANCE: Duration = Duration::from_mins(5);
/// How long a server that serves nothing yet waits after its authority was published: no longer than the watches of
/// API servers usually take. Until it serves, no review reaches it anyway.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Of a leaf's life a tenth may be missing if that saves a write.
const EARLY: u32 = 10;

/// How long authorities and leaves are valid, and how long API servers may take to learn of a bundle.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) leaf: Duration,
    pub(super) authority: Duration,
    pub(super) propagation: Duration,
}

/// Why durations do not go together.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// A leaf could not live as long as it should.
    #[error(
        "a leaf that is valid for {leaf:?} does not fit an authority that is valid for {authority:?}, for that is renewed \
         when a third of its time is left; give --authority-lifetime three times --leaf-lifetime at least"
    )]
    LeafTooLong {
        /// `--leaf-lifetime`.
        leaf: Duration,
        /// `--authority-lifetime`.
        authority: Duration,
    },
    /// A leaf could end while its successor waits.
    #[error(
        "a leaf that is valid for {leaf:?} is renewed when a third of that is left, which must be longer than \
         --bundle-propagation ({propagation:?}); give a longer --leaf-lifetime or a shorter --bundle-propagation"
    )]
    PropagationTooLong {
        /// `--leaf-lifetime`.
        leaf: Duration,
        /// `--bundle-propagation`.
        propagation: Duration,
    },
}

impl Schedule {
    /// A schedule that can be kept.
    pub(super) fn new(
        leaf: Duration,
        authority: Duration,
        propagation: Duration,
    ) -> Result<Self, ScheduleError> {
        if leaf > authority / 3 {
            return Err(ScheduleError::LeafTooLong { leaf, authority });
        }
        if propagation >= leaf / 3 {
            return Err(ScheduleError::PropagationTooLong { leaf, propagation });
        }
        Ok(Self { leaf, authority, propagation })
    }

    /// When something is renewed: after two thirds of its life, which leaves time to mend what hinders it.
    #[allow(clippy::unused_self, reason = "it is the schedule's matter")]
    pub(super) fn renewal(&self, made: SystemTime, not_after: SystemTime) -> SystemTime {
        let life = not_after.duration_since(made).unwrap_or_default();
        made + life / 3 * 2
    }

    /// The end of a leaf that is made now, in whole seconds as a certificate states it.
    pub(super) fn leaf_end(&self, now: SystemTime, authority: SystemTime) -> SystemTime {
        whole_seconds(now + self.leaf).min(authority)
    }

    /// The earliest end that a leaf made now may have.
    pub(super) fn early_leaf_end(&self, now: SystemTime) -> SystemTime {
        now + self.leaf / EARLY * (EARLY - 1)
    }

    /// How long a replica waits before its very first leaf.
    pub(super) fn first_wait(&self) -> Duration {
        self.propagation.min(FIRST_WAIT)
    }

    /// By how much the clocks of two replicas may differ without them undoing each other's work.
    pub(super) fn clock_tolerance(&self) -> Duration {
        LARGEST_CLOCK_TOLERANCE.min(self.leaf / 20)
    }

    /// How long to rest when the next step is due then.
    #[allow(clippy::unused_self, reason = "it is the schedule's matter")]
    pub(super) fn rest(&self, next: Option<Duration>) -> Duration {
        next.unwrap_or(LONGEST_REST).clamp(SHORTEST_REST, LONGEST_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn durations_that_cannot_be_kept_are_refused_with_a_sentence() {
        let second = Duration::from_secs(1);
        for (leaf, authority, propagation, expected) in [
            (7 * DAY, 365 * DAY, 10 * second, None),
            (20 * second, 60 * second, second, None),
            (21 * second, 60 * second, second, Some("--authority-lifetime")),
            (20 * second, 60 * second, 7 * second, Some("--bundle-propagation")),
        ] {
            let message = Schedule::new(leaf, authority, propagation).err().map(|error| error.to_string());
            match (message, expected) {
                (None, None) => {}
                (Some(message), Some(expected)) => assert!(message.contains(expected), "{message}"),
                (message, expected) => panic!("{message:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn a_third_of_a_life_is_left_at_its_renewal() {
        let schedule = Schedule::new(7 * DAY, 365 * DAY, Duration::from_secs(10)).unwrap();
        let made = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        assert_eq!(schedule.renewal(made, made + 9 * DAY), made + 6 * DAY);
        // What ended before it began is over at once.
        assert_eq!(schedule.renewal(made, made - DAY), made);
    }

    #[test]
    fn a_leaf_ends_with_its_authority_at_the_latest() {
        let schedule = Schedule::new(7 * DAY, 365 * DAY, Duration::from_secs(10)).unwrap();
        let now = SystemTime::UNIX_EPOCH + 20_000 * DAY + Duration::from_millis(1);
        let whole = SystemTime::UNIX_EPOCH + 20_007 * DAY;
        assert_eq!(schedule.leaf_end(now, now + 8 * DAY), whole);
        assert_eq!(schedule.leaf_end(now, whole - DAY), whole - DAY);
    }

    #[test]
    fn the_clock_is_looked_at_once_a_minute_at_least() {
        let schedule = Schedule::new(7 * DAY, 365 * DAY, Duration::from_secs(10)).unwrap();
        for (next, rest) in [
            (None, Duration::from_mins(1)),
            (Some(DAY), Duration::from_mins(1)),
            (Some(Duration::from_secs(3)), Duration::from_secs(3)),
            (Some(Duration::ZERO), Duration::from_millis(100)),
        ] {
            assert_eq!(schedule.rest(next), rest);
        }
    }
}
