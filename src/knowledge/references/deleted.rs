//! Which objects have been deleted lately: a write that was to create one of them is through, though nothing of it is left.

use std::sync::Arc;

/// How many are remembered. One that is forgotten costs a wait for the time after which no write comes any more; each takes some 150
/// bytes. A garden in which a thousand Shoots go at once has room four times over.
const REMEMBERED: usize = 4096;

/// The uids of those that a watch has shown being deleted, the latest. No uid is given twice, so however late the watch is, what it has shown stays true.
#[derive(Debug, Clone, Default)]
pub(super) struct Deleted {
    uids: imbl::HashSet<Arc<str>>,
    in_order: imbl::Vector<Arc<str>>,
}

impl Deleted {
    /// An object of this uid has been deleted.
    pub(super) fn add(&mut self, uid: &str) {
        let uid = Arc::<str>::from(uid);
        if self.uids.insert(Arc::clone(&uid)).is_some() {
            return;
        }
        self.in_order.push_back(uid);
        if self.in_order.len() > REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.uids.remove(&oldest);
        }
    }

    /// Whether the object of this uid is known to have been deleted.
    pub(super) fn has(&self, uid: &str) -> bool {
        self.uids.contains(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_each_once() {
        let mut deleted = Deleted::default();
        for number in (0..=REMEMBERED).chain([REMEMBERED]) {
            deleted.add(&number.to_string());
        }
        assert!(!deleted.has("0"));
        assert!((1..=REMEMBERED).all(|number| deleted.has(&number.to_string())));
        assert_eq!(deleted.in_order.len(), REMEMBERED);
    }
}
