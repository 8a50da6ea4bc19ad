//! What is said of a Secret, in each state that it may be in.

use rstest::rstest;
use serde_json::{Map, Value, json};

use super::super::words::all;
use super::scene::*;
use crate::model::ObjectKey;
use crate::model::gardener::{FieldError, FieldPath, joined};
use crate::model::protection::{MOST_RESERVATIONS, RESERVATION_PREFIX, SecretAnswer};
use crate::policy::{Outcome, Reason};

/// A Shoot that points to a Secret of which nothing is demanded.
fn with_resource(secret: &str) -> Value {
    shoot(json!([]), json!([resource("audit", "Secret", secret)]))
}

fn terminating(secret: Value) -> Value {
    with_metadata(secret, "deletionTimestamp", json!("2026-01-01T00:00:00Z"))
}

fn with_metadata(mut secret: Value, field: &str, value: Value) -> Value {
    secret["metadata"][field] = value;
    secret
}

fn reserved(secret: Value, count: usize) -> Value {
    let annotations = (0..count).map(|number| (format!("{RESERVATION_PREFIX}{number}"), json!("{}")));
    with_metadata(secret, "annotations", Value::Object(annotations.collect::<Map<_, _>>()))
}

fn marked_for_deletion(secret: Value) -> Value {
    with_metadata(secret, "annotations", json!({"regcred.dev/allow-deletion": "yes"}))
}

fn unknown() -> SecretAnswer {
    SecretAnswer::Unknown("no answer".into())
}

fn of(secret: Value) -> SecretAnswer {
    found(secret).1
}

const NAMED: &str = "Secret garden-dev/a (spec.resources[0])";

/// Each as it is read, and as it is found when the reservation is left.
#[rstest]
#[case::absent(
    SecretAnswer::Absent,
    "does not exist; create it first",
    "does not exist; create it first",
    Reason::Refused
)]
#[case::going(
    of(terminating(credentials("a"))),
    "is being deleted, for good; point to another one",
    "is being deleted, for good; point to another one",
    Reason::Refused
)]
#[case::let_go(
    of(marked_for_deletion(credentials("a"))),
    "may be deleted any moment, by its annotation regcred.dev/allow-deletion; take that off first",
    "may be deleted any moment, by its annotation regcred.dev/allow-deletion; take that off first",
    Reason::Refused
)]
#[case::unknown(
    unknown(),
    "could not be looked at (no answer); try again",
    "could not be kept from being deleted meanwhile (no answer); try again",
    Reason::Unknown
)]
fn a_secret_is_not_taken_up(
    #[case] answer: SecretAnswer,
    #[case] as_read: &str,
    #[case] as_reserved: &str,
    #[case] reason: Reason,
) {
    let key = ObjectKey::new("garden-dev", "a");
    let mut scene = Scene::new();
    scene.secrets.insert(key.clone(), answer.clone());
    let ended = scene.run(&create(&with_resource("a")));
    assert_eq!(ended.asked, ["read garden-dev/a"], "without a reservation");
    assert_eq!((refusal(&ended.decision), ended.decision.reason), (&*format!("{NAMED} {as_read}"), reason));
    assert_eq!(matches!(ended.decision.outcome, Outcome::Postponed(_)), reason == Reason::Unknown);

    let mut scene = Scene::new().with([credentials("a")]);
    scene.reserved.insert(key, answer);
    let ended = scene.run(&create(&with_resource("a")));
    assert_eq!(ended.asked, ["read garden-dev/a", "reserve garden-dev/a"]);
    assert_eq!(
        (refusal(&ended.decision), ended.decision.reason),
        (&*format!("{NAMED} {as_reserved}"), reason)
    );
}

#[test]
fn what_is_in_a_secret_counts_as_it_is_when_the_reservation_is_left() {
    let mut scene = Scene::full();
    scene.reserved.extend([found(secret(
        "docker-creds-v1",
        json!(true),
        json!({"username": "john", "password": " "}),
    ))]);
    assert_eq!(
        scene.refusal(&create(&with_private_cache("docker-creds-v1"))),
        "spec.extensions[0].providerConfig.caches[0].secretReferenceName: Invalid value: \"docker-creds\": the data entry \
         \"password\" in the referenced secret \"garden-dev/docker-creds-v1\" is empty"
    );
}

