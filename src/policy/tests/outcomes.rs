//! The outcome of a pod that needs a credential: {where its copy stands} × {name added, warning, who mends}.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::model::copy::Obstacle;
use crate::model::copy::Wanted;
use crate::policy::Reason;

const NARROWED: &str = r#"{"auths":{"ghcr.io":{"auth":"dTpw"}}}"#;
const UNDECODABLE: &str = r#"{"auths":{"ghcr.io":{"auth":"hunter2"}}}"#;

fn blocked(obstacle: Obstacle) -> CopyAnswer {
    CopyAnswer::Blocked(obstacle)
}

/// The name, what the warning says (nothing: no warning), and whether the retry loop goes on with it.
#[rstest]
#[case::created(CopyAnswer::Created, true, None, false)]
#[case::there_by_another_replica(CopyAnswer::Present, true, None, false)]
#[case::failed_or_out_of_time(blocked(Obstacle::Passing("no answer".into())), true, Some("created later: no answer"), true)]
#[case::quota_or_forbidden(blocked(Obstacle::Passing("exceeded quota".into())), true, Some("exceeded quota"), true)]
#[case::foreign(blocked(Obstacle::Foreign), false, Some("is not regcred's"), false)]
#[case::another_credentials(blocked(Obstacle::Rival("quay".into())), false, Some("is for regcred quay, so not for regcred ghcr"), false)]
#[case::never_accepted(blocked(Obstacle::Lasting("too large".into())), false, Some("too large"), false)]
#[case::namespace_gone(blocked(Obstacle::NamespaceGone), false, None, false)]
fn a_missing_copy(
    #[case] answer: CopyAnswer,
    #[case] is_added: bool,
    #[case] warning: Option<&str>,
    #[case] is_awaited: bool,
) {
    let cluster = Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]);
    let decision = cluster.decide_with(&creation("team-a", &pod(&["ghcr.io/a"])), &answer);
    assert_eq!(!added(&decision).is_empty(), is_added);
    assert_eq!(!decision.awaited.is_empty(), is_awaited);
    let warnings = decision.warnings.texts();
    assert_eq!(warnings.len(), usize::from(warning.is_some()), "{warnings:?}");
    assert!(warning.is_none_or(|warning| warnings[0].contains(warning)), "{warnings:?}");
}

/// What is created there would be taken for that source, and be carried everywhere.
#[test]
fn a_copy_is_not_created_where_the_missing_source_of_another_credential_belongs() {
    let other =
        json!({"secretRef": {"namespace": "team-a", "name": "regcred-ghcr"}, "namespaces": ["elsewhere"]});
    let cluster = Cluster::new()
        .offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"])
        .with_credential("other", &other);
    let Step::Decided(decision) =
        cluster.step(&creation("team-a", &pod(&["ghcr.io/a"])), &Answers::default())
    else {
        panic!("nothing is to be created");
    };
    assert_eq!((added(&decision), decision.reason), (vec![], Reason::NotInjected));
    assert!(decision.warnings.texts()[0].contains("team-a/regcred-ghcr is for another credential's source"));
}

#[test]
fn a_copy_that_is_there_costs_nothing() {
    let cluster = Cluster::new()
        .offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"])
        .with_copy("team-a", "ghcr");
    let Step::Decided(decision) =
        cluster.step(&creation("team-a", &pod(&["ghcr.io/a"])), &Answers::default())
    else {
        panic!("a warm decision needs nothing");
    };
    assert_eq!((added(&decision), decision.effects.len()), (vec!["regcred-ghcr"], 0));
    assert!(decision.warnings.texts().is_empty());
}

