//! What follows from what is known and remembered.

mod properties;

use rstest::rstest;

use super::*;
use crate::controller::protection::record::{Finding, Outcome, Standing};
use crate::model::protection::{Claim, Listing, LiveReferrer, RESERVATION_PREFIX};
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};

const SETTLE: Duration = Duration::from_mins(2);

fn secret() -> ObjectKey {
    ObjectKey::new("garden-dev", "docker-creds")
}

fn shoot(name: &str) -> Referrer {
    Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", name) }
}

fn reservation(attempt: &str) -> Reservation {
    let claim = Claim { referrer: shoot("one"), uid: "2".into(), over: None };
    Reservation { attempt: attempt.into(), claim }
}

fn annotation(attempt: &str) -> Arc<str> {
    format!("{RESERVATION_PREFIX}{attempt}").into()
}

fn guard(version: &str) -> Guard {
    Guard { uid: "1".into(), resource_version: version.into() }
}

/// A marked Secret in version 7 with these reservations; the one that is called `?` says nothing.
fn marked(attempts: &[&str]) -> Marked {
    let (unreadable, read): (Vec<&str>, Vec<_>) = attempts.iter().partition(|attempt| **attempt == "?");
    Marked {
        guard: guard("7"),
        reservations: read.into_iter().map(reservation).collect(),
        unreadable: unreadable.into_iter().map(annotation).collect(),
        terminating: false,
    }
}

fn terminating() -> Marked {
    Marked { terminating: true, ..marked(&[]) }
}

/// What the leader has in its head about one Secret. Times are in seconds from the start.
struct Scene {
    references: References,
    marked: Option<Marked>,
    record: Record,
    start: Instant,
}

impl Scene {
    fn new(marked: Option<Marked>, is_used: bool) -> Self {
        let (references, record) = (References::default(), Record::default());
        let mut scene = Self { references, marked, record, start: Instant::now() };
        scene.uses(is_used);
        scene
    }

