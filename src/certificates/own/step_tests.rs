//! Single steps, each from a situation that differs from an ordinary one in what the test is about.

use super::super::bundles::Kind;
use super::super::record::Signing;
use super::*;
use crate::certificates::PrivateKeyPem;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// 2026-01-01T00:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(490_896)
}

fn schedule() -> Schedule {
    Schedule::new(7 * DAY, 365 * DAY, 10 * SECOND).unwrap()
}

fn anchor(name: &str) -> TrustAnchor {
    TrustAnchor::imagined(name, now() - DAY, now() + 364 * DAY)
}

fn former(name: &str, until: SystemTime) -> Former {
    Former { certificate: anchor(name), until }
}

fn record(name: &str, former: Vec<Former>) -> Record {
    let signing = Signing { certificate: anchor(name), key: PrivateKeyPem::new(String::new()) };
    Record { signing, leaves_until: now() + 6 * DAY, former }
}

fn served(name: &str) -> Served {
    Served { issuer: anchor(name), made: now() - DAY, not_after: now() + 6 * DAY }
}

fn trusting(bundles: &[&[&str]]) -> Vec<Configuration> {
    let entry = |names: &&[&str]| Entry {
        place: 0,
        name: "an-entry.regcred.dev".to_owned(),
        anchors: names.iter().map(|name| anchor(name)).collect(),
    };
    let configuration = |(number, names): (usize, &&[&str])| Configuration {
        kind: [Kind::Mutating, Kind::Validating][number],
        uid: number.to_string(),
        resource_version: "1".to_owned(),
        entries: vec![entry(names)],
        elsewhere: Vec::new(),
    };
    bundles.iter().enumerate().map(configuration).collect()
}

/// All as it should be, a day after the start.
fn ordinary() -> Observed {
    Observed {
        stored: Stored::Record(record("a", vec![])),
        configurations: trusting(&[&["a"], &["a"]]),
        served: Some(served("a")),
        published_for: Some(DAY),
        now: now(),
    }
}

fn next(observed: &Observed) -> Step {
    observed.next(&schedule())
}

fn names(anchors: &[TrustAnchor]) -> Vec<String> {
    anchors.iter().map(|anchor| String::from_utf8_lossy(anchor.der()).into_owned()).collect()
}

fn formers(former: &[Former]) -> Vec<(String, SystemTime)> {
    let name = |one: &Former| names(std::slice::from_ref(&one.certificate)).remove(0);
    former.iter().map(|one| (name(one), one.until)).collect()
}

/// What the first entry of the first change is to trust.
fn published(step: Step) -> Vec<String> {
    match step {
        Step::Publish(changes) => names(&changes[0].1[0].anchors),
        other => panic!("{other:?}"),
    }
}

#[test]
fn when_all_is_right_nothing_is_done_and_the_clock_is_looked_at_again() {
    assert_eq!(next(&ordinary()), Step::Rest(Duration::from_mins(1)));
}

#[test]
fn on_an_empty_cluster_an_authority_is_made() {
    let observed = Observed { stored: Stored::Absent, served: None, ..ordinary() };
    let observed = Observed { configurations: trusting(&[&[], &[]]), ..observed };
    assert_eq!(next(&observed), Step::Establish { former: vec![] });
}

#[test]
fn an_authority_is_replaced_when_it_is_old_or_not_valid_yet_and_not_before() {
    let made = now() - DAY;
    let renewal = made + 365 * DAY / 3 * 2;
    for (at, replaced) in [
        (now(), false),
        (renewal - SECOND, false),
        (renewal, true),
        (now() + 1000 * DAY, true),
        (made - Duration::from_mins(59), false),
        (made - Duration::from_mins(61), true),
    ] {
        let observed = Observed { now: at, ..ordinary() };
        let step = next(&observed);
        assert_eq!(matches!(step, Step::Establish { .. }), replaced, "{step:?}");
    }
}

#[test]
fn the_authority_that_is_replaced_stays_until_its_last_leaf_ends() {
    let at = now() + 300 * DAY;
    for (recorded, until) in [(at - DAY, at + 7 * DAY), (at + 9 * DAY, at + 9 * DAY)] {
        let held = record("a", vec![former("older", at + SECOND), former("over", at - DAY)]);
        let held = Record { leaves_until: recorded, ..held };
        let observed = Observed { stored: Stored::Record(held), now: at, ..ordinary() };
        let Step::Establish { former } = next(&observed) else { panic!("no new authority") };
        assert_eq!(formers(&former), [("older".to_owned(), at + SECOND), ("a".to_owned(), until)]);
    }
}

