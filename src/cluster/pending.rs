//! Copies that a pod waits for and that could not be created in its call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::ObjectKey;
use crate::model::credential::Credential;

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
    waiting: Mutex<HashMap<ObjectKey, (Arc<Credential>, Instant)>>,
    changed: Notify,
}

impl Pending {
    /// A copy waits until a moment, which replaces the one that it waited for before.
    pub fn add(&self, credential: Arc<Credential>, place: ObjectKey, due: Instant) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_PENDING || waiting.contains_key(&place) {
            waiting.insert(place, (credential, due));
            self.shared.changed.notify_one();
        }
    }

    /// A copy is looked at soon, unless it waits already.
    pub fn look_soon(&self, credential: Arc<Credential>, place: ObjectKey) {
        if !self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&place) {
            self.add(credential, place, Instant::now() + FIRST_LOOK);
        }
    }

    /// A copy that waits is due at once: what stood in its way has gone.
    pub fn hasten(&self, place: &ObjectKey) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, due)) = waiting.get_mut(place) {
            *due = Instant::now();
            self.shared.changed.notify_one();
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out those that are due, and says when the next one will be.
    pub fn take_due(&self, now: Instant) -> (Vec<(Arc<Credential>, ObjectKey)>, Option<Instant>) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let due =
            waiting.extract_if(|_, (_, due)| *due <= now).map(|(place, (credential, _))| (credential, place));
        let due = due.collect();
        (due, waiting.values().map(|(_, due)| *due).min())
    }

    /// Waits until a copy has been added.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::tests::credential;

    #[test]
    fn a_copy_waits_until_it_is_due() {
        let (pending, now) = (Pending::default(), Instant::now());
        let place = ObjectKey::new("team-a", "regcred-ghcr");
        let later = now + Duration::from_secs(5);
        pending.add(credential("ghcr"), place.clone(), later);
        assert_eq!(pending.take_due(now).1, Some(later));
        let (due, next) = pending.take_due(later);
        assert_eq!((due[0].1.clone(), next), (place, None));
        assert!(pending.is_empty());
    }

    #[test]
    fn a_copy_that_waits_is_due_at_once_when_its_obstacle_has_gone() {
        let (pending, place) = (Pending::default(), ObjectKey::new("team-a", "regcred-ghcr"));
        pending.hasten(&place);
        assert!(pending.is_empty(), "what does not wait is not made to");
        pending.add(credential("ghcr"), place.clone(), Instant::now() + Duration::from_mins(5));
        pending.hasten(&place);
        assert_eq!(pending.take_due(Instant::now()).0.len(), 1);
    }
}
