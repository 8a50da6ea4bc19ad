//! What watch events make of the index.

use k8s_openapi::ByteString;
use rstest::rstest;
use serde_json::{Value, json};

use std::collections::HashSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;

use super::setbacks::MANY_SETBACKS;
use super::*;
use crate::api::RegistryCredential;
use crate::model::copy::copy_of;
use crate::model::copy::{CopyKey, Obstacle, Wanted};
use crate::model::credential::{Credential, CredentialError};
use crate::model::source::tests::source_secret;

fn credential(name: &str, source: &str) -> RegistryCredential {
    serde_json::from_value(json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}")},
        "spec": {"secretRef": {"namespace": "sources", "name": source}, "namespaces": ["*"]},
    }))
    .unwrap()
}

fn secret(name: &str, uid: &str, secret_type: &str) -> Secret {
    let key = if secret_type.ends_with("json") { ".dockerconfigjson" } else { ".dockercfg" };
    Secret {
        metadata: metadata(name, uid),
        type_: Some(secret_type.into()),
        data: Some([(key.to_owned(), ByteString(b"{}".to_vec()))].into()),
        ..Secret::default()
    }
}

fn metadata(name: &str, uid: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some("sources".into()),
        name: Some(name.into()),
        uid: Some(uid.into()),
        ..ObjectMeta::default()
    }
}

fn source_uid(index: &Index, name: &str) -> Option<String> {
    let snapshot = index.snapshot();
    snapshot.sources.get(&ObjectKey::new("sources", name))?.uid().map(str::to_owned)
}

/// The copy of a credential of [`credential`] at a place.
fn key(place: &ObjectKey, name: &str) -> CopyKey {
    CopyKey { place: place.clone(), credential_uid: format!("uid-of-{name}").into() }
}

const JSON: &str = "kubernetes.io/dockerconfigjson";
const CFG: &str = "kubernetes.io/dockercfg";

#[test]
fn a_secret_that_no_credential_names_is_not_kept() {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_source(&secret("named", "1", JSON));
    index.apply_source(&secret("other", "2", JSON));
    assert_eq!((source_uid(&index, "named"), source_uid(&index, "other")), (Some("1".into()), None));
}

#[test]
fn a_source_is_forgotten_with_the_last_credential_that_names_it() {
    let index = Index::new("regcred-system");
    for name in ["one", "two"] {
        index.apply_credential(&credential(name, "named")).unwrap();
    }
    index.apply_source(&secret("named", "1", JSON));
    index.delete_credential("one");
    assert!(source_uid(&index, "named").is_some());
    index.apply_credential(&credential("two", "another")).unwrap();
    assert!(index.snapshot().sources.is_empty());
}

#[rstest]
#[case::of_the_same(&["1"], None)]
#[case::of_a_former_one(&["0"], Some("1"))]
fn a_late_deletion_leaves_a_re_created_source(#[case] deleted: &[&str], #[case] left: Option<&str>) {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_source(&secret("named", "1", JSON));
    for uid in deleted {
        index.delete_source(&metadata("named", uid));
    }
    assert_eq!(source_uid(&index, "named").as_deref(), left);
}

#[test]
fn a_complete_list_of_one_type_says_nothing_about_the_other() {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_source(&secret("named", "1", CFG));
    index.retain_sources("sources", JSON, &HashSet::new());
    assert!(source_uid(&index, "named").is_some());
    index.retain_sources("sources", CFG, &HashSet::new());
    assert!(source_uid(&index, "named").is_none());
}

#[test]
fn the_list_of_a_watch_on_one_source_says_nothing_about_others_nor_about_another_type() {
    let index = Index::new("regcred-system");
    let named = ObjectKey::new("sources", "named");
    for name in ["named", "other"] {
        index.apply_credential(&credential(name, name)).unwrap();
        index.apply_source(&secret(name, "1", JSON));
    }
    index.source_listed(&named, JSON, true);
    index.source_listed(&named, CFG, false);
    assert!(source_uid(&index, "named").is_some());
    index.source_listed(&named, JSON, false);
    assert!(source_uid(&index, "named").is_none());
    assert!(source_uid(&index, "other").is_some());
}

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