#[test]
fn after_the_loss_of_the_secret_all_that_is_in_use_is_carried_over() {
    for stored in [Stored::Absent, Stored::Unusable] {
        let observed = Observed {
            stored,
            configurations: trusting(&[&["of-another-replica", "a"], &["a", "older"]]),
            ..ordinary()
        };
        let Step::Establish { former } = next(&observed) else { panic!("no new authority") };
        assert_eq!(
            formers(&former),
            [
                // Nothing is known of their leaves but that none is valid for longer than one made now.
                ("of-another-replica".to_owned(), now() + 7 * DAY),
                ("a".to_owned(), now() + 7 * DAY),
                ("older".to_owned(), now() + 7 * DAY),
            ]
        );
    }
}

#[test]
fn what_a_bundle_trusts_is_recorded_before_anything_is_taken_out() {
    // An older Secret was brought back: it knows nothing of the authority in use.
    let observed = Observed { stored: Stored::Record(record("older", vec![])), ..ordinary() };
    let Step::Record(recorded) = next(&observed) else { panic!("not recorded") };
    assert_eq!(formers(&recorded.former), [("a".to_owned(), now() + 7 * DAY)]);
    let observed = Observed { stored: Stored::Record(recorded), ..observed };
    assert_eq!(published(next(&observed)), ["older", "a"]);
}

#[test]
fn bundles_are_made_right_wherever_they_are_not() {
    let held = Stored::Record(record("a", vec![former("b", now() + DAY)]));
    for (bundles, wrong) in [
        ([&["a", "b"][..], &["a", "b"][..]], vec![]),
        ([&["b", "a"], &["a", "b"]], vec![]),
        ([&["a", "b"], &["a"]], vec![1]),
        ([&[], &["b"]], vec![0, 1]),
        ([&["a", "b", "b"], &["a", "b"]], vec![0]),
    ] {
        let observed = Observed { stored: held.clone(), configurations: trusting(&bundles), ..ordinary() };
        let changed = match next(&observed) {
            Step::Publish(changes) => changes.into_iter().map(|(place, _)| place).collect(),
            Step::Rest(_) => vec![],
            other => panic!("{other:?}"),
        };
        assert_eq!(changed, wrong, "{bundles:?}");
    }
}

