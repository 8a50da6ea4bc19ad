//! What regcred knows of the cluster. No I/O: watches put in what they see, decisions read it.
//!
//! The [`Index`] publishes a [`Snapshot`] after every change, which its readers take without a lock.

pub mod copy;
mod credentials;
pub mod index;
mod matching;
pub mod pods;
pub mod references;
pub mod reliance;
pub mod snapshot;
mod wants;

pub use index::Index;
pub use matching::{Certainty, Fit};
pub use pods::Pods;
pub use references::References;
pub use snapshot::Snapshot;
pub use wants::Wants;
