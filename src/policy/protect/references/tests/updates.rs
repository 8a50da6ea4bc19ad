//! Updates of Shoots: what is new is judged, and nothing else.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::protection::Reservation;
use crate::policy::{Outcome, Reason};

fn asked(old: &Value, new: &Value) -> Vec<String> {
    let ended = Scene::full().run(&update(old, new));
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    ended.asked
}

/// The steps of upstream's documentation, in which a Secret is replaced by another.
#[test]
fn credentials_are_rotated() {
    let [v1, v2] = ["docker-creds-v1", "docker-creds-v2"].map(with_private_cache);
    let to_v2 = ["read garden-dev/docker-creds-v2", "reserve garden-dev/docker-creds-v2"];
    assert_eq!(asked(&v1, &v2), to_v2, "through spec.resources");

    let renamed =
        caches(json!([{"upstream": "docker.io", "volume": {"size": "20Gi"}, "secretReferenceName": "new"}]));
    let both = json!([
        resource("docker-creds", "Secret", "docker-creds-v1"),
        resource("new", "Secret", "docker-creds-v2")
    ]);
    assert_eq!(asked(&v1, &shoot(json!([renamed]), both)), to_v2, "by another entry");

    let mut held = v2.clone();
    held["metadata"]["finalizers"] = json!(["gardener.cloud/reference-protection"]);
    assert_eq!(asked(&v2, &held), [""; 0], "by Gardener's finalizer");

    let to_v1 = ["read garden-dev/docker-creds-v1", "reserve garden-dev/docker-creds-v1"];
    assert_eq!(asked(&v2, &v1), to_v1, "and back");
    assert_eq!(asked(&v2, &shoot(json!([]), json!([]))), [""; 0], "and dropped");
}

#[test]
fn the_new_secret_of_a_rotation_is_judged_although_the_configuration_is_the_same() {
    let scene = Scene::full().with([secret(
        "docker-creds-v2",
        json!(null),
        json!({"username": "a", "password": "b"}),
    )]);
    let refusal = scene
        .refusal(&update(&with_private_cache("docker-creds-v1"), &with_private_cache("docker-creds-v2")));
    assert_eq!(
        refusal,
        "spec.extensions[0].providerConfig.caches[0].secretReferenceName: Invalid value: \"docker-creds\": the referenced \
         secret \"garden-dev/docker-creds-v2\" should be immutable"
    );
}

#[test]
fn what_another_cache_newly_takes_of_a_secret_that_is_pointed_to_already_is_judged_without_a_reservation() {
    let old = with_private_cache("docker-creds-v1");
    let second = json!({"upstream": "quay.io", "secretReferenceName": "docker-creds"});
    let new = with(old.clone(), "/spec/extensions/0/providerConfig/caches", json!([private_cache(), second]));
    assert_eq!(asked(&old, &new), ["read garden-dev/docker-creds-v1"]);
    let refusal = Scene::new().refusal(&update(&old, &new));
    assert!(refusal.starts_with("failed to get secret garden-dev/docker-creds-v1"), "{refusal}");
    let moved = with(
        old.clone(),
        "/spec/extensions/0/providerConfig/caches",
        json!([{"upstream": "a.io"}, private_cache()]),
    );
    assert_eq!(asked(&old, &moved), [""; 0], "the place of a cache does not matter");
}

#[test]
fn a_reservation_says_who_writes_what_over_what() {
    let (old, new) = (with_private_cache("docker-creds-v1"), with_private_cache("docker-creds-v2"));
    let reservation = |review: &Value| {
        let ended = Scene::full().run(review);
        let [(secret, uid, reservation)] = ended.reservations.as_slice() else { panic!("{:?}", ended.asked) };
        assert_eq!(
            (secret.to_string(), uid.as_str()),
            ("garden-dev/docker-creds-v2".into(), "uid-of-docker-creds-v2")
        );
        let Reservation { attempt, claim } = reservation.clone();
        (
            attempt.to_string(),
            claim.referrer.to_string(),
            claim.uid.to_string(),
            claim.over.map(|over| over.to_string()),
        )
    };
    let expected = |over: Option<&str>| {
        let over = over.map(str::to_owned);
        ("attempt".to_owned(), "Shoot garden-dev/crazy-botany".to_owned(), "uid-of-shoot".to_owned(), over)
    };
    assert_eq!(reservation(&create(&new)), expected(None));
    assert_eq!(reservation(&update(&old, &new)), expected(Some("7")));
    let mut unnamed = create(&new);
    unnamed["request"]["name"] = Value::Null;
    assert_eq!(reservation(&unnamed), expected(None), "a name that the API server has made up");
}

#[test]
fn a_dry_run_leaves_no_reservation() {
    let mut review = create(&with_private_cache("docker-creds-v1"));
    review["request"]["dryRun"] = json!(true);
    let ended = Scene::full().run(&review);
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    assert_eq!(ended.asked, ["read garden-dev/docker-creds-v1"]);
    assert!(!Scene::new().refusal(&review).is_empty(), "but is judged");
}

