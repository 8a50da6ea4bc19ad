//! Whose turn it is to be evicted. No I/O, no clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::census::FailingPod;
use crate::model::pod::Owner;

/// One pod of each controller is evicted in this time. Its replacement has the name, so a second eviction means that
/// something takes the name away again; then evicting mends nothing, and this keeps it from doing harm.
const PER_OWNER: Duration = Duration::from_hours(1);
/// When a pod is tried again whose eviction was refused (a `PodDisruptionBudget`) or that had changed meanwhile: half a
/// minute is soon for a person, and asks little of an API server that has many to refuse.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// Keeps evictions to their rates. It is one leader's memory: where leadership changes, a controller may see one more
/// eviction in its hour.
pub(super) struct Turns {
    interval: Duration,
    next_at: Option<Instant>,
    /// When a pod of a controller, by its uid, may be evicted again.
    owners: HashMap<Box<str>, Instant>,
}

impl Turns {
    /// Turns with at least this time between two.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next_at: None, owners: HashMap::new() }
    }

    /// The pod that is to be evicted now, and its controller; it has taken its turn then, whatever comes of it.
    pub(super) fn take<'a>(
        &mut self,
        failing: impl IntoIterator<Item = &'a FailingPod>,
        now: Instant,
    ) -> Option<(&'a FailingPod, &'a Owner)> {
        if self.next_at.is_some_and(|next| now < next) {
            return None;
        }
        self.owners.retain(|_, until| now < *until);
        let next = failing.into_iter().filter(|pod| may_have_a_turn(pod)).find_map(|pod| {
            let owner = pod.owner.as_ref()?;
            (!self.owners.contains_key(&owner.uid)).then_some((pod, owner))
        });
        if let Some((_, owner)) = next {
            self.next_at = Some(now + self.interval);
            self.owners.insert(owner.uid.clone(), now + PER_OWNER);
        }
        next
    }

    /// The eviction of the pod that had its turn did not take place.
    pub(super) fn give_back(&mut self, owner: &Owner, now: Instant) {
        self.owners.insert(owner.uid.clone(), now + AFTER_REFUSAL);
    }
}

/// Whether evicting a pod would mend anything: it is replaced, and what replaces it does not wait for the same Secret.
pub(super) fn may_have_a_turn(pod: &FailingPod) -> bool {
    pod.owner.is_some() && pod.lacking.are_there
}