    fn uses(&mut self, is_used: bool) {
        let reference = Reference::new(secret(), "spec.resources[0]");
        let secrets = if is_used { vec![reference] } else { Vec::new() };
        self.references.apply(shoot("one"), Pointers::to(secrets));
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn plan(&mut self, second: u64) -> Plan {
        let planner = Planner { references: &self.references, settle: SETTLE, now: self.at(second) };
        planner.plan(&secret(), self.marked.as_ref(), &mut self.record)
    }

    /// A plan in words.
    fn told(&mut self, second: u64) -> String {
        let attempts = |annotations: Vec<Arc<str>>| {
            let attempts = annotations.iter().map(|name| name.strip_prefix(RESERVATION_PREFIX).unwrap());
            attempts.collect::<Vec<_>>().join(" ")
        };
        match self.plan(second) {
            Plan::Nothing => "nothing".to_owned(),
            Plan::Later(moment) => format!("later {}", (moment - self.start).as_secs()),
            Plan::Label => "label".to_owned(),
            Plan::Look(due) => {
                format!("look {}", attempts(due.iter().map(|one| one.annotation().into()).collect()))
            }
            Plan::Withdraw(guard, over) => format!("withdraw {}: {}", guard.resource_version, attempts(over)),
            Plan::List(guard) => format!("list {}", guard.resource_version),
            Plan::TakeOff(guard) => format!("take off {}", guard.resource_version),
            Plan::Tell(absence, uses) => {
                let referrers: Vec<String> = uses.iter().map(|one| one.referrer.to_string()).collect();
                format!("tell {absence:?} {}", referrers.join(" "))
            }
        }
    }

    fn note(&mut self, second: u64, done: &Done) {
        self.plan(second);
        let at = self.at(second);
        let outcome = match done {
            Done::Failed => Outcome::Failed,
            Done::Written => Outcome::Written,
            Done::Gone => Outcome::Gone(Absence::Gone, at),
            Done::Looked(findings) => {
                let findings = findings.iter().map(|(attempt, finding)| (annotation(attempt), *finding));
                Outcome::Looked(at, findings.collect())
            }
            Done::Listed(version, listing) => Outcome::Listed(guard(version), listing.clone()),
            Done::Confirmed(is_told) => {
                let standing = is_told.map(|told| if told { Standing::Told } else { Standing::Clear(at) });
                Outcome::Confirmed(vec![(Arc::new(shoot("one")), standing)])
            }
        };
        self.record.note(outcome, at);
    }
}

#[test]
fn a_reservation_whose_object_was_deleted_is_withdrawn_without_a_look() {
    let mut scene = Scene::new(Some(marked(&["a"])), false);
    scene.references.note_deleted("another");
    assert_eq!(scene.told(0), "later 1");
    scene.references.note_deleted("2");
    assert_eq!(scene.told(0), "withdraw 7: a");
}

/// What has been done, in terms of a scene.
#[derive(Debug, Clone)]
enum Done {
    Failed,
    Written,
    Gone,
    Looked(Vec<(&'static str, Finding)>),
    Listed(&'static str, Listing),
    Confirmed(Option<bool>),
}

fn looked(finding: Finding) -> Done {
    Done::Looked(vec![("a", finding)])
}

fn nobody() -> Listing {
    Listing::Complete(Vec::new())
}

fn somebody() -> Listing {
    Listing::Complete(vec![(Arc::new(shoot("one")), vec![Reference::new(secret(), "spec.resources[0]")])])
}

fn unknown() -> Listing {
    Listing::Unknown("no answer".into())
}

use Done::{Confirmed, Failed, Gone, Listed, Looked, Written};
use Finding::{Open, Settled, Unknown};

/// Whether it is marked, and used as far as the watches show; what has been done when; and what is to be done at this second.
#[rstest]
#[case::of_no_concern(None, false, &[], 0, "nothing")]
#[case::used(None, true, &[], 0, "label")]
#[case::used_and_could_not_be_marked(None, true, &[(0, Failed)], 0, "later 1")]
#[case::after_the_pause(None, true, &[(0, Failed)], 1, "label")]
#[case::the_pause_grows(None, true, &[(0, Failed), (1, Failed), (3, Failed)], 3, "later 7")]
#[case::and_ends_with_a_success(None, true, &[(0, Failed), (1, Failed), (3, Written), (4, Failed)], 4, "later 5")]
#[case::used_and_gone(None, true, &[(0, Gone)], 0, "tell Gone Shoot garden-dev/one")]
#[case::told_once(None, true, &[(0, Gone), (0, Confirmed(Some(true)))], 0, "later 300")]
#[case::and_looked_at_again(None, true, &[(0, Gone), (0, Confirmed(Some(true)))], 300, "label")]
#[case::and_still_gone(None, true, &[(0, Gone), (0, Confirmed(Some(true))), (300, Gone)], 300, "later 600")]
#[case::the_watch_was_late(None, true, &[(0, Gone), (0, Confirmed(Some(false)))], 0, "later 300")]
#[case::or_it_points_there_again(
    None, true, &[(0, Gone), (0, Confirmed(Some(false))), (300, Gone)], 300, "tell Gone Shoot garden-dev/one"
)]
#[case::not_known_whether_it_points_there(None, true, &[(0, Gone), (0, Confirmed(None))], 0, "later 1")]
#[case::marked_and_used(Some(marked(&[])), true, &[], 0, "nothing")]
#[case::going_while_used(Some(terminating()), true, &[], 0, "tell Going Shoot garden-dev/one")]
#[case::told_that_it_goes(Some(terminating()), true, &[(0, Confirmed(Some(true)))], 0, "nothing")]
#[case::going_and_not_used(Some(terminating()), false, &[], 0, "list 7")]
#[case::not_used(Some(marked(&[])), false, &[], 0, "list 7")]
#[case::not_used_indeed(Some(marked(&[])), false, &[(0, Listed("7", nobody()))], 0, "take off 7")]
#[case::not_used_in_another_version(Some(marked(&[])), false, &[(0, Listed("6", nobody()))], 0, "list 7")]
#[case::used_as_a_list_shows(Some(marked(&[])), false, &[(0, Listed("7", somebody()))], 0, "later 1")]
#[case::it_is_listed_again(Some(marked(&[])), false, &[(0, Listed("7", somebody()))], 1, "list 7")]
#[case::not_known_whether_used(Some(marked(&[])), false, &[(0, Listed("7", unknown()))], 0, "later 1")]
#[case::reserved(Some(marked(&["a"])), false, &[], 0, "later 1")]
#[case::reserved_and_used(Some(marked(&["a"])), true, &[], 0, "later 1")]
#[case::reserved_and_not_listed(Some(marked(&["a"])), false, &[(0, Listed("7", nobody()))], 0, "later 1")]
#[case::first_look(Some(marked(&["a"])), true, &[], 1, "look a")]
#[case::settled(Some(marked(&["a"])), true, &[(1, looked(Settled))], 1, "withdraw 7: a")]
#[case::some_are_settled(
    Some(marked(&["a", "b", "c"])), true, &[(1, Looked(vec![("a", Settled), ("b", Open), ("c", Settled)]))], 1, "withdraw 7: a c"
)]
#[case::open(Some(marked(&["a"])), true, &[(1, looked(Open))], 1, "later 6")]
#[case::next_look(Some(marked(&["a"])), true, &[(1, looked(Open))], 6, "look a")]
#[case::not_known_whether_settled(Some(marked(&["a"])), true, &[(1, looked(Unknown))], 1, "later 2")]
#[case::which_is_found_out(Some(marked(&["a"])), true, &[(1, looked(Unknown)), (6, looked(Settled))], 6, "withdraw 7: a")]
#[case::open_when_its_time_is_over(Some(marked(&["a"])), true, &[(119, looked(Open))], 124, "look a")]
#[case::not_before(Some(marked(&["a"])), true, &[(119, looked(Open))], 119, "later 124")]
#[case::open_after_its_time(Some(marked(&["a"])), true, &[(120, looked(Open))], 120, "withdraw 7: a")]
#[case::not_known_after_its_time(Some(marked(&["a"])), true, &[(120, looked(Unknown))], 125, "look a")]
#[case::says_nothing(Some(marked(&["?"])), false, &[], 119, "later 120")]
#[case::says_nothing_and_its_time_is_over(Some(marked(&["?"])), false, &[], 120, "withdraw 7: ?")]
fn what_is_to_be_done(
    #[case] marked: Option<Marked>,
    #[case] is_used: bool,
    #[case] done: &[(u64, Done)],
    #[case] second: u64,
    #[case] expected: &str,
) {
    let mut scene = Scene::new(marked, is_used);
    scene.plan(0);
    for (second, done) in done {
        scene.note(*second, done);
    }
    assert_eq!(scene.told(second), expected);
}

