//! How long new content takes to reach the copies.

use std::time::Duration;

use rstest::rstest;

use super::*;

fn rotation(cluster: &Cluster) -> Option<(String, f64, i64)> {
    cluster.ledger.last_rotation().map(|last| (last.time.clone(), last.seconds, last.copies))
}

fn copied(namespaces: &[&str]) -> Cluster {
    let mut cluster = Cluster::eager(namespaces);
    for namespace in namespaces {
        cluster.copy(namespace);
    }
    cluster.look(0);
    cluster
}

#[test]
fn each_copy_takes_as_long_as_from_the_new_content_to_when_it_is_seen_current() {
    let mut cluster = copied(&["team-a", "team-b"]);
    cluster.source(NEWER);
    assert!(cluster.look(10).is_empty());
    cluster.copy("team-a");
    assert_eq!(cluster.look(12), [Duration::from_secs(2)]);
    assert_eq!(rotation(&cluster), None);
    cluster.copy("team-b");
    assert_eq!(cluster.look(15), [Duration::from_secs(5)]);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:10Z".into(), 5.0, 2)));
}

#[test]
fn a_copy_that_was_written_before_we_came_to_look_took_no_time() {
    let mut cluster = copied(&["team-a"]);
    cluster.source(NEWER);
    cluster.copy("team-a");
    assert_eq!(cluster.look(3), [Duration::ZERO]);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:03Z".into(), 0.0, 1)));
}

#[test]
fn first_copies_and_healed_ones_are_no_rotation() {
    let mut cluster = Cluster::eager(&["team-a"]);
    cluster.look(0);
    cluster.copy("team-a");
    assert!(cluster.look(1).is_empty());
    cluster.index.retain_copies(&std::collections::HashSet::new());
    cluster.look(2);
    cluster.copy("team-a");
    assert!(cluster.look(3).is_empty());
    assert_eq!(rotation(&cluster), None);
}

#[test]
fn copies_that_are_stale_at_the_start_count_from_then() {
    let mut cluster = Cluster::eager(&["team-a", "team-b"]);
    cluster.copy("team-a");
    cluster.source(NEWER);
    cluster.copy("team-b");
    assert!(cluster.look(4).is_empty());
    cluster.copy("team-a");
    assert_eq!(cluster.look(6), [Duration::from_secs(2)]);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:04Z".into(), 2.0, 1)));
}

#[test]
fn a_copy_that_missed_the_change_before_lags_since_then() {
    let mut cluster = copied(&["team-a", "team-b"]);
    cluster.source(NEWER);
    cluster.look(10);
    cluster.copy("team-a");
    cluster.look(11);
    cluster.source(DOCUMENT);
    // The other one holds by chance what the source holds again.
    assert_eq!(cluster.look(20), [Duration::from_secs(10)]);
    cluster.copy("team-a");
    assert_eq!(cluster.look(21), [Duration::from_secs(1)]);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:10Z".into(), 10.0, 3)));
}

#[test]
fn a_rotation_waits_for_no_copy_that_nobody_wants_any_more() {
    let mut cluster = copied(&["team-a", "team-b"]);
    cluster.source(NEWER);
    cluster.look(10);
    cluster.copy("team-a");
    cluster.look(11);
    cluster.index.delete_namespace(&ObjectMeta { name: Some("team-b".into()), ..ObjectMeta::default() });
    cluster.look(12);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:10Z".into(), 1.0, 1)));
}

#[test]
fn a_broken_source_is_no_new_content() {
    let mut cluster = copied(&["team-a"]);
    cluster.source(BROKEN);
    cluster.look(1);
    cluster.source(DOCUMENT);
    assert!(cluster.look(2).is_empty());
    assert_eq!(rotation(&cluster), None);
}

#[test]
fn new_content_without_copies_is_a_rotation_that_is_over() {
    let mut cluster = Cluster::new(&json!({}), &["team-a"]);
    cluster.look(0);
    cluster.source(NEWER);
    cluster.look(9);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:09Z".into(), 0.0, 0)));
}

#[test]
fn a_copy_lags_since_the_first_change_that_it_has_not_followed() {
    let mut cluster = copied(&["team-a"]);
    cluster.source(NEWER);
    cluster.look(10);
    cluster.source(r#"{"auths":{"ghcr.io":{"username":"newest"}}}"#);
    assert!(cluster.look(20).is_empty());
    cluster.copy("team-a");
    assert_eq!(cluster.look(21), [Duration::from_secs(11)]);
    assert_eq!(rotation(&cluster), Some(("2026-01-01T00:00:10Z".into(), 11.0, 1)));
}

/// The version of the source that every copy holds, after a look.
fn everywhere(cluster: &mut Cluster, seconds: u64) -> Option<String> {
    cluster.status(seconds).source.map(|source| source.resource_version)
}

#[test]
fn a_version_of_the_source_is_told_when_every_copy_holds_it() {
    let mut cluster = copied(&["team-a", "team-b"]);
    assert_eq!(everywhere(&mut cluster, 0).as_deref(), Some("7"));
    cluster.source_in_version(NEWER, "8");
    assert_eq!(everywhere(&mut cluster, 1), None);
    cluster.copy("team-a");
    assert_eq!(everywhere(&mut cluster, 2), None);
    cluster.copy("team-b");
    assert_eq!(everywhere(&mut cluster, 3).as_deref(), Some("8"));
    // Labels of the source, say: its content is in every copy already.
    cluster.source_in_version(NEWER, "9");
    assert_eq!(everywhere(&mut cluster, 4).as_deref(), Some("9"));
    cluster.source_in_version(BROKEN, "10");
    assert_eq!(everywhere(&mut cluster, 5), None);
}

#[test]
fn a_version_is_not_told_while_something_stands_in_the_way_of_a_copy() {
    let mut cluster = copied(&["team-a"]);
    cluster.namespace("team-b");
    cluster.obstacle("team-b", &Obstacle::Foreign, 1);
    assert_eq!(everywhere(&mut cluster, 1), None);
}

#[rstest]
#[case::nobody_needs_it(json!({}))]
#[case::audited(json!({"distribution": "Eager", "mode": "Audit"}))]
fn a_copy_that_nobody_wants_any_more_holds_the_version_up_as_well(#[case] spec: Value) {
    let mut cluster = copied(&["team-a"]);
    cluster.credential(&spec, 2);
    assert_eq!(everywhere(&mut cluster, 1).as_deref(), Some("7"));
    cluster.source_in_version(NEWER, "8");
    assert_eq!(everywhere(&mut cluster, 2), None);
    cluster.copy("team-a");
    assert_eq!(everywhere(&mut cluster, 3).as_deref(), Some("8"));
    // One that goes with its namespace does not follow, and is waited for by nobody.
    cluster.source_in_version(DOCUMENT, "9");
    cluster.index.apply_namespace(&ObjectMeta {
        name: Some("team-a".into()),
        deletion_timestamp: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(moment(3))),
        ..ObjectMeta::default()
    });
    assert_eq!(everywhere(&mut cluster, 4).as_deref(), Some("9"));
}

#[test]
fn a_version_that_the_copies_were_not_compared_with_is_not_told() {
    let cluster = copied(&["team-a"]);
    cluster.source_in_version(NEWER, "8");
    let (_, status) = of(&cluster.index.snapshot(), "ghcr", &cluster.ledger, moment(1)).unwrap();
    assert_eq!(status.source.unwrap().resource_version, "7");
}
