//! Places for connections: so many in all, and no source may have more than its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The places of one listener.
#[derive(Debug, Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// One place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    source: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// So many places, of which one source may have so many.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { taken: Arc::default(), most, most_of_one }
    }

    /// A place, if there is one for this source. Never waits.
    pub(super) fn take(&self, source: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return None;
        }
        let of_source = taken.by_source.entry(source).or_default();
        if *of_source >= self.most_of_one {
            return None;
        }
        *of_source += 1;
        taken.all += 1;
        Some(Place { source, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_source) = taken.by_source.get_mut(&self.source) {
            *of_source = of_source.saturating_sub(1);
            // Sources come and go; only those with connections are remembered.
            if *of_source == 0 {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_the_places_of_all() {
        let places = Places::new(3, 2);
        let (greedy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let held: Vec<_> = (0..2).map(|_| places.take(greedy).unwrap()).collect();
        assert!(places.take(greedy).is_none());
        let last = places.take(other).unwrap();
        assert!(places.take(other).is_none(), "all are taken");
        drop(held);
        assert!(places.take(greedy).is_some());
        drop(last);
        assert!(places.taken.lock().unwrap().by_source.is_empty());
        assert_eq!(places.taken.lock().unwrap().all, 0);
    }
}
