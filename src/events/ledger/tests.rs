//! What is written, gathered and left out.

use k8s_openapi::api::core::v1::Secret;

use super::super::Kind;
use super::super::limits::Rate;
use super::*;

/// Times in seconds from the start; short ones, so that a table of them can be read.
struct Scene {
    ledger: Ledger,
    start: Instant,
}

impl Scene {
    fn new() -> Self {
        let limits = Limits {
            per_object: Rate { burst: 4, every: Duration::from_secs(100) },
            overall: Rate { burst: 6, every: Duration::from_secs(50) },
            gather: Duration::from_secs(10),
            gather_most: Duration::from_secs(40),
        };
        let start = Instant::now();
        Self { ledger: Ledger::new(limits, start), start }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn wall_clock(second: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(second).unwrap()).unwrap()
    }

    /// It happens, and what is to be written is written.
    fn happens(&mut self, second: u64, object: &str, note: &str) -> Verdict {
        let (now, wall_clock) = (self.at(second), Self::wall_clock(second));
        let occurrence = occurrence(object, note);
        let verdict = self.ledger.occurred(&occurrence, now, wall_clock);
        if verdict == Verdict::Write {
            self.ledger.written(occurrence, format!("{object}.{second}"), now, wall_clock);
        }
        verdict
    }

    /// Event, count and last time of what is due.
    fn due(&mut self, second: u64) -> Vec<(String, i32, u64)> {
        let due = self.ledger.take_due(self.at(second)).into_iter();
        due.map(|due| (due.event, due.count, due.last.as_second().cast_unsigned())).collect()
    }
}

fn occurrence(object: &str, note: &str) -> Occurrence {
    let regarding = Regarding::new::<Secret>(Some("team-a"), object, None);
    Occurrence {
        regarding,
        kind: Kind::Warning,
        reason: "CopyRefused",
        action: "Copy",
        note: note.to_owned(),
    }
}

#[test]
fn what_happens_again_is_counted_and_written_once_for_all() {
    let mut scene = Scene::new();
    assert_eq!(scene.happens(0, "a", "foreign"), Verdict::Write);
    for second in [1, 2, 3] {
        assert_eq!(scene.happens(second, "a", "foreign"), Verdict::Counted);
    }
    assert_eq!(scene.ledger.next_due(), Some(scene.at(11)), "from the first repetition on");
    assert_eq!(scene.due(10), []);
    assert_eq!(scene.due(11), [("a.0".to_owned(), 4, 3)]);
    assert_eq!(scene.ledger.next_due(), None, "nothing more, until it happens again");
}

#[test]
fn something_else_about_the_same_object_is_an_event_of_its_own() {
    let mut scene = Scene::new();
    assert_eq!(scene.happens(0, "a", "foreign"), Verdict::Write);
    assert_eq!(scene.happens(0, "a", "forbidden"), Verdict::Write);
}

#[test]
fn what_goes_on_is_gathered_for_longer_and_longer() {
    let mut scene = Scene::new();
    scene.happens(0, "a", "foreign");
    let mut written = Vec::new();
    for second in 1..120 {
        scene.happens(second, "a", "foreign");
        written.extend(scene.due(second).into_iter().map(|_| second));
    }
    // After 10, 20, 40 and again 40 s, each from the next repetition on.
    assert_eq!(written, [11, 32, 73, 114]);
}

#[test]
fn what_has_not_happened_for_long_is_new_when_it_happens_again() {
    let mut scene = Scene::new();
    scene.happens(0, "a", "foreign");
    let long = FORGET_AFTER.as_secs();
    assert_eq!(scene.happens(long - 1, "a", "foreign"), Verdict::Counted);
    assert_eq!(scene.happens(2 * long - 1, "a", "foreign"), Verdict::Write);
}

#[test]
fn an_event_that_is_gone_is_written_anew() {
    let mut scene = Scene::new();
    scene.happens(0, "a", "foreign");
    scene.ledger.forget(&occurrence("a", "foreign"));
    assert_eq!(scene.happens(1, "a", "foreign"), Verdict::Write);
}

#[test]
fn one_object_cannot_take_the_share_of_others() {
    let mut scene = Scene::new();
    let of_a: Vec<_> = (0..50).map(|number| scene.happens(0, "a", &number.to_string())).collect();
    assert_eq!(of_a.iter().filter(|verdict| **verdict == Verdict::Write).count(), 4);
    assert_eq!(of_a[4..], [Verdict::LimitedObject; 46]);
    assert_eq!(scene.happens(0, "b", "foreign"), Verdict::Write);
    assert_eq!(scene.happens(100, "a", "later"), Verdict::Write, "one more after each pause");
}

#[test]
fn all_together_are_limited_too() {
    let mut scene = Scene::new();
    let all: Vec<_> = (0..50).map(|number| scene.happens(0, &number.to_string(), "foreign")).collect();
    assert_eq!(all.iter().filter(|verdict| **verdict == Verdict::Write).count(), 6);
    assert_eq!(all[6..], [Verdict::LimitedOverall; 44]);
    assert_eq!(scene.happens(50, "b", "foreign"), Verdict::Write);
}

#[test]
fn counts_take_their_share_and_wait_when_there_is_none() {
    let mut scene = Scene::new();
    for note in ["1", "2", "3", "4"] {
        assert_eq!(scene.happens(0, "a", note), Verdict::Write);
    }
    assert_eq!(scene.happens(0, "a", "1"), Verdict::Counted);
    assert_eq!(scene.due(10), [], "the object has had its share");
    assert_eq!(scene.happens(40, "a", "1"), Verdict::Counted);
    assert_eq!(scene.due(100), [("a.0".to_owned(), 3, 40)], "nothing was lost");
}

#[test]
fn what_is_over_takes_no_memory() {
    let mut scene = Scene::new();
    for number in 0..6 {
        scene.happens(0, &number.to_string(), "foreign");
    }
    assert_eq!((scene.ledger.series.len(), scene.ledger.objects.len()), (6, 6));
    scene.happens(10_000, "other", "foreign");
    assert_eq!((scene.ledger.series.len(), scene.ledger.objects.len()), (1, 1));
}
