//! Copies that a pod waits for and that could not be created in its call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::ObjectKey;
use crate::model::copy::{CopyKey, Wanted};

/// How many copies may wait. Far more than a cluster has in trouble at once; beyond it the next pod asks again.
const MOST_PENDING: usize = 20_000;
/// How long a copy that is missing waits before it is looked at for the first time: its source, or what the watches
/// tell, may be there by then.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The copies that wait, and when each is due. Clones share them.
#[derive(Clone, Default)]
pub struct Pending {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<HashMap<CopyKey, (Wanted, Instant)>>,
    changed: Notify,
}

impl Pending {
    /// A copy waits until a moment; if it waits already, until the later of both.
    pub fn add(&self, wanted: Wanted, due: Instant) {
        let mut waiting = self.waiting();
        let has_room = waiting.len() < MOST_PENDING;
        match waiting.entry(wanted.key()) {
            Entry::Occupied(mut entry) => entry.get_mut().1 = entry.get().1.max(due),
            Entry::Vacant(entry) if has_room => {
                entry.insert((wanted, due));
            }
            Entry::Vacant(_) => return,
        }
        self.shared.changed.notify_one();
    }

    /// A copy is looked at soon, unless it waits already.
    pub fn look_soon(&self, wanted: Wanted) {
        let mut waiting = self.waiting();
        let has_room = waiting.len() < MOST_PENDING;
        if let Entry::Vacant(entry) = waiting.entry(wanted.key())
            && has_room
        {
            entry.insert((wanted, Instant::now() + FIRST_LOOK));
            self.shared.changed.notify_one();
        }
    }

    /// Copies that wait at a place are due at once: what stood in their way has gone.
    pub fn hasten(&self, place: &ObjectKey) {
        for (wanted, due) in self.waiting().values_mut() {
            if wanted.place == *place {
                *due = Instant::now();
                self.shared.changed.notify_one();
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<CopyKey, (Wanted, Instant)>> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out those that are due, and says when the next one will be.
    pub fn take_due(&self, now: Instant) -> (Vec<Wanted>, Option<Instant>) {
        let mut waiting = self.waiting();
        let due = waiting.extract_if(|_, (_, due)| *due <= now).map(|(_, (wanted, _))| wanted).collect();
        (due, waiting.values().map(|(_, due)| *due).min())
    }

    /// Waits until a copy has been added.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::credential;

    fn wanted(name: &str) -> Wanted {
        Wanted::new(&credential(name), "team-a")
    }

    #[test]
    fn a_copy_waits_until_it_is_due() {
        let (pending, now) = (Pending::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        pending.add(wanted("ghcr"), later);
        assert_eq!(pending.take_due(now).1, Some(later));
        let (due, next) = pending.take_due(later);
        assert_eq!((due[0].key(), next), (wanted("ghcr").key(), None));
        assert!(pending.is_empty());
    }

    #[test]
    fn the_later_of_two_moments_counts_and_a_look_changes_neither() {
        let (pending, now) = (Pending::default(), Instant::now());
        let later = now + Duration::from_mins(5);
        pending.add(wanted("ghcr"), later);
        pending.add(wanted("ghcr"), now);
        pending.look_soon(wanted("ghcr"));
        assert_eq!(pending.take_due(now).1, Some(later));
    }

    #[test]
    fn two_credentials_with_one_copy_name_wait_each_by_itself() {
        let (pending, now) = (Pending::default(), Instant::now());
        let place = ObjectKey::new("team-a", "pull");
        for name in ["alpha", "beta"] {
            pending.add(Wanted { credential: credential(name), place: place.clone() }, now);
        }
        assert_eq!(pending.take_due(now).0.len(), 2);
    }

    #[test]
    fn a_copy_that_waits_is_due_at_once_when_its_obstacle_has_gone() {
        let pending = Pending::default();
        pending.hasten(&wanted("ghcr").place);
        assert!(pending.is_empty(), "what does not wait is not made to");
        pending.add(wanted("ghcr"), Instant::now() + Duration::from_mins(5));
        pending.hasten(&wanted("ghcr").place);
        assert_eq!(pending.take_due(Instant::now()).0.len(), 1);
    }
}