#[test]
fn a_former_authority_leaves_a_bundle_some_time_after_its_end_and_is_not_put_back_before_that() {
    let tolerance = Duration::from_mins(5);
    for (since_its_end, in_bundle, expected) in [
        (-1_i32, false, Some(true)),
        (-1, true, None),
        (1, false, None),
        (1, true, None),
        (299, true, None),
        (301, true, Some(false)),
    ] {
        let until =
            if since_its_end < 0 { now() + SECOND } else { now() - SECOND * since_its_end.unsigned_abs() };
        let bundle: &[&str] = if in_bundle { &["a", "b"] } else { &["a"] };
        let observed = Observed {
            stored: Stored::Record(record("a", vec![former("b", until)])),
            configurations: trusting(&[bundle]),
            ..ordinary()
        };
        let trusted = match next(&observed) {
            Step::Publish(changes) => Some(names(&changes[0].1[0].anchors).contains(&"b".to_owned())),
            Step::Rest(_) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(trusted, expected, "{since_its_end} s after its end, in the bundle: {in_bundle}");
        assert!(tolerance == schedule().clock_tolerance());
    }
}

#[test]
fn the_secret_forgets_a_former_authority_only_when_no_bundle_has_it_and_every_clock_agrees() {
    for (since_its_end, in_bundle, forgotten) in [(599, false, false), (601, false, true), (601, true, false)]
    {
        let held = record("a", vec![former("b", now() - SECOND * since_its_end)]);
        let bundle: &[&str] = if in_bundle { &["a", "b"] } else { &["a"] };
        let observed =
            Observed { stored: Stored::Record(held), configurations: trusting(&[bundle]), ..ordinary() };
        let step = next(&observed);
        assert_eq!(matches!(&step, Step::Record(record) if record.former.is_empty()), forgotten, "{step:?}");
    }
}

#[test]
fn a_leaf_is_renewed_at_two_thirds_of_its_life_and_its_end_recorded_first() {
    let renewal = now() - DAY + 7 * DAY / 3 * 2;
    assert!(matches!(next(&Observed { now: renewal - SECOND, ..ordinary() }), Step::Rest(_)));
    let observed = Observed { now: renewal, ..ordinary() };
    let Step::Record(recorded) = next(&observed) else { panic!("not recorded") };
    let end = schedule().leaf_end(renewal, now() + 364 * DAY);
    assert_eq!(recorded.leaves_until, end);
    // A moment later the recorded end still serves.
    for later in [Duration::ZERO, SECOND, Duration::from_hours(10)] {
        let observed =
            Observed { stored: Stored::Record(recorded.clone()), now: renewal + later, ..observed.clone() };
        assert_eq!(next(&observed), Step::Serve { not_after: end });
    }
    let observed = Observed { stored: Stored::Record(recorded), now: renewal + DAY, ..observed };
    assert!(matches!(next(&observed), Step::Record(_)), "too short by now");
}

#[test]
fn a_leaf_is_replaced_only_when_its_authority_is_in_every_bundle_for_long_enough() {
    let second = |seconds| Some(Duration::from_secs(seconds));
    let expired = Served { not_after: now(), ..served("old") };
    for (leaf, published_for, expected) in [
        (Some(served("old")), second(0), Err(10)),
        (Some(served("old")), second(9), Err(1)),
        (Some(served("old")), second(10), Ok(())),
        // Whoever serves nothing that works has nothing to lose.
        (None, second(0), Err(2)),
        (None, second(2), Ok(())),
        (Some(expired), second(2), Ok(())),
    ] {
        let held =
            Record { leaves_until: now() + 7 * DAY, ..record("a", vec![former("old", now() + 6 * DAY)]) };
        let observed = Observed {
            stored: Stored::Record(held),
            configurations: trusting(&[&["a", "old"]]),
            served: leaf.clone(),
            published_for,
            ..ordinary()
        };
        let expected = match expected {
            Ok(()) => Step::Serve { not_after: now() + 7 * DAY },
            Err(wait) => Step::Rest(Duration::from_secs(wait)),
        };
        assert_eq!(next(&observed), expected, "{leaf:?} {published_for:?}");
    }
}

#[test]
fn without_any_configuration_there_is_nothing_to_wait_for_and_nothing_is_created() {
    let held = Record { leaves_until: now() + 7 * DAY, ..record("a", vec![]) };
    let observed = Observed {
        stored: Stored::Record(held),
        configurations: vec![],
        served: None,
        published_for: Some(Duration::ZERO),
        ..ordinary()
    };
    assert_eq!(next(&observed), Step::Serve { not_after: now() + 7 * DAY });
    let served = Observed { served: Some(served("a")), ..observed };
    assert!(matches!(next(&served), Step::Rest(_)));
}

#[test]
fn the_end_of_the_leaf_served_is_recorded_should_the_secret_know_an_earlier_one() {
    let held = Record { leaves_until: now() + DAY, ..record("a", vec![]) };
    let observed = Observed { stored: Stored::Record(held), ..ordinary() };
    let Step::Record(recorded) = next(&observed) else { panic!("not recorded") };
    assert_eq!(recorded.leaves_until, now() + 6 * DAY);
}

#[test]
fn the_secret_does_not_grow_without_end() {
    let many: Vec<String> = (0..40).map(|number| format!("ca-{number:02}")).collect();
    let all: Vec<&str> = many.iter().map(String::as_str).chain(["a"]).collect();
    let observed = Observed { configurations: trusting(&[&all]), ..ordinary() };
    let Step::Record(recorded) = next(&observed) else { panic!("not recorded") };
    assert_eq!(recorded.former.len(), FORMER_AT_MOST);
    // And comes to rest: what is not kept leaves the bundle.
    let observed = Observed { stored: Stored::Record(recorded), ..observed };
    assert_eq!(published(next(&observed)).len(), FORMER_AT_MOST + 1);
}

#[test]
fn what_has_expired_is_taken_out_and_never_recorded() {
    let mut observed = ordinary();
    let expired = TrustAnchor::imagined("expired", now() - 9 * DAY, now() - SECOND);
    observed.configurations[0].entries[0].anchors.push(expired);
    assert_eq!(published(next(&observed)), ["a"]);
}
