//! When a credential counts as usable.

use super::super::*;
use super::credential;
use crate::model::credential::CredentialError;

#[test]
fn a_credential_whose_source_is_not_looked_at_is_unusable_and_says_why() {
    let index = Index::new("regcred-system").with_scope(Scope::of(&["team-a".into()]));
    let error = index.apply_credential(&credential("ghcr", "named")).unwrap_err();
    assert_eq!(error, CredentialError::OutOfScope("sources".to_owned()));
    // So its copies stay as they are.
    assert!(index.snapshot().is_unusable("uid-of-ghcr"));
    assert!(index.snapshot().credentials.is_empty());
}

#[test]
fn a_credential_that_cannot_be_compiled_counts_as_absent() {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    let mut broken = credential("ghcr", "named");
    broken.spec.namespaces.clear();
    assert_eq!(index.apply_credential(&broken), Err(CredentialError::NoNamespaces));
    assert!(index.snapshot().credentials.is_empty());
}
