//! What the answer to a call of ours counts beside what the watches have shown meanwhile.

use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;

use super::super::*;
use super::{ended, index_with_copy};
use crate::model::copy::copy_of;
use crate::model::source::tests::source_secret;

#[test]
fn what_the_watch_has_shown_since_a_call_began_counts_more_than_its_answer() {
    let (index, place, mut copy) = index_with_copy();
    let at = |copy: &mut Secret, version: &str| copy.metadata.resource_version = Some(version.into());
    let before = index.copies_seen_to();
    at(&mut copy, "12");
    index.copies_seen(&copy.metadata);
    index.delete_copy(&copy.metadata);
    at(&mut copy, "11");
    index.learn_copy(&copy, before);
    assert!(index.snapshot().copies.is_empty(), "the answer to a write is older than its deletion");
    at(&mut copy, "13");
    index.learn_copy(&copy, before);
    assert!(index.snapshot().copies.contains_key(&place));
}

#[test]
fn a_copy_that_was_dropped_with_a_former_namespace_is_learned_again() {
    let (index, place, mut copy) = index_with_copy();
    copy.metadata.resource_version = Some("13".into());
    index.copies_seen(&copy.metadata);
    index.apply_copy(&copy);
    index.delete_namespace(&ended("14"));
    assert!(index.snapshot().copies.is_empty());
    let before = index.copies_seen_to();
    index.learn_copy(&copy, before);
    assert!(index.snapshot().copies.contains_key(&place));
}

#[rstest]
#[case::of_its_own_namespace("team-a", false)]
#[case::of_another_namespace("team-b", true)]
fn where_each_namespace_has_its_watch_only_that_of_the_copy_counts_more_than_an_answer(
    #[case] shown: &str,
    #[case] is_learned: bool,
) {
    let scope = Scope::of(&["sources".into(), "team-a".into(), "team-b".into()]);
    let index = Index::new("regcred-system").with_scope(scope);
    index.apply_credential(&super::credential("ghcr", "named")).unwrap();
    let credential = index.snapshot().credentials["ghcr"].clone();
    let copy_in = |namespace: &str, version: &str| {
        let mut copy = copy_of(&source_secret("{}"), &credential, &credential.copy_in(namespace));
        copy.metadata.resource_version = Some(version.into());
        copy
    };
    for namespace in ["team-a", "team-b"] {
        index.copies_seen(&copy_in(namespace, "100").metadata);
    }
    let before = index.copies_seen_to();
    index.copies_seen(&copy_in(shown, "102").metadata);
    index.learn_copy(&copy_in("team-a", "101"), before);
    assert_eq!(index.snapshot().copies.contains_key(&credential.copy_in("team-a")), is_learned);
}