#[test]
fn a_copy_of_a_former_credential_counts_as_missing() {
    let cluster = Cluster::new()
        .offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"])
        .with_copy("team-a", "ghcr");
    let mut recreated = credential_object("ghcr", &json!({"namespaces": ["*"]}));
    recreated["metadata"]["uid"] = json!("another");
    cluster.0.apply_credential(&serde_json::from_value(recreated).unwrap()).unwrap();
    assert!(matches!(
        cluster.step(&creation("team-a", &pod(&["ghcr.io/a"])), &Answers::default()),
        Step::Needs(needs) if matches!(needs[0], Need::Copy { .. })
    ));
}

/// A source that has never been seen: nobody can tell whether the pod needs it, and pull Secrets can never be added
/// later.
#[rstest]
#[case::narrowed_to_the_image(json!({"namespaces": ["*"], "images": ["ghcr.io"]}), true)]
#[case::narrowed_to_another(json!({"namespaces": ["*"], "images": ["quay.io"]}), false)]
#[case::not_narrowed(json!({"namespaces": ["*"]}), true)]
fn a_source_that_is_missing(#[case] spec: Value, #[case] is_added: bool) {
    let cluster = Cluster::new().with_credential("ghcr", &spec);
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])));
    assert_eq!(!added(&decision).is_empty(), is_added);
    assert_eq!(
        decision.awaited.len(),
        usize::from(is_added),
        "the retry loop mends it once the source is there"
    );
    assert_eq!(
        decision.warnings.texts().iter().filter(|text| text.contains("sources/ghcr")).count(),
        usize::from(is_added)
    );
}

#[test]
fn a_source_that_has_gone_is_still_known_by_its_keys() {
    let cluster = Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]);
    cluster.0.retain_sources("sources", "kubernetes.io/dockerconfigjson", &std::collections::HashSet::new());
    assert_eq!(added(&cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])))), ["regcred-ghcr"]);
    assert!(added(&cluster.decide(&creation("team-a", &pod(&["quay.io/a"])))).is_empty());
}

#[test]
fn a_source_that_is_undecodable_is_never_carried() {
    let cluster = Cluster::new()
        .with_credential("ghcr", &json!({"namespaces": ["*"]}))
        .with_source("ghcr", UNDECODABLE);
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])));
    assert_eq!((added(&decision), decision.reason), (vec![], Reason::NotInjected));
    let warning = &decision.warnings.texts()[0];
    assert!(warning.contains("sources/ghcr is broken") && !warning.contains("hunter2"), "{warning}");
}

#[test]
fn a_copy_of_the_last_good_bytes_serves_while_its_source_is_undecodable() {
    let cluster = Cluster::new()
        .with_credential("ghcr", &json!({"namespaces": ["*"]}))
        .with_source("ghcr", NARROWED)
        .with_source("ghcr", UNDECODABLE)
        .with_copy("team-a", "ghcr");
    let decision = cluster.decide(&creation("team-a", &pod(&["ghcr.io/a"])));
    assert_eq!(added(&decision), ["regcred-ghcr"]);
    assert!(decision.warnings.texts().is_empty());
}

#[rstest]
#[case::undecodable(Some(UNDECODABLE))]
#[case::gone(None)]
fn a_copy_that_is_marked_serves_a_pod_whatever_has_become_of_its_source(#[case] source: Option<&str>) {
    let cluster = Cluster::new()
        .with_credential("ghcr", &json!({"namespaces": ["*"], "images": ["ghcr.io"]}))
        .with_source("ghcr", NARROWED)
        .with_marked_copy("team-a", "ghcr");
    let cluster = if let Some(document) = source {
        cluster.with_source("ghcr", document)
    } else {
        let none = std::collections::HashSet::new();
        cluster.0.retain_sources("sources", "kubernetes.io/dockerconfigjson", &none);
        cluster
    };
    let review = creation("team-a", &pod(&["ghcr.io/a"]));
    let Step::Needs(needs) = cluster.step(&review, &Answers::default()) else {
        panic!("its mark is to be taken off");
    };
    assert!(matches!(&needs[..], [Need::Copy { .. }]), "{needs:?}");
    let decision = cluster.decide_with(&review, &CopyAnswer::Present);
    assert_eq!((added(&decision), decision.warnings.texts().len()), (vec!["regcred-ghcr"], 0));
}

