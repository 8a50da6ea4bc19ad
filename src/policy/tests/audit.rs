//! Mode Audit: decides as Enforce does, and has no effects.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::pods::any_pod;
use super::*;
use crate::model::copy::Obstacle;
use crate::policy::Reason;

fn auditing(registry: &str) -> Cluster {
    Cluster::new().offering("ghcr", &json!({"namespaces": ["*"], "mode": "Audit"}), &[registry])
}

fn assert_no_effects(decision: &Decision) {
    assert!(decision.patch.is_none() && decision.effects.is_empty(), "{decision:?}");
    assert!(decision.awaited.is_empty() && decision.relied_on.is_empty(), "{decision:?}");
}

/// What would have been added, what is told, and the reason.
#[rstest]
#[case::nothing_there(
    CopyAnswer::Absent,
    Some("audit: regcred would add pull Secret regcred-ghcr (RegistryCredential ghcr is in mode Audit)"),
    Reason::Audited
)]
#[case::ours(CopyAnswer::Present, Some("audit: regcred would add pull Secret regcred-ghcr"), Reason::Audited)]
#[case::no_answer(CopyAnswer::Blocked(Obstacle::Passing("x".into())), Some("audit: regcred would add pull Secret regcred-ghcr"), Reason::Audited)]
#[case::foreign(CopyAnswer::Blocked(Obstacle::Foreign), None, Reason::NothingToAdd)]
#[case::another_credentials(CopyAnswer::Blocked(Obstacle::Rival("quay".into())), None, Reason::NothingToAdd)]
#[case::never_accepted(CopyAnswer::Blocked(Obstacle::Lasting("x".into())), None, Reason::NothingToAdd)]
fn it_says_what_enforce_would_do_and_does_nothing(
    #[case] answer: CopyAnswer,
    #[case] says: Option<&str>,
    #[case] reason: Reason,
) {
    let review = creation("team-a", &pod(&["ghcr.io/a"]));
    let cluster = auditing("ghcr.io");
    assert!(matches!(
        cluster.step(&review, &Answers::default()),
        Step::Needs(needs) if matches!(needs[..], [Need::Copy { is_dry_run: true, .. }])
    ));
    let decision = cluster.decide_with(&review, &answer);
    assert_no_effects(&decision);
    assert_eq!((audited(&decision).len(), decision.reason), (usize::from(says.is_some()), reason));
    let warnings = decision.warnings.texts();
    assert!(warnings[0].starts_with(says.unwrap_or("audit: ")), "{warnings:?}");
}

#[test]
fn a_credential_that_is_enforced_is_so_beside_one_that_is_audited() {
    let cluster = auditing("ghcr.io").offering("quay", &json!({"namespaces": ["*"]}), &["quay.io"]);
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a", "quay.io/a"])));
    assert_eq!((added(&decision), decision.reason), (vec!["regcred-quay"], Reason::Injected));
    assert_eq!(audited(&decision), ["regcred-ghcr"]);
    assert_eq!((decision.effects.len(), decision.relied_on.len()), (1, 1));
}

#[test]
fn a_name_that_an_enforced_credential_adds_is_not_counted_again() {
    let cluster = Cluster::new()
        .offering("alpha", &json!({"namespaces": ["*"], "copyName": "pull", "mode": "Audit"}), &["ghcr.io"])
        .offering("beta", &json!({"namespaces": ["*"], "copyName": "pull"}), &["ghcr.io"]);
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])));
    assert_eq!((added(&decision), audited(&decision).len()), (vec!["pull"], 0));
}

#[test]
fn nothing_of_an_audited_credential_is_waited_for_when_its_source_is_missing() {
    let cluster = Cluster::new().with_credential("ghcr", &json!({"namespaces": ["*"], "mode": "Audit"}));
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])));
    assert_no_effects(&decision);
    assert_eq!(audited(&decision), ["regcred-ghcr"]);
    assert!(decision.warnings.texts().iter().all(|text| text.starts_with("audit: ")), "{decision:?}");
}

#[test]
fn whoever_debugs_a_pod_is_told_that_it_is_an_audit() {
    let before = pod(&["busybox"]);
    let mut after = before.clone();
    after["spec"]["ephemeralContainers"] = json!([{"image": "ghcr.io/debug"}]);
    let mut review = creation("team-a", &after);
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["subResource"] = json!("ephemeralcontainers");
    review["request"]["oldObject"] = before;
    let decision = auditing("ghcr.io").decide(&review);
    assert_eq!(decision.reason, Reason::Audited);
    assert!(decision.warnings.texts()[0].starts_with("audit: this image needs"), "{decision:?}");
}

/// `alpha` narrowed, `ghcr` and `quay` not, each in a mode of its own.
fn cluster(modes: [&str; 3]) -> Cluster {
    let [alpha, ghcr, quay] = modes;
    Cluster::new()
        .offering(
            "alpha",
            &json!({"namespaces": ["*"], "images": ["ghcr.io/org"], "mode": alpha}),
            &["ghcr.io"],
        )
        .offering("ghcr", &json!({"namespaces": ["*"], "mode": ghcr}), &["ghcr.io"])
        .offering("quay", &json!({"namespaces": ["*"], "mode": quay}), &["quay.io"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn audit_counts_exactly_the_names_that_enforce_adds(
        pod in any_pod(),
        modes in prop::array::uniform3(prop::sample::select(vec!["Audit", "Enforce"])),
        is_foreign in any::<bool>(),
    ) {
        let review = creation("team-a", &pod);
        let answer = |free: CopyAnswer| if is_foreign { CopyAnswer::Blocked(Obstacle::Foreign) } else { free };
        let enforced = cluster(["Enforce"; 3]).decide_with(&review, &answer(CopyAnswer::Created));
        let mixed = cluster(modes).decide_with(&review, &answer(CopyAnswer::Absent));
        let all_audited = cluster(["Audit"; 3]).decide_with(&review, &answer(CopyAnswer::Absent));
        assert_no_effects(&all_audited);
        prop_assert_eq!(audited(&all_audited), added(&enforced));
        let mut together: Vec<&str> = added(&mixed).into_iter().chain(audited(&mixed)).collect();
        together.sort_unstable();
        prop_assert_eq!(together, added(&enforced));
    }
}
