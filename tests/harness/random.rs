//! Randomness for delays.

use std::hash::{BuildHasher, RandomState};

/// A number from 0 to 1. Each `RandomState` hashes in its own way, which is random enough here.
pub fn share() -> f64 {
    let random = u16::try_from(RandomState::new().hash_one(()) % (1 << 16)).unwrap_or_default();
    f64::from(random) / f64::from(u16::MAX)
}