fn going(mut shoot: Value) -> Value {
    shoot["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    shoot["metadata"]["finalizers"] = json!(["gardener"]);
    shoot
}

#[rstest]
#[case::going(going(with_private_cache("docker-creds-v1")), going(with_private_cache("gone")))]
#[case::unchanged(with_private_cache("gone"), with_private_cache("gone"))]
#[case::other_fields(with_private_cache("gone"), {
    let mut new = with_private_cache("gone");
    new["spec"]["hibernation"] = json!({"enabled": true});
    new["metadata"]["annotations"] = json!({"step": "c"});
    new
})]
#[case::a_mirror_that_was_wrong(
    shoot(json!([mirrors(json!([{"upstream": "a/b"}]))]), json!([])),
    shoot(json!([mirrors(json!([{"upstream": "a/b", "hosts": null}]))]), json!([]))
)]
#[case::another_entry_for_the_same_secret(
    shoot(json!([]), json!([resource("a", "Secret", "gone")])),
    shoot(json!([]), json!([resource("b", "Secret", "gone"), resource("a", "Secret", "gone")]))
)]
#[case::no_reference_left(with_private_cache("gone"), shoot(json!([]), json!([])))]
fn nothing_new_is_allowed_and_nobody_is_asked(#[case] old: Value, #[case] new: Value) {
    let ended = Scene::new().run(&update(&old, &new));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::NotConcerned));
    assert_eq!(ended.decision.warnings.texts(), [""; 0]);
    assert_eq!(ended.asked, [""; 0]);
}

/// It writes no such objects: whoever does with its account leaves reservations like everybody.
#[test]
fn whoever_has_regcreds_account_is_asked_as_well() {
    let scene = Scene::full();
    scene.index.know_own_user("alice");
    let ended = scene.run(&create(&with_private_cache("docker-creds-v1")));
    assert_eq!((ended.decision.outcome, ended.reservations.len()), (Outcome::Allowed, 1));
}

/// What is wrong already, in each way of being wrong, and something new beside it.
#[rstest]
#[case::by_itself(
    caches(json!([{"upstream": "a/b"}])), caches(json!([{"upstream": "a/b"}, {"upstream": "quay.io"}])), json!([]),
    "wrong already: spec.extensions[0].providerConfig.caches[0].upstream: Invalid value: \"a/b\": a lowercase"
)]
#[case::by_what_it_refers_to(
    caches(json!([private_cache()])), caches(json!([private_cache(), {"upstream": "quay.io"}])), json!([]),
    "wrong already: spec.extensions[0].providerConfig.caches[0].secretReferenceName: Invalid value: \"docker-creds\""
)]
fn what_was_wrong_before_is_a_warning(
    #[case] old: Value,
    #[case] new: Value,
    #[case] resources: Value,
    #[case] expected: &str,
) {
    let [old, new] = [old, new].map(|extension| shoot(json!([extension]), resources.clone()));
    let ended = Scene::full().run(&update(&old, &new));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::Warned));
    let [warning] = ended.decision.warnings.texts() else { panic!("{:?}", ended.decision.warnings) };
    assert!(warning.starts_with(expected), "{warning}");
    let refusal = Scene::full().refusal(&create(&new));
    assert!(refusal.starts_with("spec.extensions[0]"), "{refusal}: and not for a new Shoot");
}

#[test]
fn an_error_that_the_shoot_had_in_another_place_of_its_extensions_is_no_new_one() {
    let wrong = |more: Value| caches(json!([{"upstream": "a/b"}, more]));
    let old = shoot(json!([wrong(json!({"upstream": "quay.io"}))]), json!([]));
    let new = shoot(json!([extension("foo", json!({})), wrong(json!({"upstream": "ghcr.io"}))]), json!([]));
    assert_eq!(Scene::full().refusal(&update(&old, &new)), "");
}

#[test]
fn a_runtime_that_was_wrong_before_is_a_warning_when_the_configuration_changes() {
    let docker = |extension: Value| {
        with(shoot(json!([extension]), json!([])), "/spec/provider/workers/0/cri/name", json!("docker"))
    };
    let [one, two] = [json!([cache("20Gi")]), json!([cache("20Gi"), {"upstream": "quay.io"}])].map(caches);
    let ended = Scene::full().run(&update(&docker(one.clone()), &docker(two.clone())));
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    assert!(ended.decision.warnings.texts()[0].contains("needs to be containerd"));
    let refusal = Scene::full().refusal(&update(&shoot(json!([one]), json!([])), &docker(two)));
    assert!(refusal.contains("needs to be containerd"), "{refusal}");
}

#[test]
fn mirrors_and_caches_of_one_upstream_collide_whichever_comes_last() {
    let (mirrors, caches) = (mirrors(json!([mirror()])), caches(json!([cache("20Gi")])));
    let both = shoot(json!([mirrors, caches]), json!([]));
    for first in [mirrors.clone(), caches.clone()] {
        let refusal = Scene::full().refusal(&update(&shoot(json!([first]), json!([])), &both));
        assert!(refusal.contains("is also configured as a registry cache upstream"), "{refusal}");
    }
    assert_eq!(Scene::full().refusal(&update(&both, &both)), "");
}

#[test]
fn a_disabled_extension_has_no_rules_and_its_secrets_are_kept_all_the_same() {
    let mut disabled = with_private_cache("docker-creds-v1");
    disabled["spec"]["extensions"][0]["disabled"] = json!(true);
    let scene = Scene::new().with([secret("docker-creds-v1", json!(false), json!({}))]);
    let ended = scene.run(&create(&disabled));
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    assert_eq!(ended.asked, ["read garden-dev/docker-creds-v1", "reserve garden-dev/docker-creds-v1"]);
    let refusal = scene.refusal(&update(&disabled, &with_private_cache("docker-creds-v1")));
    assert!(refusal.contains("should be immutable"), "{refusal}");
}

#[test]
fn an_entry_that_an_extension_still_refers_to_is_not_taken_away() {
    let old = with_private_cache("docker-creds-v1");
    let refusal = Scene::full().refusal(&update(&old, &with(old.clone(), "/spec/resources", json!([]))));
    assert!(refusal.contains("failed to find referenced resource with name docker-creds"), "{refusal}");
}
