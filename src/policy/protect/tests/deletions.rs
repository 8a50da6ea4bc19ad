//! Deletions, and the updates by which a Secret is let go of.

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::protection::{ALLOW_DELETION, Bypass, Listing, LiveReferrer, PROTECTING_FINALIZERS};
use crate::policy::{Decision, Outcome, Reason, Rule};

fn delete(cluster: &Cluster, old: &Value) -> (Decision, Vec<String>) {
    let is_marked = old["metadata"]["labels"].get("regcred.dev/in-use").is_some();
    let rule = if is_marked { Rule::SecretsInUse } else { Rule::SecretDeletions };
    cluster.decide(rule, &request("DELETE", old, &Value::Null, "jane"))
}

fn refusal(decision: &Decision) -> &str {
    match &decision.outcome {
        Outcome::Denied(sentence) => sentence,
        other => panic!("{other:?}"),
    }
}

fn delay(decision: &Decision) -> &str {
    match &decision.outcome {
        Outcome::Postponed(sentence) => sentence,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::marked(in_use())]
#[case::not_marked_yet(json!({}))]
fn a_secret_that_a_shoot_uses_stays_and_the_shoot_is_named(#[case] labels: Value) {
    let (decision, asked) = delete(&Cluster::with(&["crazy-botany"]), &secret(&labels, &[], &[]));
    assert_eq!(
        refusal(&decision),
        "Secret garden-dev/docker-creds-v1 is still used by Shoot garden-dev/crazy-botany (spec.resources[0], registry-cache \
         upstream docker.io); point the Shoot at another Secret first"
    );
    assert_eq!(decision.reason, Reason::InUse);
    assert_eq!(asked, ["get Shoot garden-dev/crazy-botany"], "one that is confirmed decides");
}

/// Deeper than a parser goes that has a limit. Whoever may write a Secret may write these.
fn deep_managed_fields() -> Value {
    let fields = (0..200).fold(json!({}), |fields, _| json!({"f:a": fields}));
    json!([{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}])
}

#[rstest]
#[case::marked(in_use())]
#[case::not_marked_yet(json!({}))]
fn what_nobody_has_to_read_of_a_secret_does_not_let_it_go(#[case] labels: Value) {
    let mut old = secret(&labels, &[], &[]);
    old["metadata"]["managedFields"] = deep_managed_fields();
    let (decision, _) = delete(&Cluster::with(&["crazy-botany"]), &old);
    assert_eq!(decision.reason, Reason::InUse);
}

#[test]
fn a_marked_secret_that_cannot_be_read_stays_and_another_one_goes_with_a_warning() {
    let mut old = secret(&in_use(), &[], &[]);
    old["metadata"]["finalizers"] = json!("of another type");
    let request = request("DELETE", &old, &Value::Null, "jane");
    let (decision, _) = Cluster::default().decide(Rule::SecretsInUse, &request);
    assert!(delay(&decision).contains("could not be read"), "{decision:?}");
    let (decision, _) = Cluster::default().decide(Rule::SecretDeletions, &request);
    assert_eq!((&decision.outcome, decision.reason), (&Outcome::Allowed, Reason::Unreadable));
    assert_eq!(decision.warnings.texts().len(), 1);
}

#[test]
fn at_most_five_are_named_and_the_rest_is_counted() {
    let names: Vec<String> = (1..=8).map(|number| format!("shoot-{number}")).collect();
    let cluster = Cluster::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for cluster in [cluster.decide_deletion(), Cluster { watched: Vec::new(), ..cluster }.decide_deletion()] {
        let sentence = refusal(&cluster);
        assert_eq!(sentence.matches("Shoot garden-dev/shoot-").count(), 5, "{sentence}");
        assert!(sentence.contains(" and 3 more; point them at another Secret first"), "{sentence}");
    }
}

impl Cluster {
    fn decide_deletion(&self) -> Decision {
        delete(self, &secret(&in_use(), &[], &[])).0
    }
}

#[test]
fn what_the_watches_have_not_shown_yet_is_found_by_the_list() {
    let cluster = Cluster::with(&["crazy-botany"]).unwatched();
    let (decision, asked) = delete(&cluster, &secret(&json!({}), &[], &[]));
    assert!(refusal(&decision).contains("Shoot garden-dev/crazy-botany (spec.resources[0]"));
    assert_eq!(asked, ["list for garden-dev/docker-creds-v1"]);
}

#[test]
fn what_the_watches_show_and_is_so_no_more_holds_nothing() {
    let cluster = Cluster { watched: vec![shoot("crazy-botany")], ..Cluster::default() };
    let (decision, asked) = delete(&cluster, &secret(&in_use(), &[], &[]));
    assert_eq!((decision.outcome, decision.reason), (Outcome::Allowed, Reason::NotInUse));
    assert_eq!(asked, ["get Shoot garden-dev/crazy-botany", "list for garden-dev/docker-creds-v1"]);
}

#[rstest]
#[case::it_is_stored_and_points(None, found("1", "5", true), Reason::InUse)]
#[case::it_was_stored_and_points_no_more(None, found("1", "6", false), Reason::NotInUse)]
#[case::it_may_still_be_created(None, LiveReferrer::Absent, Reason::BeingTakenUp)]
#[case::another_has_its_name(None, found("2", "5", false), Reason::BeingTakenUp)]
#[case::it_may_still_be_written(Some("5"), found("1", "5", false), Reason::BeingTakenUp)]
#[case::it_was_written(Some("5"), found("1", "6", true), Reason::InUse)]
#[case::it_was_written_over(Some("5"), found("1", "6", false), Reason::NotInUse)]
#[case::it_has_gone(Some("5"), LiveReferrer::Absent, Reason::NotInUse)]
#[case::nobody_knows(Some("5"), LiveReferrer::Unknown("no answer".into()), Reason::BeingTakenUp)]
fn a_reservation_holds_until_it_is_settled(
    #[case] over: Option<&str>,
    #[case] live: LiveReferrer,
    #[case] expected: Reason,
) {
    let cluster = Cluster { live: [(shoot("a"), live)].into(), ..Cluster::default() };
    let annotations = annotated(&[reservation("a", over)]);
    let (decision, asked) = delete(&cluster, &secret(&in_use(), &annotations, &[]));
    assert_eq!(decision.reason, expected);
    let asks_for_list = expected == Reason::NotInUse;
    assert_eq!(asked.len(), 1 + usize::from(asks_for_list), "the list comes last, or not at all: {asked:?}");
    assert_eq!(asked[0], "get Shoot garden-dev/a");
    if expected == Reason::BeingTakenUp {
        assert!(delay(&decision).contains("Shoot garden-dev/a"), "{decision:?}");
    }
}

#[rstest]
#[case::that_very_one("1", Reason::NotInUse)]
#[case::another_of_its_name("2", Reason::BeingTakenUp)]
fn what_was_created_and_deleted_is_not_waited_for(#[case] deleted: &'static str, #[case] expected: Reason) {
    let cluster = Cluster { deleted: vec![deleted], ..Cluster::default() };
    let annotations = annotated(&[reservation("a", None)]);
    let (decision, asked) = delete(&cluster, &secret(&in_use(), &annotations, &[]));
    assert_eq!(decision.reason, expected, "{asked:?}");
}

#[test]
fn several_reservations_of_one_shoot_cost_one_look() {
    let mut second = reservation("a", Some("4"));
    second.attempt = "second".into();
    let annotations = annotated(&[reservation("a", Some("3")), second]);
    let cluster = Cluster { live: [(shoot("a"), found("1", "5", false))].into(), ..Cluster::default() };
    let (decision, asked) = delete(&cluster, &secret(&in_use(), &annotations, &[]));
    assert_eq!((decision.reason, asked.len()), (Reason::NotInUse, 2));
}

#[rstest]
#[case::marked(in_use(), false, true)]
#[case::known_to_be_in_use(json!({}), true, true)]
#[case::of_which_nothing_is_known(json!({}), false, false)]
fn when_nothing_can_be_listed_a_secret_stays_that_is_known_to_be_in_use(
    #[case] labels: Value,
    #[case] is_watched: bool,
    #[case] stays: bool,
) {
    let unknown = "Shoots: the API server could not be reached";
    let cluster = Cluster {
        live: [(shoot("a"), LiveReferrer::Unknown(unknown.into()))].into(),
        listing: Some(Listing::Unknown(unknown.into())),
        watched: is_watched.then(|| shoot("a")).into_iter().collect(),
        ..Cluster::default()
    };
    let (decision, _) = delete(&cluster, &secret(&labels, &[], &[]));
    assert_eq!(decision.reason, Reason::Unknown);
    if stays {
        assert!(delay(&decision).contains(unknown), "{decision:?}");
        assert!(delay(&decision).ends_with("try again"), "{decision:?}");
    } else {
        assert_eq!(decision.outcome, Outcome::Allowed);
        assert!(decision.warnings.texts()[0].contains("could not see"), "{decision:?}");
    }
}

#[test]
fn a_secret_that_is_going_already_is_not_asked_about() {
    let mut old =
        secret(&in_use(), &annotated(&[reservation("a", None)]), &["gardener.cloud/reference-protection"]);
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let (decision, asked) = delete(&Cluster::with(&["a"]), &old);
    assert_eq!((decision.outcome, decision.reason, asked.len()), (Outcome::Allowed, Reason::NotConcerned, 0));
}

#[test]
fn each_of_the_two_rules_leaves_to_the_other_what_is_its_own() {
    let cluster = Cluster::with(&["a"]);
    for (rule, labels) in [(Rule::SecretsInUse, json!({})), (Rule::SecretDeletions, in_use())] {
        let old = secret(&labels, &[], &[]);
        let (decision, asked) = cluster.decide(rule, &request("DELETE", &old, &Value::Null, "jane"));
        assert_eq!((decision.reason, asked.len()), (Reason::NotConcerned, 0), "{rule:?}");
    }
}

#[test]
fn what_gardener_still_holds_goes_later_which_is_told() {
    let old = secret(&in_use(), &[], &["gardener.cloud/reference-protection"]);
    let (decision, _) = delete(&Cluster::default(), &old);
    assert_eq!(decision.reason, Reason::NotInUse);
    assert_eq!(decision.warnings.texts().len(), 1);
}

#[rstest]
#[case::who_may(Bypass::Allowed, Reason::Bypassed)]
#[case::who_may_not(Bypass::Denied, Reason::InUse)]
#[case::who_may_have_the_right(Bypass::Unknown("no answer".into()), Reason::InUse)]
fn the_annotation_counts_only_for_whoever_may_let_a_secret_in_use_go(
    #[case] bypass: Bypass,
    #[case] expected: Reason,
) {
    let is_final = !matches!(bypass, Bypass::Unknown(_));
    let cluster = Cluster { bypass: Some(bypass), ..Cluster::with(&["a"]) };
    let annotations = [(ALLOW_DELETION.to_owned(), "the Shoot is stuck".to_owned())];
    let (decision, asked) = delete(&cluster, &secret(&in_use(), &annotations, &[]));
    assert_eq!(decision.reason, expected);
    assert_eq!(asked[0], "may jane bypass garden-dev/docker-creds-v1");
    match expected {
        Reason::Bypassed => assert_eq!((decision.warnings.texts().len(), asked.len()), (1, 1)),
        _ if is_final => assert!(refusal(&decision).contains(ALLOW_DELETION), "{decision:?}"),
        _ => assert!(delay(&decision).ends_with("(no answer); if you may, try again"), "{decision:?}"),
    }
}

const HELD: &str = "gardener.cloud/reference-protection";

/// An update of a marked Secret with a reservation, held by Gardener, in a cluster where a Shoot uses it or none does.
fn update(cluster: &Cluster, username: &str, change: impl FnOnce(&mut Value)) -> (Decision, Vec<String>) {
    let old = secret(&in_use(), &annotated(&[reservation("a", Some("5"))]), &[HELD, "example.com/other"]);
    let mut new = old.clone();
    change(&mut new);
    cluster.decide(Rule::SecretsInUse, &request("UPDATE", &old, &new, username))
}

fn reserving(is_settled: bool, is_used: bool) -> Cluster {
    let live = found("1", if is_settled { "6" } else { "5" }, is_used);
    let listed = is_used.then(|| (Arc::new(shoot("a")), pointers().secrets)).into_iter().collect();
    let listing = Some(Listing::Complete(listed));
    Cluster { live: [(shoot("a"), live)].into(), listing, ..Cluster::default() }
}

fn without_label(secret: &mut Value) {
    secret["metadata"]["labels"] = json!({});
}

fn without_annotations(secret: &mut Value) {
    secret["metadata"].as_object_mut().unwrap().remove("annotations");
}

fn without_gardeners_finalizer(secret: &mut Value) {
    secret["metadata"]["finalizers"] = json!(["example.com/other"]);
}

fn with_other_data(secret: &mut Value) {
    secret["data"] = json!({"password": "b3RoZXI="});
    secret["metadata"]["labels"]["team"] = "a".into();
    secret["metadata"]["finalizers"] = json!([HELD]);
}

fn terminating_without_anything(secret: &mut Value) {
    secret["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    without_label(secret);
}

#[rstest]
#[case::the_label(without_label, true, false, Reason::Refused)]
#[case::an_open_reservation(without_annotations, false, false, Reason::Refused)]
#[case::a_settled_reservation(without_annotations, true, true, Reason::NotConcerned)]
#[case::the_finalizer_while_it_is_used(without_gardeners_finalizer, true, true, Reason::InUse)]
#[case::the_finalizer_while_it_is_being_taken_up(
    without_gardeners_finalizer,
    false,
    false,
    Reason::BeingTakenUp
)]
#[case::the_finalizer_when_nothing_uses_it(without_gardeners_finalizer, true, false, Reason::NotInUse)]
#[case::nothing_that_holds_it(with_other_data, false, true, Reason::NotConcerned)]
fn an_update_takes_away(
    #[case] change: fn(&mut Value),
    #[case] is_settled: bool,
    #[case] is_used: bool,
    #[case] expected: Reason,
) {
    let (decision, _) = update(&reserving(is_settled, is_used), "jane", change);
    assert_eq!(decision.reason, expected, "{decision:?}");
    let is_allowed = matches!(expected, Reason::NotConcerned | Reason::NotInUse);
    assert_eq!(decision.outcome == Outcome::Allowed, is_allowed);
}

