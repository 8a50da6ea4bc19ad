//! Writes that did not succeed.

use std::time::{Duration, Instant};

use super::Index;
use crate::knowledge::Snapshot;
use crate::knowledge::snapshot::Setback;
use crate::model::ObjectKey;
use crate::model::copy::{CopyKey, Obstacle, Wanted};

/// The first pause after a write that did not succeed; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: what an admin has mended is taken up within this time.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// From this many on, and whenever they have become twice as many, setbacks that have been over for [`LONGEST_PAUSE`] are
/// forgotten when one is added. A power of two.
pub(super) const MANY_SETBACKS: usize = 1_024;

impl Index {
    /// A write did not succeed: it is remembered, and tried again after a pause that doubles each time.
    pub fn set_back(&self, wanted: &CopyKey, obstacle: Obstacle, now: Instant) -> Instant {
        self.change(|snapshot| {
            let attempts =
                snapshot.setbacks.get(wanted).map_or(1, |setback| setback.attempts.saturating_add(1));
            let pause = FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(10)).min(LONGEST_PAUSE);
            let retry_at = now + pause;
            // Only when their number has doubled: else each one beyond would look at all of them.
            let (known, is_new) = (snapshot.setbacks.len(), !snapshot.setbacks.contains_key(wanted));
            if is_new && known >= MANY_SETBACKS && known.is_power_of_two() {
                snapshot.setbacks.retain(|_, setback| now < setback.retry_at + LONGEST_PAUSE);
            }
            snapshot.setbacks.insert(wanted.clone(), Setback { obstacle, retry_at, attempts });
            retry_at
        })
    }

    /// A write is no longer wanted, or has been superseded.
    pub fn forget_setback(&self, wanted: &CopyKey) {
        if self.snapshot().setbacks.contains_key(wanted) {
            self.change(|snapshot| {
                snapshot.setbacks.remove(wanted);
            });
        }
    }
}

/// Nothing stands at a place any more.
pub(super) fn end_setbacks_at(snapshot: &mut Snapshot, place: &ObjectKey) {
    let credentials = snapshot.credentials_with_copies_called(&place.name);
    let keys: Vec<CopyKey> =
        credentials.map(|credential| Wanted::new(credential, &place.namespace).key()).collect();
    for key in keys {
        snapshot.setbacks.remove(&key);
    }
}
