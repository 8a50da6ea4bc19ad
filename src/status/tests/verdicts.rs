//! The conditions and counts for each state of things.

use rstest::rstest;

use super::*;

fn nothing(_: &mut Cluster) {}

fn all_copied(cluster: &mut Cluster) {
    for namespace in ["team-a", "team-b", "team-c"] {
        cluster.copy(namespace);
    }
}

fn one_is_missing(cluster: &mut Cluster) {
    cluster.copy("team-a");
    cluster.copy("team-c");
}

fn some_are_stale(cluster: &mut Cluster) {
    all_copied(cluster);
    cluster.source(NEWER);
    cluster.copy("team-b");
}

fn a_secret_is_foreign(cluster: &mut Cluster) {
    one_is_missing(cluster);
    cluster.obstacle("team-b", &Obstacle::Foreign, 1);
}

fn foreign_to(conflict: &str, cluster: &mut Cluster) {
    cluster.credential(&json!({"distribution": "Eager", "conflict": conflict}), 2);
    a_secret_is_foreign(cluster);
}

fn not_adopted(cluster: &mut Cluster) {
    foreign_to("Adopt", cluster);
}

fn not_overwritten(cluster: &mut Cluster) {
    foreign_to("Overwrite", cluster);
}

fn a_copy_is_the_source(cluster: &mut Cluster) {
    all_copied(cluster);
    let known = cluster.index.snapshot();
    let credential = &known.credentials["ghcr"];
    let SourceState::Good(source) = &known.sources[&credential.source].state else { panic!("no source") };
    cluster.index.apply_source(&copy_of(source, credential, &credential.source));
}

fn a_copy_is_a_rivals(cluster: &mut Cluster) {
    one_is_missing(cluster);
    rival_copy(cluster, "team-b");
}

fn a_source_belongs_there(cluster: &mut Cluster) {
    one_is_missing(cluster);
    let spec = json!({"secretRef": {"namespace": "team-b", "name": "regcred-ghcr"}, "namespaces": ["none"]});
    let _ = cluster.index.apply_credential(&object("acme", &spec, 1));
}

fn another_comes_first(cluster: &mut Cluster) {
    one_is_missing(cluster);
    let spec = json!({"secretRef": {"namespace": "x", "name": "absent"}, "namespaces": ["team-b"], "copyName": "regcred-ghcr"});
    let _ = cluster.index.apply_credential(&object("acme", &spec, 1));
}

fn a_write_fails_once(cluster: &mut Cluster) {
    one_is_missing(cluster);
    cluster.obstacle("team-b", &Obstacle::Passing("exceeded quota".into()), 1);
}

fn writes_fail(cluster: &mut Cluster) {
    one_is_missing(cluster);
    cluster.obstacle("team-b", &Obstacle::Passing("exceeded quota".into()), 2);
}

fn a_write_is_refused(cluster: &mut Cluster) {
    one_is_missing(cluster);
    cluster.obstacle("team-b", &Obstacle::Lasting("too large".into()), 1);
}

fn the_source_goes(cluster: &mut Cluster) {
    all_copied(cluster);
    cluster.index.delete_source(&registry_secret(DOCUMENT).metadata);
}

fn the_source_breaks(cluster: &mut Cluster) {
    all_copied(cluster);
    cluster.source(BROKEN);
}

fn the_source_is_not_read(cluster: &mut Cluster) {
    let elsewhere =
        json!({"distribution": "Eager", "secretRef": {"namespace": "elsewhere", "name": "other"}});
    cluster.credential(&elsewhere, 2);
}

fn the_source_was_never_there(cluster: &mut Cluster) {
    the_source_is_not_read(cluster);
    for secret_type in ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"] {
        cluster.index.retain_sources("elsewhere", secret_type, &std::collections::HashSet::new());
    }
}

fn no_namespace_is_offered(cluster: &mut Cluster) {
    cluster.credential(&json!({"distribution": "Eager", "namespaces": ["none"]}), 2);
}

