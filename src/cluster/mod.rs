//! The cluster, as far as every replica talks to it: the watches that feed the index, the reads and the writes that an
//! admission call may cause.

pub mod carrier;
pub mod changes;
pub mod error;
pub mod kubeconfig;
mod lists;
pub mod marked_secrets;
pub mod own_user;
pub mod pending;
pub mod pods;
pub mod protection;
mod reach;
pub mod reads;
pub mod referrers;
pub mod selected_secrets;
mod sources;
#[cfg(test)]
pub(crate) mod tests;
pub mod watch;

pub use error::brief;

/// The field manager of everything regcred writes.
pub const FIELD_MANAGER: &str = "regcred";
