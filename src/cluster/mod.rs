//! What regcred knows of the cluster, and the writes that an admission call may cause.
//!
//! Watches feed the [`Index`], which publishes a [`Snapshot`] after every change; decisions read the snapshot
//! without a lock.

pub mod index;
pub mod snapshot;

pub use index::Index;
pub use snapshot::Snapshot;