fn audited(cluster: &mut Cluster) {
    cluster.credential(&json!({"distribution": "Eager", "mode": "Audit"}), 2);
}

fn makes_no_sense(cluster: &mut Cluster) {
    all_copied(cluster);
    cluster.credential(&json!({"images": ["https://ghcr.io"]}), 2);
}

/// `Ready`, `SourceValid`, `Synced` and `Conflict` as the first letter of the status and the reason.
#[rstest]
#[case::nothing(nothing, "0/3", ["T Syncing", "T Usable", "F Syncing", "F NoConflict"], "waiting for 3 of 3 namespaces: team-a, team-b, team-c")]
#[case::all_copied(all_copied, "3/3", ["T AllCurrent", "T Usable", "T AllCurrent", "F NoConflict"], "all 3 copies hold")]
#[case::one_is_missing(one_is_missing, "2/3", ["T Syncing", "T Usable", "F Syncing", "F NoConflict"], "waiting for 1 of 3 namespaces: team-b")]
#[case::some_are_stale(some_are_stale, "1/3", ["T Syncing", "T Usable", "F Syncing", "F NoConflict"], "2 of 3 namespaces: team-a, team-c")]
#[case::foreign(a_secret_is_foreign, "2/3", ["F ForeignSecret", "T Usable", "F Conflict", "T ForeignSecret"], "Secret team-b/regcred-ghcr is there and was not made by regcred; delete it")]
#[case::not_adopted(not_adopted, "2/3", ["F ForeignSecret", "T Usable", "F Conflict", "T ForeignSecret"], "Adopt takes over only one of the same type and content that no controller owns; delete it, set another spec.copyName, or set spec.conflict to Overwrite")]
#[case::not_overwritten(not_overwritten, "2/3", ["F ForeignSecret", "T Usable", "F Conflict", "T ForeignSecret"], "Overwrite takes over none that has another type or that a controller owns; delete it, or set another spec.copyName")]
#[case::rival(a_copy_is_a_rivals, "2/3", ["F OtherCredential", "T Usable", "F Conflict", "T OtherCredential"], "is, or is to be, the copy of RegistryCredential acme")]
#[case::first_of_one_name(another_comes_first, "2/3", ["F OtherCredential", "T Usable", "F Conflict", "T OtherCredential"], "is, or is to be, the copy of RegistryCredential acme")]
#[case::place_of_a_source(a_source_belongs_there, "2/3", ["F OtherSource", "T Usable", "F Conflict", "T OtherSource"], "Secret team-b/regcred-ghcr is, or is to be, the source of another RegistryCredential")]
#[case::fails_once(a_write_fails_once, "2/3", ["T Syncing", "T Usable", "F Syncing", "F NoConflict"], "waiting for 1 of 3")]
#[case::fails(writes_fail, "2/3", ["F WriteFailed", "T Usable", "F WriteFailed", "F NoConflict"], "could not be written and is tried again: exceeded quota")]
#[case::refused(a_write_is_refused, "2/3", ["F Refused", "T Usable", "F Refused", "F NoConflict"], "will not take Secret team-b/regcred-ghcr: too large")]
#[case::gone(the_source_goes, "0/3", ["F SecretMissing", "F SecretMissing", "F SourceInvalid", "F NoConflict"], "there is no Secret porch-system/auth-secret of type")]
#[case::broken(the_source_breaks, "0/3", ["F SecretUndecodable", "F SecretUndecodable", "F SourceInvalid", "F NoConflict"], "copies keep what was good last")]
#[case::copy_as_source(a_copy_is_the_source, "0/3", ["F SourceIsACopy", "F SourceIsACopy", "F SourceInvalid", "F NoConflict"], "it is a copy made by regcred, which is never a source; name in spec.secretRef the Secret that it was copied from")]
#[case::not_read(the_source_is_not_read, "0/3", ["U NotRead", "U NotRead", "F SourceInvalid", "F NoConflict"], "the Secrets of namespace elsewhere have not been read yet")]
#[case::never_there(the_source_was_never_there, "0/3", ["F SecretMissing", "F SecretMissing", "F SourceInvalid", "F NoConflict"], "there is no Secret elsewhere/other")]
#[case::no_namespace(no_namespace_is_offered, "0/0", ["T NothingWanted", "T Usable", "T NothingWanted", "F NoConflict"], "there is no namespace now")]
#[case::audited(audited, "0/0", ["T Audit", "T Usable", "T Audit", "F NoConflict"], "set spec.mode to Enforce")]
#[case::makes_no_sense(makes_no_sense, "", ["F InvalidSpec", "U InvalidSpec", "U InvalidSpec", "U InvalidSpec"], "https://ghcr.io")]
fn the_conditions_say_what_holds(
    #[case] arrange: fn(&mut Cluster),
    #[case] synced: &str,
    #[case] expected: [&str; 4],
    #[case] says: &str,
) {
    let mut cluster = Cluster::eager(&["team-a", "team-b", "team-c", "other"]);
    arrange(&mut cluster);
    let status = cluster.status(0);
    let told: Vec<String> = status
        .conditions
        .iter()
        .map(|condition| format!("{} {}", condition.status.get(..1).unwrap(), condition.reason))
        .collect();
    assert_eq!(told, expected);
    assert!(message(&status, READY).contains(says), "{}", message(&status, READY));
    assert_eq!(status.summary.unwrap_or_default().synced, synced);
    assert!(!format!("{:?}", status.conditions).contains("hunter2"));
}

