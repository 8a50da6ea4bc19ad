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
/// How soon a copy that is missing is looked at: its source, or what the watches tell, may be there by then.
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
    /// A copy waits until a moment, which replaces the one that it waited for before.
    pub fn add(&self, wanted: Wanted, due: Instant) {
        self.wait(wanted, |_| due);
    }

    /// A copy is looked at soon. If it is not its time then, it is put off again.
    pub fn look_soon(&self, wanted: Wanted) {
        let soon = Instant::now() + FIRST_LOOK;
        self.wait(wanted, |before| before.map_or(soon, |due| due.min(soon)));
    }

    fn wait(&self, wanted: Wanted, due: impl FnOnce(Option<Instant>) -> Instant) {
        let mut waiting = self.waiting();
        let has_room = waiting.len() < MOST_PENDING;
        match waiting.entry(wanted.key()) {
            Entry::Occupied(mut entry) => entry.get_mut().1 = due(Some(entry.get().1)),
            Entry::Vacant(entry) if has_room => {
                entry.insert((wanted, due(None)));
            }
            Entry::Vacant(_) => return,
        }
        self.shared.changed.notify_one();
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

    /// Takes out as many as are allowed of those that are due, and says when the next one is.
    pub fn take_due(&self, now: Instant, most: usize) -> (Vec<Wanted>, Option<Instant>) {
        let mut waiting = self.waiting();
        let is_due = |_: &CopyKey, (_, due): &mut (Wanted, Instant)| *due <= now;
        let due = waiting.extract_if(is_due).take(most).map(|(_, (wanted, _))| wanted).collect();
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
        assert_eq!(pending.take_due(now, 9).1, Some(later));
        let (due, next) = pending.take_due(later, 9);
        assert_eq!((due[0].key(), next), (wanted("ghcr").key(), None));
        assert!(pending.is_empty());
    }

    #[test]
    fn the_last_moment_counts_and_a_look_is_never_later_than_soon() {
        let (pending, now) = (Pending::default(), Instant::now());
        let later = now + Duration::from_mins(5);
        pending.add(wanted("ghcr"), now);
        pending.add(wanted("ghcr"), later);
        assert_eq!(pending.take_due(now, 9).1, Some(later));
        pending.look_soon(wanted("ghcr"));
        assert_eq!(pending.take_due(now + 2 * FIRST_LOOK, 9).0.len(), 1);
    }

    #[test]
    fn no_more_are_taken_out_than_are_allowed() {
        let (pending, now) = (Pending::default(), Instant::now());
        for name in ["a", "b", "c"] {
            pending.add(wanted(name), now);
        }
        assert_eq!((pending.take_due(now, 2).0.len(), pending.len()), (2, 1));
    }

    #[test]
    fn two_credentials_with_one_copy_name_wait_each_by_itself() {
        let (pending, now) = (Pending::default(), Instant::now());
        let place = ObjectKey::new("team-a", "pull");
        for name in ["alpha", "beta"] {
            pending.add(Wanted { credential: credential(name), place: place.clone() }, now);
        }
        assert_eq!(pending.take_due(now, 9).0.len(), 2);
    }

    #[test]
    fn a_copy_that_waits_is_due_at_once_when_its_obstacle_has_gone() {
        let pending = Pending::default();
        pending.hasten(&wanted("ghcr").place);
        assert!(pending.is_empty(), "what does not wait is not made to");
        pending.add(wanted("ghcr"), Instant::now() + Duration::from_mins(5));
        pending.hasten(&wanted("ghcr").place);
        assert_eq!(pending.take_due(Instant::now(), 9).0.len(), 1);
    }
}
