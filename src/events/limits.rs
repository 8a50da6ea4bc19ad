//! How many Events are written at most.

use std::time::{Duration, Instant};

/// So many at once, and one more after each pause.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// After how long one more may come.
    pub every: Duration,
}

/// What bounds the writing of Events.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one object.
    pub per_object: Rate,
    /// Of all together.
    pub overall: Rate,
    /// How long repetitions are gathered before the Event's count is written; it doubles with each write.
    pub gather: Duration,
    /// The longest time that they are gathered.
    pub gather_most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // At most 20 writes per object and hour: 10 from a full bucket, and the 10 that flow in during that hour.
            // Enough for each thing that can be wrong with one credential, and for its count as long as it stays so.
            per_object: Rate { burst: 10, every: Duration::from_mins(6) },
            // An Event is an object in etcd for an hour. So there are never more than about 3,700 of ours.
            overall: Rate { burst: 50, every: Duration::from_secs(1) },
            // Who looks at an Event wants to know whether it goes on, to the minute at first and later roughly; at the
            // longest pause the counts alone stay below the limit of an object.
            gather: Duration::from_mins(1),
            gather_most: Duration::from_mins(10),
        }
    }
}

/// A bucket of tokens, kept as the one time at which it is full again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    pub(super) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// The bucket with one token less, if it has one.
    pub(super) fn take(self, rate: Rate, now: Instant) -> Option<Self> {
        let full_at = self.full_at.max(now) + rate.every;
        (full_at <= now + rate.every * rate.burst).then_some(Self { full_at })
    }

    /// A full bucket need not be remembered.
    pub(super) fn is_full(self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    /// How many of these seconds were granted a token.
    fn granted(seconds: impl IntoIterator<Item = u64>) -> usize {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut granted = 0;
        for second in seconds {
            if let Some(taken) = bucket.take(RATE, start + Duration::from_secs(second)) {
                bucket = taken;
                granted += 1;
            }
        }
        granted
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_after_each_pause() {
        assert_eq!(granted([0; 10]), 3);
        assert_eq!(granted([0, 0, 0, 0, 9, 10, 10, 19, 20]), 5);
    }

    #[test]
    fn a_bucket_that_rested_gives_no_more_than_its_burst() {
        assert_eq!(granted([0, 0, 0, 1_000, 1_000, 1_000, 1_000, 1_000]), 6);
    }

    #[test]
    fn no_object_gets_more_writes_in_an_hour_than_is_stated() {
        let rate = Limits::default().per_object;
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut writes = 0;
        for second in 0..3_600 {
            if let Some(taken) = bucket.take(rate, start + Duration::from_secs(second)) {
                bucket = taken;
                writes += 1;
            }
        }
        assert!((10..=20).contains(&writes), "{writes}");
    }
}