#[rstest]
#[case::foreign(Obstacle::Foreign)]
#[case::failed(Obstacle::Lasting("too large".into()))]
fn what_stood_in_the_way_at_the_last_look_and_has_gone_since_is_on_its_way(#[case] obstacle: Obstacle) {
    let mut cluster = Cluster::eager(&["team-a", "team-b"]);
    cluster.copy("team-a");
    cluster.obstacle("team-b", &obstacle, 1);
    cluster.look(0);
    let place = cluster.index.snapshot().credentials["ghcr"].copy_in("team-b");
    cluster.index.forget_setback(&CopyKey { place, credential_uid: "uid-of-ghcr".into() });
    let (_, status) = of(&cluster.index.snapshot(), "ghcr", &cluster.ledger, moment(0)).unwrap();
    let told: Vec<&str> = status.conditions.iter().map(|condition| condition.reason.as_str()).collect();
    assert_eq!(told, ["Syncing", "Usable", "Syncing", "NoConflict"]);
    assert_eq!(message(&status, READY), "waiting for 1 of 2 namespaces: team-b");
    assert!(status.copies.unwrap().failures.is_empty());
}

#[rstest]
#[case::nobody_needs_it(Some(vec![]), &["team-a"], "0/0", "NothingWanted")]
#[case::needed_and_there(Some(vec!["team-a"]), &["team-a"], "1/1", "AllCurrent")]
#[case::needed_and_missing(Some(vec!["team-a", "team-b"]), &["team-a"], "1/2", "Syncing")]
#[case::needed_where_it_is_not_offered(Some(vec!["other"]), &[], "0/0", "NothingWanted")]
#[case::pods_are_not_known(None, &["team-a"], "1/1", "AllCurrent")]
fn on_demand_a_copy_is_wanted_where_a_pod_needs_it(
    #[case] needing: Option<Vec<&'static str>>,
    #[case] copies: &[&str],
    #[case] synced: &str,
    #[case] reason: &str,
) {
    let mut cluster = Cluster::new(&json!({}), &["team-a", "team-b", "other"]);
    cluster.needing = needing;
    for namespace in copies {
        cluster.copy(namespace);
    }
    let status = cluster.status(0);
    assert_eq!(status.condition(SYNCED).unwrap().reason, reason);
    assert_eq!(status.summary.unwrap().synced, synced);
}

