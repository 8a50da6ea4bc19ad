//! Which namespaces regcred looks at: all, or those that its account has rights in.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dns_name;

/// The namespaces whose sources, copies and pods are looked at. Namespaces themselves and `RegistryCredentials` are seen in
/// any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace.
    #[default]
    All,
    /// These alone.
    Listed(Arc<BTreeSet<Arc<str>>>),
}

impl Scope {
    /// No name at all means every namespace.
    pub fn of(names: &[Arc<str>]) -> Self {
        if names.is_empty() { Self::All } else { Self::Listed(Arc::new(names.iter().cloned().collect())) }
    }

    /// Whether a namespace is looked at.
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(names) => names.contains(namespace),
        }
    }
}

/// The name of a namespace, as an argument.
///
/// # Errors
/// When no namespace can be called so. So an empty list is refused as well: it is a mistake, and would mean all.
pub fn parse_name(text: &str) -> Result<Arc<str>, String> {
    if dns_name::is_label(text) {
        Ok(text.into())
    } else {
        Err(format!(
            "no namespace can be called {text:?}; list names, not globs, separated by commas, as in team-a,team-b"
        ))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_scope_covers_what_is_listed_and_without_a_list_everything() {
        assert!(Scope::of(&[]).covers("any"));
        let listed = Scope::of(&["team-a".into(), "team-b".into(), "team-a".into()]);
        assert!(listed.covers("team-a") && listed.covers("team-b"));
        assert!(!listed.covers("team") && !listed.covers("team-ab"));
    }

    #[rstest]
    #[case("")]
    #[case("team-*")]
    #[case("Team")]
    #[case("a b")]
    #[case("a.b")]
    fn what_no_namespace_can_be_called_is_refused(#[case] text: &str) {
        assert!(parse_name(text).unwrap_err().contains("not globs"));
    }
}
