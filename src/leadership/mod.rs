//! Which replica may write what only one should: the holder of a Lease. Serving never waits for it.
//!
//! Whether the holder is still there is judged by what this replica has seen, on its own monotonic clock: a holder is
//! gone when its record has stood unchanged for as long as it is good for. No time that another machine wrote is ever
//! compared with a clock of ours. The holder itself counts from before it asked for a renewal, and for a shorter time
//! (the renew deadline), so it has stopped before anybody else may begin.

mod elector;
mod judgement;
mod lease;
mod settings;

pub use elector::Elector;
pub(crate) use elector::RELEASE_TIMEOUT;
pub use settings::{LeaseSettings, SettingsError};

use std::time::Instant;

use judgement::Term;
use tokio::sync::watch;

/// Tells whether this replica leads. Clones ask the same.
#[derive(Debug, Clone)]
pub struct Leadership {
    terms: watch::Receiver<Option<Term>>,
}

impl Leadership {
    /// Leads until that moment and never again, for tests.
    #[cfg(test)]
    pub(crate) fn until(writes_until: Instant) -> Self {
        Self { terms: watch::channel(Some(Term { number: 1, writes_until })).1 }
    }

    /// Whether a write may start now: this replica leads, and its renew deadline is not over.
    ///
    /// Asked right before each write. One that has started may still be under way when another replica leads, so every
    /// write only creates, or carries the resourceVersion that it was decided on.
    pub fn may_write(&self) -> bool {
        self.term().is_some()
    }

    /// The number of the term in which a write may start now. It grows with each term, so work that began in an
    /// earlier one can be told from that of this one.
    pub fn term(&self) -> Option<u64> {
        let term = *self.terms.borrow();
        term.filter(|term| Instant::now() < term.writes_until).map(|term| term.number)
    }

    /// Waits until this replica leads, and tells the term.
    pub async fn acquired(&self) -> u64 {
        let mut terms = self.terms.clone();
        let leads = |term: &Option<Term>| term.is_some_and(|term| Instant::now() < term.writes_until);
        let acquired = terms.wait_for(leads).await.ok().and_then(|term| *term);
        match acquired {
            Some(term) => term.number,
            // The election has ended, because this server ends: it never leads again.
            None => std::future::pending().await,
        }
    }

    /// Waits until a term is over.
    pub async fn lost(&self, term: u64) {
        let mut terms = self.terms.clone();
        // An election that has ended has ended the term too.
        let _ = terms.wait_for(|now| now.is_none_or(|now| now.number != term)).await;
    }

    /// Waits until this replica leads, and does what it does then. `None` when it does not lead any more before that has
    /// ended.
    pub async fn while_leading<T>(&self, work: impl AsyncFnOnce() -> T) -> Option<T> {
        let term = self.acquired().await;
        tokio::select! {
            () = self.lost(term) => None,
            done = work() => Some(done),
        }
    }
}