#[test]
fn a_secret_that_was_created_again_begins_anew() {
    let mut scene = Scene::new(Some(marked(&["a"])), true);
    scene.plan(0);
    scene.marked = Some(Marked { guard: Guard { uid: "9".into(), ..guard("9") }, ..marked(&["a"]) });
    scene.plan(100);
    scene.note(120, &looked(Open));
    assert_eq!(scene.told(120), "later 125");
}

#[test]
fn the_time_of_a_reservation_that_came_back_begins_anew() {
    let mut scene = Scene::new(Some(marked(&["?"])), true);
    for (second, attempts) in [(0, &["?"][..]), (60, &[]), (61, &["?"])] {
        scene.marked = Some(marked(attempts));
        scene.plan(second);
    }
    assert_eq!(scene.told(120), "later 181");
}

#[test]
fn a_reservation_that_says_something_else_now_is_another_one() {
    let mut scene = Scene::new(Some(marked(&["a"])), true);
    scene.plan(0);
    let claim = Claim { over: Some("5".into()), ..reservation("a").claim };
    let changed = Reservation { claim, ..reservation("a") };
    scene.marked = Some(Marked { reservations: vec![changed], ..marked(&[]) });
    scene.plan(60);
    scene.note(120, &looked(Open));
    assert_eq!(scene.told(120), "later 125");
}

#[test]
fn whoever_points_to_another_secret_is_not_counted_any_more() {
    let mut scene = Scene::new(None, true);
    scene.note(0, &Gone);
    scene.note(0, &Confirmed(Some(true)));
    let mut records = crate::controller::protection::record::Records::default();
    records.put(&secret(), scene.record.clone());
    assert_eq!(records.dangling(), 1);
    scene.record = records.take(&secret());
    scene.uses(false);
    assert_eq!((scene.told(1), records.dangling()), ("nothing".to_owned(), 0));
    records.put(&secret(), scene.record);
    assert_eq!((records.dangling(), records.secrets().count()), (0, 0));
}

#[rstest]
#[case::created(LiveReferrer::Found { uid: "2".into(), resource_version: "3".into(), pointers: Pointers::default() }, Settled)]
#[case::not_yet(LiveReferrer::Absent, Open)]
#[case::not_known(LiveReferrer::Unknown("no answer".into()), Unknown)]
fn a_look_at_a_referrer_shows_whether_its_reservation_is_over(
    #[case] live: LiveReferrer,
    #[case] expected: Finding,
) {
    assert_eq!(Finding::of(&reservation("a"), &live), expected);
}