#[test]
fn each_finalizer_by_which_gardener_holds_secrets_stays_while_they_are_used() {
    for finalizer in PROTECTING_FINALIZERS {
        let old = secret(&in_use(), &[], &[finalizer, "example.com/other"]);
        let mut new = old.clone();
        without_gardeners_finalizer(&mut new);
        let request = request("UPDATE", &old, &new, "jane");
        let (decision, _) = reserving(true, true).decide(Rule::SecretsInUse, &request);
        let (unused, _) = reserving(true, false).decide(Rule::SecretsInUse, &request);
        let (expected, reasons) = ((Reason::InUse, Reason::NotInUse), (decision.reason, unused.reason));
        // Nothing reserves it, so who uses it is found by the list.
        assert_eq!(reasons, expected, "{finalizer}");
    }
}

#[test]
fn regcred_itself_takes_its_marks_off() {
    let (decision, asked) = update(&reserving(false, true), OWN_USER, |secret| {
        without_label(secret);
        without_annotations(secret);
    });
    assert_eq!((decision.reason, asked.len()), (Reason::NotConcerned, 0));
}

#[test]
fn the_last_finalizer_of_a_secret_that_is_going_holds_it_as_long_as_it_is_used() {
    let strip = |is_used: bool| {
        let mut old = secret(&in_use(), &[], &[HELD]);
        old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        let mut new = old.clone();
        new["metadata"]["finalizers"] = json!([]);
        let cluster = reserving(true, is_used);
        cluster.decide(Rule::SecretsInUse, &request("UPDATE", &old, &new, "jane")).0.reason
    };
    assert_eq!((strip(true), strip(false)), (Reason::InUse, Reason::NotInUse));
}

#[test]
fn of_a_secret_that_is_going_nobody_keeps_the_marks() {
    let old = {
        let mut old = secret(&in_use(), &[], &["example.com/other"]);
        old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        old
    };
    let mut new = old.clone();
    terminating_without_anything(&mut new);
    let cluster = Cluster::with(&["a"]);
    let (decision, asked) = cluster.decide(Rule::SecretsInUse, &request("UPDATE", &old, &new, "jane"));
    assert_eq!((decision.reason, asked.len()), (Reason::NotConcerned, 0));
}

#[test]
fn no_refusal_shows_what_is_in_the_secret() {
    let (decision, _) = delete(&Cluster::with(&["a"]), &secret(&in_use(), &[], &[]));
    assert!(!refusal(&decision).contains("aHVudGVyMg") && !refusal(&decision).contains("hunter2"));
}
