//! What is put on Secrets, and put back.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::protection::{LiveReferrer, Reservation};
use crate::policy::{Outcome, Reason, Rule};

/// The Secret as it is stored after an update from `old`, or a creation.
fn stored(cluster: &Cluster, old: &Value, new: &Value, username: &str) -> (Value, Reason) {
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    let (decision, _) = cluster.decide(Rule::SecretMarks, &request(operation, old, new, username));
    assert_eq!(decision.outcome, Outcome::Allowed);
    let mut stored = new.clone();
    if let Some(patch) = &decision.patch {
        let operations: json_patch::Patch =
            serde_json::from_value(serde_json::to_value(patch).unwrap()).unwrap();
        json_patch::patch(&mut stored, &operations).unwrap();
    }
    (stored, decision.reason)
}

fn is_marked(secret: &Value) -> bool {
    secret["metadata"]["labels"]["regcred.dev/in-use"] == "true"
}

fn has(secret: &Value, reservation: &Reservation) -> bool {
    secret["metadata"]["annotations"][reservation.annotation()] == reservation.value()
}

#[rstest]
#[case::with_labels(json!({"team": "a"}))]
#[case::without_labels(Value::Null)]
fn what_is_created_under_a_name_that_is_pointed_to_is_marked(#[case] labels: Value) {
    let new = secret(&labels, &[], &[]);
    let (marked, reason) = stored(&Cluster::with(&["a"]), &Value::Null, &new, "jane");
    assert!(is_marked(&marked), "{marked}");
    assert_eq!((&marked["metadata"]["labels"]["team"], reason), (&labels["team"], Reason::Marked));
    let (unmarked, reason) = stored(&Cluster::default(), &Value::Null, &new, "jane");
    assert_eq!((unmarked, reason), (new, Reason::NotConcerned));
}

/// A replacement by a file that has nothing of ours.
#[rstest]
#[case::open(found("1", "5", false), true)]
#[case::of_which_nobody_knows(LiveReferrer::Unknown("no answer".into()), true)]
#[case::settled(found("1", "6", true), false)]
fn a_replacement_keeps_the_label_and_the_reservations_that_are_open(
    #[case] live: LiveReferrer,
    #[case] kept: bool,
) {
    let reservation = reservation("a", Some("5"));
    let old = secret(&in_use(), &annotated(std::slice::from_ref(&reservation)), &[]);
    let mut new = secret(&json!({"team": "a"}), &[], &[]);
    new["metadata"].as_object_mut().unwrap().remove("annotations");
    let cluster = Cluster { live: [(shoot("a"), live)].into(), ..Cluster::default() };
    let (stored, reason) = stored(&cluster, &old, &new, "jane");
    assert!(is_marked(&stored) && stored["metadata"]["labels"]["team"] == "a", "{stored}");
    assert_eq!((has(&stored, &reservation), reason), (kept, Reason::Marked));
}

#[test]
fn regcred_takes_off_what_nobody_puts_back() {
    let old = secret(&in_use(), &[], &[]);
    let new = secret(&json!({}), &[], &[]);
    let (stored, reason) = stored(&Cluster::with(&["a"]), &old, &new, OWN_USER);
    assert_eq!((is_marked(&stored), reason), (false, Reason::NotConcerned));
}

#[test]
fn what_is_going_is_left_alone() {
    let mut old = secret(&in_use(), &[], &["example.com/other"]);
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({});
    assert_eq!(stored(&Cluster::with(&["a"]), &old, &new, "jane").1, Reason::NotConcerned);
}

proptest! {
    /// What is put back applies, whatever is there, and once it is there nothing is left to be put back.
    #[test]
    fn a_patch_applies_and_is_needed_once(
        labels in prop::option::of(prop::collection::btree_map("[a-z/~.]{1,9}", "[a-z]{0,3}", 0..3)),
        annotations in prop::option::of(prop::collection::btree_map("[a-z/~.]{1,9}", ".{0,9}", 0..3)),
        count in 0_usize..4,
    ) {
        let reservations: Vec<_> =
            (0..count).map(|number| reservation(&format!("shoot-{number}"), Some("5"))).collect();
        let old = secret(&in_use(), &annotated(&reservations), &[]);
        let mut new = secret(&json!(labels), &[], &[]);
        new["metadata"]["annotations"] = json!(annotations);
        let live = reservations.iter().map(|one| (one.claim.referrer.clone(), found("1", "5", false)));
        let cluster = Cluster { live: live.collect(), ..Cluster::default() };
        let (once, _) = stored(&cluster, &old, &new, "jane");
        prop_assert!(is_marked(&once) && reservations.iter().all(|one| has(&once, one)));
        for (name, value) in labels.iter().flatten() {
            prop_assert_eq!(&once["metadata"]["labels"][name], value);
        }
        for (name, value) in annotations.iter().flatten() {
            prop_assert_eq!(&once["metadata"]["annotations"][name], value);
        }
        prop_assert_eq!(stored(&cluster, &old, &once, "jane").1, Reason::NotConcerned);
    }
}
