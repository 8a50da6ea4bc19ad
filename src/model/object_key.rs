//! Namespace and name.

use std::fmt;
use std::sync::Arc;

use super::dns_name;

/// An object of a namespaced kind, known by context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of an object.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Whether the API server lets an object be called so. Where people have written a key it may be anything.
    pub fn is_possible(&self) -> bool {
        dns_name::is_label(&self.namespace) && dns_name::is_subdomain(&self.name)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
