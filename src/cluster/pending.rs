//! Copies that a pod waits for and that could not be created in its call.

use std::collections::{BTreeMap, HashMap};
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
    waiting: Mutex<Waiting>,
    changed: Notify,
}

/// What waits, by when it is due: whoever has waited longest comes first, and nobody is passed by for ever.
#[derive(Default)]
struct Waiting {
    by_moment: BTreeMap<Turn, Wanted>,
    turns: HashMap<CopyKey, Turn>,
    /// How often something was put in; tells apart what is due at the same moment.
    count: u64,
}

type Turn = (Instant, u64);

impl Waiting {
    fn put(&mut self, wanted: Wanted, due: Instant) {
        self.count += 1;
        let (key, turn) = (wanted.key(), (due, self.count));
        if let Some(former) = self.turns.insert(key, turn) {
            self.by_moment.remove(&former);
        }
        self.by_moment.insert(turn, wanted);
    }

    fn take_due(&mut self, now: Instant) -> Option<Wanted> {
        let entry = self.by_moment.first_entry().filter(|entry| entry.key().0 <= now)?;
        let wanted = entry.remove();
        self.turns.remove(&wanted.key());
        Some(wanted)
    }
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
        let before = waiting.turns.get(&wanted.key()).map(|(due, _)| *due);
        if before.is_none() && waiting.turns.len() >= MOST_PENDING {
            tracing::warn!(copy = %wanted.place, most = MOST_PENDING, "too many copies wait; the next pod asks for it again");
            return;
        }
        waiting.put(wanted, due(before));
        self.shared.changed.notify_one();
    }

    /// Copies that wait at a place are due at once: what stood in their way has gone.
    pub fn hasten(&self, place: &ObjectKey) {
        let mut waiting = self.waiting();
        let here: Vec<Wanted> =
            waiting.by_moment.values().filter(|wanted| wanted.place == *place).cloned().collect();
        for wanted in here {
            waiting.put(wanted, Instant::now());
            self.shared.changed.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().turns.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes one out that is due.
    pub fn take_due(&self, now: Instant) -> Option<Wanted> {
        self.waiting().take_due(now)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.waiting().by_moment.first_key_value().map(|((due, _), _)| *due)
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

    /// All that are due, by the names of their credentials.
    fn due(pending: &Pending, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| pending.take_due(now))
            .map(|wanted| wanted.credential.name.to_string())
            .collect()
    }

    #[test]
    fn a_copy_waits_until_it_is_due() {
        let (pending, now) = (Pending::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        pending.add(wanted("ghcr"), later);
        assert_eq!((due(&pending, now).len(), pending.next()), (0, Some(later)));
        assert_eq!((due(&pending, later), pending.next()), (vec!["ghcr".to_owned()], None));
        assert!(pending.is_empty());
    }

    #[test]
    fn the_last_moment_counts_and_a_look_is_never_later_than_soon() {
        let (pending, now) = (Pending::default(), Instant::now());
        let later = now + Duration::from_mins(5);
        pending.add(wanted("ghcr"), now);
        pending.add(wanted("ghcr"), later);
        assert_eq!((due(&pending, now).len(), pending.next()), (0, Some(later)));
        pending.look_soon(wanted("ghcr"));
        assert_eq!(due(&pending, now + 2 * FIRST_LOOK).len(), 1);
    }

    #[test]
    fn whoever_has_waited_longest_comes_first_and_one_that_waits_again_comes_last() {
        let (pending, now) = (Pending::default(), Instant::now());
        for (name, after) in [("late", 2), ("early", 1), ("early-too", 1)] {
            pending.add(wanted(name), now + Duration::from_secs(after));
        }
        let end = now + Duration::from_secs(9);
        let first = pending.take_due(end).unwrap();
        assert_eq!(&*first.credential.name, "early");
        pending.add(first, end);
        assert_eq!(due(&pending, end), ["early-too", "late", "early"]);
    }

    #[test]
    fn two_credentials_with_one_copy_name_wait_each_by_itself() {
        let (pending, now) = (Pending::default(), Instant::now());
        let place = ObjectKey::new("team-a", "pull");
        for name in ["alpha", "beta"] {
            pending.add(Wanted { credential: credential(name), place: place.clone() }, now);
        }
        assert_eq!(due(&pending, now).len(), 2);
    }

    #[test]
    fn a_copy_that_waits_is_due_at_once_when_its_obstacle_has_gone() {
        let pending = Pending::default();
        pending.hasten(&wanted("ghcr").place);
        assert!(pending.is_empty(), "what does not wait is not made to");
        pending.add(wanted("ghcr"), Instant::now() + Duration::from_mins(5));
        pending.hasten(&wanted("ghcr").place);
        assert_eq!(due(&pending, Instant::now()).len(), 1);
    }
}
