//! What is known of sources, each of which two watches may show.

use std::collections::HashSet;
use std::time::Instant;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;

use super::super::*;
use super::{credential, metadata};
use crate::model::copy::{Obstacle, Wanted};

const JSON: &str = "kubernetes.io/dockerconfigjson";
const CFG: &str = "kubernetes.io/dockercfg";

fn secret(name: &str, uid: &str, secret_type: &str) -> Secret {
    let key = if secret_type.ends_with("json") { ".dockerconfigjson" } else { ".dockercfg" };
    Secret {
        metadata: metadata(name, uid),
        type_: Some(secret_type.into()),
        data: Some([(key.to_owned(), ByteString(b"{}".to_vec()))].into()),
        ..Secret::default()
    }
}

fn source_uid(index: &Index, name: &str) -> Option<String> {
    let snapshot = index.snapshot();
    snapshot.sources.get(&ObjectKey::new("sources", name))?.uid().map(str::to_owned)
}

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

/// What a watch tells of the Secret `named`.
enum Told {
    /// It is there, with this uid in this version.
    Shown(&'static str, &'static str, &'static str),
    /// The one with this uid has been deleted.
    Deleted(&'static str),
    /// It is not in a list of this type.
    NotListed(&'static str),
}

use Told::{Deleted, NotListed, Shown};

#[rstest]
#[case::in_order(&[Shown(CFG, "1", "10"), Deleted("1"), Shown(JSON, "2", "20")], Some("2"))]
#[case::its_deletion_late(&[Shown(CFG, "1", "10"), Shown(JSON, "2", "20"), Deleted("1")], Some("2"))]
#[case::all_of_it_late(&[Shown(JSON, "2", "20"), Shown(CFG, "1", "9"), Shown(CFG, "1", "10")], Some("2"))]
#[case::all_of_it_late_to_its_end(&[Shown(JSON, "2", "20"), Shown(CFG, "1", "10"), Deleted("1")], Some("2"))]
#[case::not_listed_late(&[Shown(JSON, "2", "20"), Shown(CFG, "1", "10"), NotListed(CFG)], Some("2"))]
#[case::by_number(&[Shown(JSON, "2", "100"), Shown(CFG, "1", "99")], Some("2"))]
#[case::both_deleted_the_newer_first(
    &[Shown(CFG, "1", "10"), Shown(JSON, "2", "20"), Deleted("2"), Deleted("1")],
    None
)]
#[case::what_was_older_than_the_deleted_has_gone(
    &[Shown(CFG, "1", "10"), Shown(JSON, "2", "20"), Deleted("2")],
    None
)]
#[case::restored_from_a_backup(&[Shown(JSON, "2", "20"), Shown(CFG, "1", "10"), NotListed(JSON)], Some("1"))]
#[case::restored_with_its_type(&[Shown(JSON, "2", "20"), Shown(JSON, "1", "10")], Some("1"))]
#[case::versions_that_are_no_numbers(&[Shown(JSON, "2", "b"), Shown(CFG, "1", "a")], Some("1"))]
fn of_two_secrets_of_one_name_and_different_types_the_newer_counts(
    #[case] events: &[Told],
    #[case] expected: Option<&str>,
) {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    for event in events {
        match event {
            Shown(secret_type, uid, version) => {
                let mut shown = secret("named", uid, secret_type);
                shown.metadata.resource_version = Some((*version).into());
                index.apply_source(&shown);
            }
            Deleted(uid) => index.delete_source(&metadata("named", uid)),
            NotListed(secret_type) => index.retain_sources("sources", secret_type, &HashSet::new()),
        }
    }
    assert_eq!(source_uid(&index, "named").as_deref(), expected);
}

#[rstest]
#[case::other_content(br#"{"auths":{}}"#, false)]
#[case::the_same_content(b"{}", true)]
fn what_the_api_server_would_not_take_is_forgotten_with_the_content_that_it_refused(
    #[case] content: &[u8],
    #[case] stays: bool,
) {
    let index = Index::new("regcred-system");
    index.apply_credential(&credential("ghcr", "named")).unwrap();
    index.apply_source(&secret("named", "1", JSON));
    let known = index.snapshot();
    let in_namespace = |namespace| Wanted::new(&known.credentials["ghcr"], namespace).key();
    let (refused, passing) = (in_namespace("team-a"), in_namespace("team-b"));
    index.set_back(&refused, Obstacle::Lasting("too large".into()), Instant::now());
    index.set_back(&passing, Obstacle::Passing("exceeded quota".into()), Instant::now());
    let mut changed = secret("named", "1", JSON);
    changed.data.as_mut().unwrap().insert(".dockerconfigjson".into(), ByteString(content.to_vec()));
    index.apply_source(&changed);
    let known = index.snapshot();
    assert_eq!((known.setbacks.contains_key(&refused), known.setbacks.contains_key(&passing)), (stays, true));
}
