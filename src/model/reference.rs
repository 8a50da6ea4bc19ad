//! What it is that an object points to a Secret with.

use super::ObjectKey;

/// One place in an object that names a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The Secret.
    pub secret: ObjectKey,
    /// The place, as people write it: `spec.resources[0]`.
    pub path: String,
}