/// On a dry run nothing is written: what is there is only looked at.
#[rstest]
#[case::nothing_there(CopyAnswer::Absent, true, Some("dry run: regcred would create"), 1)]
#[case::ours(CopyAnswer::Present, true, None, 0)]
#[case::foreign(blocked(Obstacle::Foreign), false, Some("is not regcred's"), 0)]
#[case::no_answer(blocked(Obstacle::Passing("no answer".into())), true, Some("no answer"), 0)]
fn a_dry_run_says_what_would_happen(
    #[case] answer: CopyAnswer,
    #[case] is_added: bool,
    #[case] warning: Option<&str>,
    #[case] effects: usize,
) {
    let cluster = Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]);
    let mut review = creation("team-a", &pod(&["ghcr.io/a"]));
    review["request"]["dryRun"] = json!(true);
    assert!(matches!(
        cluster.step(&review, &Answers::default()),
        Step::Needs(needs) if matches!(needs[..], [Need::Copy { is_dry_run: true, .. }])
    ));
    let decision = cluster.decide_with(&review, &answer);
    assert_eq!((!added(&decision).is_empty(), decision.effects.len()), (is_added, effects));
    assert!(decision.awaited.is_empty(), "a dry run leaves nothing to do");
    assert!(
        warning.is_none_or(|warning| decision.warnings.texts()[0].contains(warning)),
        "{:?}",
        decision.warnings
    );
}

#[test]
fn of_two_credentials_that_want_the_same_copy_each_has_its_own_answer() {
    let cluster = Cluster::new()
        .offering("alpha", &json!({"namespaces": ["*"], "copyName": "pull"}), &["ghcr.io"])
        .offering("beta", &json!({"namespaces": ["*"], "copyName": "pull"}), &["ghcr.io"]);
    let answers = Answers {
        copies: [("alpha".into(), CopyAnswer::Created), ("beta".into(), blocked(Obstacle::Foreign))].into(),
        ..Answers::default()
    };
    let Step::Decided(decision) = cluster.step(&creation("team-a", &pod(&["ghcr.io/a"])), &answers) else {
        panic!("both are answered");
    };
    assert_eq!(added(&decision), ["pull"]);
}

#[test]
fn an_obstacle_is_remembered_until_its_pause_is_over() {
    let cluster = Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]);
    let place = Wanted::new(&credential("ghcr"), "team-a").key();
    let asks = || {
        let step = cluster.step(&creation("team-a", &pod(&["ghcr.io/a"])), &Answers::default());
        matches!(step, Step::Needs(_))
    };
    let now = Instant::now();
    cluster.0.set_back(&place, Obstacle::Foreign, now);
    assert!(!asks(), "no write during the pause");
    let over = now.checked_sub(Duration::from_mins(1)).unwrap();
    cluster.0.forget_setback(&place);
    cluster.0.set_back(&place, Obstacle::Foreign, over);
    assert!(asks(), "a write when it is over");
}

#[test]
fn pauses_double_from_five_seconds_to_five_minutes() {
    let (cluster, now) = (Cluster::new(), Instant::now());
    let place = Wanted::new(&credential("ghcr"), "team-a").key();
    let pauses = (0..8).map(|_| (cluster.0.set_back(&place, Obstacle::Foreign, now) - now).as_secs());
    assert_eq!(pauses.collect::<Vec<_>>(), [5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn a_copy_whose_place_is_its_sources_is_the_source_itself() {
    let cluster =
        Cluster::new().offering("ghcr", &json!({"namespaces": ["*"], "copyName": "ghcr"}), &["ghcr.io"]);
    let decision = cluster.decide(&creation("sources", &pod(&["ghcr.io/a"])));
    assert_eq!((added(&decision), decision.effects.len()), (vec!["ghcr"], 0));
}
