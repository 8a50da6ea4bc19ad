//! The time that a review has.

use std::time::Duration;

use tokio::time::Instant;
use tokio::time::error::Elapsed;

use super::limits::Limits;

/// When a review must be answered. The API server says in the URL how long it waits (`?timeout=3s`);
/// the way of the answer is already taken off here.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    answer_by: Instant,
    /// When the API server itself stops waiting.
    over: Instant,
}

impl Deadline {
    /// A deadline so long from now, without anything taken off.
    pub fn after(time: Duration) -> Self {
        let answer_by = Instant::now() + time;
        Self { answer_by, over: answer_by }
    }

    /// The deadline of a request with this query, which came just now.
    pub(super) fn of_query(query: Option<&str>, limits: &Limits) -> Self {
        let time = timeout_of(query).unwrap_or(limits.review_default).min(limits.review_longest);
        let now = Instant::now();
        Self { answer_by: now + time.saturating_sub(limits.review_margin), over: now + time }
    }

    /// What is left; zero if it has passed.
    pub fn remaining(&self) -> Duration {
        self.answer_by.saturating_duration_since(Instant::now())
    }

    /// Does something unless it takes longer than what is left.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Elapsed> {
        tokio::time::timeout_at(self.answer_by, work).await
    }

    /// The moment after which nobody waits for the answer.
    pub(super) fn over(&self) -> Instant {
        self.over
    }
}

/// The API server always sends whole seconds. What is not written so is no deadline of its own.
fn timeout_of(query: Option<&str>) -> Option<Duration> {
    let value = query?.split('&').find_map(|pair| pair.strip_prefix("timeout="))?;
    value.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_deadline_is_the_requests_own_less_a_margin() {
        let limits = Limits::default();
        for (query, expected) in [
            (Some("timeout=3s"), 2800),
            (Some("dryRun=All&timeout=1s"), 800),
            (Some("timeout=30s"), 29_800),
            (Some("timeout=3600s"), 29_800),
            (Some("timeout=0s"), 0),
            (Some("timeout="), 9800),
            (Some("timeout=3"), 9800),
            (Some("timeout=-3s"), 9800),
            (Some("timeout=99999999999999999999s"), 9800),
            (Some("other=3s"), 9800),
            (None, 9800),
        ] {
            let left = Deadline::of_query(query, &limits).remaining();
            assert_eq!(left, Duration::from_millis(expected), "{query:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cut_at_the_deadline() {
        let deadline = Deadline::after(Duration::from_millis(100));
        assert!(deadline.run(tokio::time::sleep(Duration::from_millis(99))).await.is_ok());
        assert!(deadline.run(std::future::pending::<()>()).await.is_err());
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }
}
