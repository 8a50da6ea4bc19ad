//! What watch events make of the index.

mod answers;
mod credentials;
mod sources;

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
use crate::model::credential::Credential;
use crate::model::source::tests::source_secret;

fn credential(name: &str, source: &str) -> RegistryCredential {
    serde_json::from_value(json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}")},
        "spec": {"secretRef": {"namespace": "sources", "name": source}, "namespaces": ["*"]},
    }))
    .unwrap()
}

fn metadata(name: &str, uid: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some("sources".into()),
        name: Some(name.into()),
        uid: Some(uid.into()),
        ..ObjectMeta::default()
    }
}

/// The copy of a credential of [`credential`] at a place.
fn key(place: &ObjectKey, name: &str) -> CopyKey {
    CopyKey { place: place.clone(), credential_uid: format!("uid-of-{name}").into() }
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
fn a_copy_that_has_gone_is_no_rival_any_more() {
    let (index, place, copy) = index_with_copy();
    let mut other = credential("other", "named");
    other.spec.copy_name = Some("regcred-ghcr".into());
    index.apply_credential(&other).unwrap();
    index.set_back(&key(&place, "other"), Obstacle::Rival("ghcr".into()), Instant::now());
    index.delete_copy(&copy.metadata);
    assert!(index.snapshot().setback(&key(&place, "other"), Instant::now()).is_none());
}
