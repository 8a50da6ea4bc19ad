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

    /// Whether there can be such an object. What somebody has written for a name may be anything, and must then not become part of
    /// an address at the API server.
    pub fn can_exist(&self) -> bool {
        dns_name::is_label(&self.namespace) && dns_name::is_subdomain(&self.name)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("garden-dev", "docker-creds.v1", true)]
    #[case("garden-dev", "", false)]
    #[case("", "docker-creds", false)]
    #[case("garden-dev", "../../garden/secrets/docker-creds", false)]
    #[case("garden-dev/secrets", "docker-creds", false)]
    #[case("garden-dev", "docker-creds?dryRun=All", false)]
    fn what_no_object_can_be_called_is_known(
        #[case] namespace: &str,
        #[case] name: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(ObjectKey::new(namespace, name).can_exist(), expected);
    }
}
