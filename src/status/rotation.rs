//! How the new content of a source spreads to the copies of one credential.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::ledger::{Look, Seen};
use super::tally::CopyState;
use crate::api::credential_status::LastRotation;

/// Follows the content of one credential's source. What was before this process began to look is not known: copies that
/// are stale then count from that moment.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    /// The digest of what the source last held; kept while it is broken, for the copies keep that too.
    digest: Option<u64>,
    under_way: Option<UnderWay>,
    finished: Option<LastRotation>,
}

#[derive(Debug)]
struct UnderWay {
    began: Timestamp,
    /// Since when each copy that has not followed yet lags behind.
    lagging: HashMap<Arc<str>, Instant>,
    slowest: Duration,
    copies: i64,
}

impl Rotation {
    /// The last one that has reached every copy, of those that this process has seen.
    pub(super) fn finished(&self) -> Option<&LastRotation> {
        self.finished.as_ref()
    }

    /// The source holds this now, and these are its copies. Returns the time that each copy took which has followed
    /// before we came to look; those that lag are told by [`Self::seen`].
    pub(super) fn source_holds(&mut self, digest: Option<u64>, copies: &[Look], seen: Seen) -> Vec<Duration> {
        let Some(digest) = digest.filter(|digest| self.digest != Some(*digest)) else {
            return Vec::new();
        };
        let is_first = self.digest.replace(digest).is_none();
        let stale = copies.iter().filter(|copy| copy.state == Some(CopyState::Stale));
        let stale: Vec<&Arc<str>> = stale.map(|copy| &copy.namespace).collect();
        // The first content that is ever seen is no change, unless copies hold other content.
        if is_first && stale.is_empty() {
            return Vec::new();
        }
        let under_way = self.under_way.get_or_insert_with(|| UnderWay {
            began: seen.wall_clock,
            lagging: HashMap::new(),
            slowest: Duration::ZERO,
            copies: 0,
        });
        let has_followed = |copy: &&Look| {
            copy.state == Some(CopyState::Synced)
                && copy.before.is_some_and(CopyState::is_there)
                && !under_way.lagging.contains_key(&copy.namespace)
        };
        let followed = if is_first { 0 } else { copies.iter().filter(has_followed).count() };
        for namespace in stale {
            // One that did not follow the change before either lags since then.
            under_way.lagging.entry(Arc::clone(namespace)).or_insert(seen.at);
        }
        under_way.copies += i64::try_from(followed).unwrap_or(i64::MAX);
        self.finish();
        vec![Duration::ZERO; followed]
    }

    /// The copy of a namespace stands like this now. Returns how long it took if it has just followed.
    pub(super) fn seen(
        &mut self,
        namespace: &str,
        state: Option<CopyState>,
        now: Instant,
    ) -> Option<Duration> {
        let under_way = self.under_way.as_mut()?;
        let took = match state {
            Some(CopyState::Synced) => {
                let took = now.saturating_duration_since(under_way.lagging.remove(namespace)?);
                under_way.slowest = under_way.slowest.max(took);
                under_way.copies += 1;
                Some(took)
            }
            // Nobody wants it any more, so nobody waits for it.
            None => {
                under_way.lagging.remove(namespace)?;
                None
            }
            Some(_) => return None,
        };
        self.finish();
        took
    }

    fn finish(&mut self) {
        if let Some(done) = self.under_way.take_if(|under_way| under_way.lagging.is_empty()) {
            self.finished = Some(LastRotation {
                time: super::report::text_of(done.began),
                // To a tenth: what is told is when the watch showed it.
                seconds: (done.slowest.as_secs_f64() * 10.0).round() / 10.0,
                copies: done.copies,
            });
        }
    }
}
