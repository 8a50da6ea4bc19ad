//! What is told of a credential: its status, its Events, and how its copies stand. Pure: what is known and the time are
//! arguments.
//!
//! A [`Ledger`] follows the copies of one credential, a namespace at a time, so that a change of one namespace costs the
//! same however many there are. From it and the snapshot, [`of`] makes the status.

mod conditions;
mod ledger;
mod occurrences;
mod registries;
mod report;
mod rotation;
mod tally;

#[cfg(test)]
mod tests;

pub use conditions::{CONFLICT, READY, SOURCE_VALID, SYNCED};
pub use ledger::{Ledger, Seen};
pub use occurrences::occurrences;
pub use report::{Subject, of};
pub use tally::{CopyState, Counts};

use crate::knowledge::Snapshot;
use crate::model::credential::Credential;

/// Whether a pod of a namespace needs a credential; `None` where pods are not known.
pub type Needs<'a> = &'a dyn Fn(&Snapshot, &str, &Credential) -> Option<bool>;
