//! The right to let a Secret go although it is in use.

use std::sync::Arc;

/// The API group of [`BYPASS_RESOURCE`].
pub const BYPASS_GROUP: &str = "regcred.dev";
/// The resource that the right is about. There are no such objects: it is a right alone.
pub const BYPASS_RESOURCE: &str = "secretprotections";
/// The verb of the right.
pub const BYPASS_VERB: &str = "bypass";

/// Whether somebody has the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bypass {
    /// They have it.
    Allowed,
    /// They do not.
    Denied,
    /// The API server could not be asked, or not in time.
    Unknown(Arc<str>),
}
