//! The places to look at, each once, and when.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::model::ObjectKey;

/// Places by when they are due. A place that is being worked on is not due until that has ended, so that no two writes of
/// one copy are under way. Each step costs the same however many wait, but for a logarithm.
#[derive(Debug, Default)]
pub(super) struct Queue {
    by_moment: BTreeSet<(Instant, ObjectKey)>,
    moments: HashMap<ObjectKey, Instant>,
    /// What is being worked on, and when it is to be looked at again if that is known by now.
    under_way: HashMap<ObjectKey, Option<Instant>>,
}

impl Queue {
    /// A place is due at a moment, or before if it was due before.
    pub(super) fn add(&mut self, place: ObjectKey, due: Instant) {
        if let Some(again) = self.under_way.get_mut(&place) {
            *again = Some(again.map_or(due, |known| known.min(due)));
            return;
        }
        if let Some(known) = self.moments.get(&place).copied() {
            if known <= due {
                return;
            }
            self.by_moment.remove(&(known, place.clone()));
        }
        self.moments.insert(place.clone(), due);
        self.by_moment.insert((due, place));
    }

    /// Takes a place that is due. It counts as being worked on from now on.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ObjectKey> {
        let (due, place) = self.by_moment.pop_first()?;
        if due > now {
            self.by_moment.insert((due, place));
            return None;
        }
        self.moments.remove(&place);
        self.under_way.insert(place.clone(), None);
        Some(place)
    }

    /// A place is not being worked on any more.
    pub(super) fn done(&mut self, place: &ObjectKey) {
        if let Some(Some(again)) = self.under_way.remove(place) {
            self.add(place.clone(), again);
        }
    }

    /// When the next place is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_moment.first().map(|(due, _)| *due)
    }

    /// How many places wait, whenever they are due.
    pub(super) fn len(&self) -> usize {
        self.moments.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn place(name: &str) -> ObjectKey {
        ObjectKey::new("team-a", name)
    }

    #[test]
    fn the_earliest_moment_counts() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        queue.add(place("one"), later);
        assert_eq!((queue.take_due(now), queue.next()), (None, Some(later)));
        queue.add(place("one"), now);
        queue.add(place("one"), later);
        assert_eq!((queue.take_due(now), queue.len()), (Some(place("one")), 0));
    }

    #[test]
    fn what_is_being_worked_on_is_not_due_before_that_has_ended() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(place("one"), now);
        assert_eq!(queue.take_due(now), Some(place("one")));
        queue.add(place("one"), now);
        assert_eq!(queue.take_due(now), None);
        queue.done(&place("one"));
        assert_eq!(queue.take_due(now), Some(place("one")));
        queue.done(&place("one"));
        assert_eq!(queue.take_due(now), None);
    }
}