#[rstest]
#[case::as_many_as_may_be(MOST_RESERVATIONS, false)]
#[case::room_for_one(MOST_RESERVATIONS - 1, true)]
fn a_secret_that_many_are_about_to_take_up_must_wait(#[case] count: usize, #[case] is_allowed: bool) {
    let ended = Scene::new().with([reserved(credentials("a"), count)]).run(&create(&with_resource("a")));
    let expected =
        format!("{NAMED} is being taken up by {count} others right now; try again in some minutes");
    if is_allowed {
        assert_eq!(ended.decision.outcome, Outcome::Allowed);
    } else {
        assert_eq!(ended.decision.outcome, Outcome::Postponed(expected));
        assert_eq!((ended.decision.reason, ended.reservations.len()), (Reason::BeingTakenUp, 0));
    }
}

#[test]
fn what_is_wrong_is_told_before_what_is_unknown() {
    let mut scene = Scene::new();
    scene.secrets.insert(ObjectKey::new("garden-dev", "a"), unknown());
    let shoot = shoot(json!([]), json!([resource("a", "Secret", "a"), resource("b", "Secret", "b")]));
    let ended = scene.run(&create(&shoot));
    let expected = "Secret garden-dev/b (spec.resources[1]) does not exist; create it first";
    assert_eq!(ended.decision.outcome, Outcome::Denied(expected.to_owned()));
}

#[test]
fn a_secret_that_upstream_takes_and_that_breaks_the_cache_is_told() {
    let broken =
        secret("docker-creds-v1", json!(true), json!({"username": "john", "password": "swordfish\n"}));
    let ended = Scene::new().with([broken]).run(&create(&with_private_cache("docker-creds-v1")));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::Warned));
    let [warning] = ended.decision.warnings.texts() else { panic!("{:?}", ended.decision.warnings) };
    let expected = "password in secret \"garden-dev/docker-creds-v1\" ends with a line break";
    assert!(warning.starts_with(expected), "{warning}");
}

#[test]
fn what_a_secret_holds_is_not_told() {
    let data = json!({"username": "jo hn-hunter2", "password": " ", "hunter2-key": "hunter2"});
    let refusal = Scene::new()
        .with([secret("docker-creds-v1", json!(false), data)])
        .refusal(&create(&with_private_cache("docker-creds-v1")));
    assert!(!refusal.is_empty() && !refusal.contains("hunter2"), "{refusal}");
}

#[rstest]
#[case(50, "")]
#[case(51, "51 Secrets are to be looked at, and 50 are the most at once; take them up in several steps")]
fn so_many_secrets_are_taken_up_at_once(#[case] count: usize, #[case] expected: &str) {
    let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
    let scene = Scene::new().with(names.iter().map(|name| credentials(name)));
    let resources: Vec<Value> = names.iter().map(|name| resource(name, "Secret", name)).collect();
    let ended = scene.run(&create(&shoot(json!([]), json!(resources))));
    assert_eq!(refusal(&ended.decision), expected);
    assert_eq!(ended.reservations.len(), if expected.is_empty() { count } else { 0 });
}

#[test]
fn of_many_that_are_missing_some_are_named() {
    let resources: Vec<Value> =
        (0..8).map(|number| resource(&number.to_string(), "Secret", &format!("s{number}"))).collect();
    let refusal = Scene::new().refusal(&create(&shoot(json!([]), json!(resources))));
    assert_eq!(refusal.matches("does not exist").count(), 5);
    assert!(refusal.starts_with("[Secret garden-dev/s0 (spec.resources[0])"), "{refusal}");
    assert!(refusal.ends_with("create it first and 3 more]"), "{refusal}");
}

#[test]
fn a_name_that_no_secret_can_have_is_not_asked_for() {
    let ended = Scene::new().run(&create(&with_resource("../../kube-system/secrets/a")));
    assert_eq!(ended.asked, [""; 0]);
    assert!(refusal(&ended.decision).ends_with("does not exist; create it first"));
}

/// One that several caches use is wrong for each, and one that is right is looked at once.
#[test]
fn what_is_wrong_is_told_for_each_place_that_demands_it() {
    let second = json!({"upstream": "quay.io", "secretReferenceName": "docker-creds"});
    let shoot = shoot(
        json!([caches(json!([private_cache(), second]))]),
        json!([resource("docker-creds", "Secret", "docker-creds-v1")]),
    );
    let wrong = secret("docker-creds-v1", json!(null), json!({"username": "a", "password": "b"}));
    let refusal = Scene::new().with([wrong]).refusal(&create(&shoot));
    assert!(refusal.contains("caches[0]") && refusal.contains("caches[1]"), "{refusal}");
}

#[rstest]
#[case(&["a"])]
#[case(&["a", "a"])]
#[case(&["a", "b", "a", "c"])]
fn errors_are_joined_as_upstream_joins_them(#[case] values: &[&str]) {
    let errors: Vec<FieldError> =
        values.iter().map(|value| FieldError::duplicate(FieldPath::new("spec"), value)).collect();
    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(all(&sentences), joined(&errors).unwrap());
}
