//! When a credential counts as usable, as unusable, as gone, and as not known; and that it is found by whatever it is asked for.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use rstest::rstest;

use super::super::*;
use super::credential;
use crate::api::RegistryCredential;
use crate::model::credential::{Credential, CredentialError};

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

/// One whose spec makes no sense.
fn broken(name: &str) -> RegistryCredential {
    let mut broken = credential(name, "named");
    broken.spec.namespaces.clear();
    broken
}

#[test]
fn a_credential_that_makes_no_sense_any_more_has_not_gone_until_it_is_deleted() {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_credential(&broken("ghcr")).unwrap_err();
    let known = index.snapshot();
    assert!(known.is_unusable("uid-of-ghcr") && !known.has_ended("uid-of-ghcr"));
    index.delete_credential("ghcr");
    let known = index.snapshot();
    assert!(!known.is_unusable("uid-of-ghcr") && known.has_ended("uid-of-ghcr"));
}

#[rstest]
#[case::usable(credential("ghcr", "named"))]
#[case::unusable(broken("ghcr"))]
fn a_credential_that_is_not_listed_is_not_known_any_more_but_has_not_been_seen_to_go(
    #[case] object: RegistryCredential,
) {
    let index = Index::new("regcred-system");
    let _ = index.apply_credential(&object);
    index.retain_credentials(&HashSet::from(["ghcr".to_owned()]));
    assert!(index.snapshot().name_of("uid-of-ghcr").is_some());
    index.retain_credentials(&HashSet::new());
    let known = index.snapshot();
    assert!(known.credentials.is_empty() && known.unusable.is_empty());
    assert!(!known.has_ended("uid-of-ghcr"));
}

#[rstest]
#[case::by_a_newer_one("12", true)]
#[case::by_an_older_view("8", false)]
fn a_credential_whose_name_has_another_uid_has_gone_if_that_is_newer(
    #[case] version: &str,
    #[case] expected: bool,
    #[values(false, true)] was_usable: bool,
    #[values(false, true)] is_usable: bool,
) {
    let index = Index::new("regcred-system");
    let object = |is_usable, uid: &str, version: &str| {
        let mut object = if is_usable { credential("ghcr", "named") } else { broken("ghcr") };
        object.metadata.uid = Some(uid.into());
        object.metadata.resource_version = Some(version.into());
        object
    };
    for object in [object(was_usable, "1", "9"), object(is_usable, "2", version)] {
        let _ = index.apply_credential(&object);
        index.apply_status(&object);
    }
    assert_eq!((index.snapshot().has_ended("1"), index.snapshot().has_ended("2")), (expected, false));
}

#[test]
fn a_secret_is_a_source_while_a_credential_refers_to_it_whether_it_can_be_used_or_not() {
    let (index, source) = (Index::new("regcred-system"), ObjectKey::new("sources", "named"));
    index.apply_credential(&credential("one", "named")).unwrap();
    index.apply_credential(&credential("two", "named")).unwrap();
    assert!(index.snapshot().is_a_source(&source));
    index.apply_credential(&broken("one")).unwrap_err();
    index.apply_credential(&credential("two", "another")).unwrap();
    assert!(index.snapshot().is_a_source(&source), "one still refers to it");
    assert_eq!(index.snapshot().credentials_of(&source).count(), 0, "but cannot be used");
    index.delete_credential("one");
    assert!(!index.snapshot().is_a_source(&source));
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What happens to a credential: its name, and its source, its copies' name and a uid of two unless it is deleted; whether
/// it makes sense.
type Step = (usize, Option<(usize, usize, usize, bool)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let present = (0..3_usize, 0..3_usize, 0..2_usize, any::<bool>());
    proptest::collection::vec((0..3_usize, proptest::option::of(present)), 0..12)
}

proptest! {
    #[test]
    fn credentials_are_found_by_uid_by_source_and_by_the_name_of_their_copies(steps in steps()) {
        let index = Index::new("regcred-system");
        for (name, step) in steps {
            let name = NAMES[name];
            let Some((source, copy_name, uid, makes_sense)) = step else {
                index.delete_credential(name);
                continue;
            };
            let mut object = if makes_sense { credential(name, NAMES[source]) } else { broken(name) };
            object.metadata.uid = Some(format!("{name}-{uid}"));
            object.spec.copy_name = Some(NAMES[copy_name].into());
            let _ = index.apply_credential(&object);
        }
        let known = index.snapshot();
        for name in NAMES {
            let source = ObjectKey::new("sources", name);
            let all = || known.credentials.values();
            let names = |found: Vec<&Arc<Credential>>| found.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
            prop_assert_eq!(
                names(known.credentials_of(&source).collect()),
                names(all().filter(|one| one.source == source).collect())
            );
            prop_assert_eq!(
                names(known.credentials_with_copies_called(name).collect()),
                names(all().filter(|one| *one.copy_name == *name).collect())
            );
            for uid in 0..2 {
                let uid = format!("{name}-{uid}");
                let usable = all().find(|one| *one.uid == *uid);
                let unusable: BTreeSet<_> =
                    known.unusable.iter().filter(|(_, one)| *one.uid == *uid).map(|(name, _)| name).collect();
                prop_assert_eq!(known.credential(&uid).map(|one| &one.name), usable.map(|one| &one.name));
                prop_assert_eq!(known.is_unusable(&uid), !unusable.is_empty());
                prop_assert_eq!(known.name_of(&uid), usable.map(|one| &one.name).or(unusable.first().copied()));
            }
        }
    }
}