#[test]
fn the_first_failures_are_listed_by_namespace_and_the_rest_is_counted() {
    let namespaces: Vec<String> = (10..25).map(|number| format!("team-{number}")).collect();
    let mut cluster = Cluster::eager(&namespaces.iter().map(String::as_str).collect::<Vec<_>>());
    for namespace in namespaces.iter().rev().take(12) {
        cluster.obstacle(namespace, &Obstacle::Foreign, 1);
    }
    let copies = cluster.status(0).copies.unwrap();
    assert_eq!((copies.wanted, copies.synced, copies.failed, copies.more_failures), (15, 0, 12, 2));
    let listed: Vec<&str> = copies.failures.iter().map(|failure| failure.namespace.as_str()).collect();
    assert_eq!(listed.len(), 10);
    assert_eq!((listed[0], listed[9]), ("team-13", "team-22"));
    assert!(copies.failures[0].message.contains("Secret team-13/regcred-ghcr"));
}

#[rstest]
#[case::all(json!({}), DOCUMENT, &["ghcr.io", "quay.io"], "ghcr.io,quay.io")]
#[case::narrowed(json!({"images": ["ghcr.io/org"]}), DOCUMENT, &["ghcr.io"], "ghcr.io")]
#[case::narrowed_by_glob(
    json!({"images": ["*.azurecr.io"]}), r#"{"auths":{"a.azurecr.io":{},"quay.io":{}}}"#, &["a.azurecr.io"], "a.azurecr.io"
)]
#[case::glob_as_key(
    json!({"images": ["a.azurecr.io/org"]}), r#"{"auths":{"*.azurecr.io":{}}}"#, &["*.azurecr.io"], "*.azurecr.io"
)]
#[case::docker_hub(
    json!({"images": ["docker.io/me"]}), r#"{"auths":{"https://index.docker.io/v1/":{}}}"#, &["index.docker.io"], "index.docker.io"
)]
#[case::paths_and_ports(
    json!({}), r#"{"auths":{"a.example:5000/x":{},"a.example:5000/y":{},"b.example":{},"c.example":{}}}"#,
    &["a.example:5000", "b.example", "c.example"], "a.example:5000,b.example,+1"
)]
#[case::what_is_no_host(json!({}), r#"{"auths":{"me:hunter2@a.example":{},"<secret>":{}}}"#, &["a.example"], "a.example")]
fn the_registries_are_the_hosts_that_it_has_keys_for(
    #[case] spec: Value,
    #[case] document: &str,
    #[case] expected: &[&str],
    #[case] summary: &str,
) {
    let mut cluster = Cluster::new(&spec, &[]);
    cluster.source(document);
    let status = cluster.status(0);
    assert_eq!(status.registries, expected);
    assert_eq!(status.summary.unwrap().registries, summary);
}

#[test]
fn many_registries_are_counted() {
    let keys: Vec<String> = (10..40).map(|number| format!(r#""r{number}.example":{{}}"#)).collect();
    let mut cluster = Cluster::new(&json!({}), &[]);
    cluster.source(&format!(r#"{{"auths":{{{}}}}}"#, keys.join(",")));
    let status = cluster.status(0);
    assert_eq!((status.registries.len(), status.more_registries), (16, 14));
    assert_eq!(status.summary.unwrap().registries, "r10.example,r11.example,+28");
}

#[test]
fn the_registries_stay_told_while_the_source_is_broken() {
    let mut cluster = Cluster::new(&json!({}), &[]);
    cluster.source(BROKEN);
    assert_eq!(cluster.status(0).registries, ["ghcr.io", "quay.io"]);
}

#[test]
fn there_is_no_status_of_a_credential_that_is_not_there() {
    let mut cluster = Cluster::new(&json!({}), &[]);
    cluster.index.delete_credential("ghcr");
    cluster.look(0);
    assert_eq!(of(&cluster.index.snapshot(), "ghcr", &cluster.ledger, moment(0)), None);
}
