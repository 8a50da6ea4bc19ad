//! What becomes of a status from one moment to the next.

use super::*;
use crate::events::Kind;

fn since(status: &RegistryCredentialStatus, type_: &str) -> String {
    status.condition(type_).unwrap().last_transition_time.clone()
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let mut cluster = Cluster::eager(&["team-a", "team-b"]);
    assert_eq!(since(&cluster.status(0), SYNCED), "2026-01-01T00:00:00Z");
    cluster.copy("team-a");
    let waiting = cluster.status(10);
    assert!(message(&waiting, SYNCED).contains("team-b"));
    assert_eq!(since(&waiting, SYNCED), "2026-01-01T00:00:00Z");
    cluster.copy("team-b");
    let synced = cluster.status(20);
    assert_eq!(since(&synced, SYNCED), "2026-01-01T00:00:20Z");
    assert_eq!(since(&synced, SOURCE_VALID), "2026-01-01T00:00:00Z");
}

#[test]
fn the_status_is_about_the_generation_that_was_looked_at() {
    let mut cluster = Cluster::eager(&["team-a"]);
    let first = cluster.status(0);
    cluster.credential(&json!({"distribution": "Eager"}), 7);
    let second = cluster.status(0);
    assert_eq!((first.observed_generation, second.observed_generation), (Some(1), Some(7)));
    assert!(second.conditions.iter().all(|condition| condition.observed_generation == Some(7)));
}

#[test]
fn nothing_new_gives_the_same_status() {
    let mut cluster = Cluster::eager(&["team-a"]);
    cluster.copy("team-a");
    let first = cluster.status(0);
    assert_eq!(cluster.status(1_000), first);
}

#[test]
fn a_status_survives_being_written_and_read() {
    let mut cluster = Cluster::eager(&["team-a", "team-b"]);
    cluster.copy("team-a");
    cluster.look(0);
    cluster.source(NEWER);
    cluster.obstacle("team-b", &Obstacle::Foreign, 1);
    cluster.look(1);
    cluster.copy("team-a");
    let status = cluster.status(3);
    assert!(status.last_rotation.is_some());
    let written = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<RegistryCredentialStatus>(&written).unwrap(), status);
}

#[test]
fn a_status_of_another_version_can_be_read() {
    let foreign =
        json!({"conditions": [{"type": "Ready"}], "copies": {}, "lastRotation": {"seconds": 1}, "new": {}});
    assert!(serde_json::from_value::<RegistryCredentialStatus>(foreign).is_ok());
}

#[test]
fn a_look_at_one_namespace_comes_to_the_same_as_a_look_at_all() {
    let mut cluster = Cluster::eager(&["team-a", "team-b", "team-c"]);
    cluster.look(0);
    cluster.copy("team-a");
    cluster.obstacle("team-b", &Obstacle::Foreign, 1);
    cluster.index.delete_namespace(&ObjectMeta { name: Some("team-c".into()), ..ObjectMeta::default() });
    cluster.namespace("team-d");
    let known = cluster.index.snapshot();
    let needs = |_: &Snapshot, _: &str, _: &Credential| Some(false);
    for namespace in ["team-a", "team-b", "team-c", "team-d"] {
        cluster.ledger.look(&known, &needs, &known.credentials["ghcr"], &namespace.into(), cluster.started);
    }
    let one_by_one = std::mem::take(&mut cluster.ledger);
    cluster.look(0);
    assert_eq!(one_by_one.tally, cluster.ledger.tally);
    assert_eq!(one_by_one.counts(), Counts { synced: 1, missing: 1, conflict: 1, ..Counts::default() });
}

#[test]
fn what_stands_in_the_way_is_looked_at_again() {
    let mut cluster = Cluster::eager(&["team-a"]);
    cluster.look(0);
    assert!(!cluster.ledger.is_finished());
    cluster.obstacle("team-a", &Obstacle::Foreign, 1);
    let known = cluster.index.snapshot();
    let needs = |_: &Snapshot, _: &str, _: &Credential| Some(false);
    cluster.ledger.look_where_unfinished(&known, &needs, &known.credentials["ghcr"], cluster.started);
    assert_eq!(cluster.ledger.counts().conflict, 1);
}

/// What is told of each change of the cluster, by reason and object.
#[test]
fn each_turn_for_the_worse_and_back_is_told_once() {
    let mut cluster = Cluster::eager(&["team-a", "team-b"]);
    let mut before = RegistryCredentialStatus::default();
    let mut told = |cluster: &mut Cluster, seconds| -> Vec<String> {
        let after = cluster.status(seconds);
        let subject = Subject { name: "ghcr".into(), uid: "uid-of-ghcr".into() };
        let all = occurrences(&subject, &before, &after);
        before = after;
        let text = |one: &crate::events::Occurrence| {
            let object = serde_json::to_value(one.regarding.reference()).unwrap();
            let warning = if one.kind == Kind::Warning { "!" } else { "" };
            format!(
                "{warning}{} {}/{}",
                one.reason,
                object["kind"].as_str().unwrap(),
                object["name"].as_str().unwrap()
            )
        };
        all.iter().map(text).collect()
    };
    let nothing: [&str; 0] = [];
    assert_eq!(told(&mut cluster, 0), nothing);
    cluster.copy("team-a");
    assert_eq!(told(&mut cluster, 1), nothing);
    cluster.obstacle("team-b", &Obstacle::Foreign, 1);
    assert_eq!(
        told(&mut cluster, 2),
        ["!Conflict RegistryCredential/ghcr", "!CopyConflict Namespace/team-b"]
    );
    assert_eq!(told(&mut cluster, 3), nothing);
    cluster.copy("team-b");
    assert_eq!(told(&mut cluster, 4), ["ConflictResolved RegistryCredential/ghcr"]);
    cluster.source(BROKEN);
    assert_eq!(told(&mut cluster, 5), ["!SourceBroken RegistryCredential/ghcr"]);
    cluster.source(NEWER);
    assert_eq!(told(&mut cluster, 6), ["SourceRecovered RegistryCredential/ghcr"]);
    cluster.copy("team-a");
    cluster.copy("team-b");
    assert_eq!(told(&mut cluster, 7), ["RotationFinished RegistryCredential/ghcr"]);
    cluster.credential(&json!({"images": ["a b"]}), 2);
    assert_eq!(told(&mut cluster, 8), ["!InvalidSpec RegistryCredential/ghcr"]);
}