#[test]
fn a_snapshot_does_not_change_under_its_reader() {
    let index = Index::new("regcred-system");
    let before = index.snapshot();
    index.apply_namespace(&metadata("team-a", "1"));
    assert!(before.namespaces.is_empty() && index.snapshot().namespaces.len() == 1);
}

fn copy_with(change: impl FnOnce(&mut Value)) -> Secret {
    let credential = Credential::parse(&credential("ghcr", "named")).unwrap();
    let copy = copy_of(&source_secret("{}"), &credential, &credential.copy_in("team-a"));
    let mut copy = serde_json::to_value(copy).unwrap();
    copy["metadata"]["uid"] = json!("1");
    change(&mut copy);
    serde_json::from_value(copy).unwrap()
}

#[test]
fn only_what_bears_all_marks_counts_as_a_copy_and_ends_the_setback() {
    let (index, place) = (Index::new("regcred-system"), ObjectKey::new("team-a", "regcred-ghcr"));
    index.set_back(&key(&place, "ghcr"), Obstacle::Foreign, Instant::now());
    index.apply_copy(&copy_with(|copy| copy["metadata"]["annotations"] = json!({})));
    assert!(index.snapshot().copies.is_empty() && index.snapshot().setbacks.len() == 1);
    index.apply_copy(&copy_with(|_| {}));
    assert!(index.snapshot().copies.contains_key(&place) && index.snapshot().setbacks.is_empty());
    index.apply_copy(&copy_with(|copy| copy["metadata"]["labels"] = json!({})));
    assert!(index.snapshot().copies.is_empty(), "a copy that has lost a mark is ours no more");
}

#[test]
fn the_digest_of_a_copy_follows_its_content() {
    let index = Index::new("regcred-system");
    let digest = |copy: &Secret| {
        index.apply_copy(copy);
        index.snapshot().copies[&ObjectKey::new("team-a", "regcred-ghcr")].digest
    };
    let (first, again) =
        (digest(&copy_with(|_| {})), digest(&copy_with(|copy| copy["metadata"]["uid"] = json!("2"))));
    assert_eq!(first, again);
    assert_ne!(first, digest(&copy_with(|copy| copy["data"] = json!({".dockerconfigjson": "e30g"}))));
}

#[test]
fn many_old_setbacks_are_forgotten() {
    let (index, now) = (Index::new("regcred-system"), Instant::now());
    let long_ago = now.checked_sub(Duration::from_mins(20)).unwrap();
    for number in 0..MANY_SETBACKS {
        index.set_back(
            &key(&ObjectKey::new("team-a", &number.to_string()), "ghcr"),
            Obstacle::Foreign,
            long_ago,
        );
    }
    index.set_back(&key(&ObjectKey::new("team-a", "now"), "ghcr"), Obstacle::Foreign, now);
    assert_eq!(index.snapshot().setbacks.len(), 1);
}

/// A credential, its copy in a namespace, and an obstacle to another one's there.
fn index_with_copy() -> (Index, ObjectKey, Secret) {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_credential(&credential("quay", "named")).unwrap();
    index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
    let place = ObjectKey::new("team-a", "regcred-ghcr");
    let mut copy = copy_of(&source_secret("{}"), &index.snapshot().credentials["ghcr"], &place);
    copy.metadata.uid = Some("1".into());
    index.apply_copy(&copy);
    index.set_back(
        &key(&ObjectKey::new("team-a", "regcred-quay"), "quay"),
        Obstacle::Foreign,
        Instant::now(),
    );
    (index, place, copy)
}

fn rely_on(index: &Index, place: &ObjectKey) {
    index.snapshot().copies[place].reliance.note(Instant::now());
}

fn places(missed: impl IntoIterator<Item = Wanted>) -> Vec<String> {
    missed.into_iter().map(|wanted| format!("{} for {}", wanted.place, wanted.credential.name)).collect()
}

/// What the watch tells of a namespace that went at a version.
fn ended(version: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some("team-a".into()),
        resource_version: Some(version.into()),
        ..ObjectMeta::default()
    }
}

#[test]
fn a_namespace_that_is_gone_takes_its_copies_and_obstacles_along() {
    let (index, place, mut copy) = index_with_copy();
    copy.metadata.resource_version = Some("7".into());
    index.apply_copy(&copy);
    rely_on(&index, &place);
    assert_eq!(places(index.delete_namespace(&ended("8"))), ["team-a/regcred-ghcr for ghcr"]);
    let known = index.snapshot();
    assert!(known.namespaces.is_empty() && known.copies.is_empty() && known.setbacks.is_empty());
}

#[test]
fn a_copy_in_a_namespace_that_has_come_back_is_not_forgotten_when_the_end_of_the_former_is_told_late() {
    let (index, place, mut copy) = index_with_copy();
    copy.metadata.resource_version = Some("9".into());
    index.apply_copy(&copy);
    rely_on(&index, &place);
    assert!(index.delete_namespace(&ended("8")).is_empty());
    assert!(index.snapshot().copies.contains_key(&place));
}

#[test]
fn a_namespace_that_is_not_listed_is_gone_and_of_its_copies_their_own_watch_tells() {
    let (index, place, _) = index_with_copy();
    index.retain_namespaces(&HashSet::new());
    let known = index.snapshot();
    assert!(known.namespaces.is_empty() && known.setbacks.is_empty());
    assert!(known.copies.contains_key(&place));
}

#[rstest]
#[case::deleted(|index: &Index, copy: &Secret| places(index.delete_copy(&copy.metadata)))]
#[case::not_listed(|index: &Index, _: &Secret| places(index.retain_copies(&HashSet::new())))]
fn a_copy_that_is_gone_is_missed_only_if_pods_rely_on_it(#[case] end: fn(&Index, &Secret) -> Vec<String>) {
    let (index, place, copy) = index_with_copy();
    assert!(end(&index, &copy).is_empty(), "nobody was told of it");
    index.apply_copy(&copy);
    rely_on(&index, &place);
    index.apply_copy(&copy);
    assert_eq!(end(&index, &copy), ["team-a/regcred-ghcr for ghcr"], "an event in between changes nothing");
    assert!(index.snapshot().copies.is_empty());
}

#[test]
fn a_list_of_one_namespace_says_nothing_about_the_copies_of_others() {
    let (index, place, _) = index_with_copy();
    rely_on(&index, &place);
    assert!(index.retain_copies_in("elsewhere", &HashSet::new()).is_empty());
    assert!(index.snapshot().copies.contains_key(&place));
    assert_eq!(
        places(index.retain_copies_in(&place.namespace, &HashSet::new())),
        ["team-a/regcred-ghcr for ghcr"]
    );
    assert!(index.snapshot().copies.is_empty());
}

#[test]
fn a_copy_of_a_former_credential_that_has_gone_is_no_obstacle_any_more() {
    let (index, place) = (Index::new("regcred-system"), ObjectKey::new("sources", "regcred-ghcr"));
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.set_back(
        &key(&place, "ghcr"),
        Obstacle::Passing("the former one is still there".into()),
        Instant::now(),
    );
    assert!(index.delete_copy(&metadata("regcred-ghcr", "of-the-former")).is_empty());
    assert!(index.snapshot().setbacks.is_empty());
}

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

#[test]
fn a_copy_that_has_gone_is_no_rival_any_more() {
    let (index, place, copy) = index_with_copy();
    let mut other = credential("other", "named");
    other.spec.copy_name = Some("regcred-ghcr".into());
    index.apply_credential(&other).unwrap();
    index.set_back(&key(&place, "other"), Obstacle::Rival("ghcr".into()), Instant::now());
    index.delete_copy(&copy.metadata);
    assert!(index.snapshot().setback(&key(&place, "other"), Instant::now()).is_none());
}
