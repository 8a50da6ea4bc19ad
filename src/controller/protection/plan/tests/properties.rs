//! What holds whatever happens.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What can happen between two looks.
#[derive(Debug, Clone)]
enum Event {
    Marked { version: &'static str, uid: &'static str, attempts: Vec<&'static str>, terminating: bool },
    NotMarked,
    Uses(bool),
    Done(Done),
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let finding = || prop::sample::select(vec![Settled, Open, Unknown]);
    let done = prop_oneof![
        Just(Failed),
        Just(Written),
        Just(Gone),
        (finding(), finding()).prop_map(|(a, b)| Looked(vec![("a", a), ("b", b)])),
        (
            prop::sample::select(vec!["7", "8"]),
            prop::sample::select(vec![nobody(), nobody(), somebody(), unknown()])
        )
            .prop_map(|(version, listing)| Listed(version, listing)),
        prop::option::of(any::<bool>()).prop_map(Confirmed),
    ];
    let marked = (
        prop::sample::select(vec!["7", "8"]),
        prop::sample::select(vec!["1", "1", "9"]),
        prop::sample::subsequence(vec!["a", "b", "?"], 0..=3),
        prop::bool::weighted(0.2),
    );
    let marked = marked.prop_map(|(version, uid, attempts, terminating)| Event::Marked {
        version,
        uid,
        attempts,
        terminating,
    });
    let event = prop_oneof![
        3 => marked,
        1 => Just(Event::NotMarked),
        2 => any::<bool>().prop_map(Event::Uses),
        5 => done.prop_map(Event::Done),
    ];
    prop::collection::vec((0_u64..40, event), 1..40)
}

/// What the leader could know, kept apart from what it remembers.
#[derive(Default)]
struct Witness {
    /// Since when each reservation has been there without a break, and whether a look since has shown that it is settled.
    reservations: HashMap<&'static str, (u64, bool)>,
    /// Whether the last list that was noted of the present version, and in it, says that nothing points to it.
    unused: bool,
}

impl Witness {
    fn sees(
        &mut self,
        before: Option<&Marked>,
        now: Option<&Marked>,
        attempts: &[&'static str],
        second: u64,
    ) {
        let uid = |marked: Option<&Marked>| marked.map(|marked| marked.guard.uid.clone());
        if uid(before) != uid(now) {
            self.reservations.clear();
        }
        if before.map(|marked| &marked.guard) != now.map(|marked| &marked.guard) {
            self.unused = false;
        }
        self.reservations.retain(|attempt, _| attempts.contains(attempt));
        for attempt in attempts {
            self.reservations.entry(attempt).or_insert((second, false));
        }
    }

    fn notes(&mut self, done: &Done, marked: Option<&Marked>) {
        match done {
            Looked(findings) => {
                for (attempt, _) in findings.iter().filter(|(_, finding)| *finding == Settled) {
                    self.reservations.entry(attempt).and_modify(|known| known.1 = true);
                }
            }
            Listed(version, listing) => {
                let is_of_it = marked.is_some_and(|marked| marked.guard == guard(version));
                // One of another version says nothing of this one.
                self.unused = is_of_it && *listing == nobody() || self.unused && !is_of_it;
            }
            _ => {}
        }
    }

    fn judges(&self, plan: &Plan, scene: &Scene, second: u64) -> Result<(), TestCaseError> {
        let marked = scene.marked.as_ref();
        match plan {
            Plan::TakeOff(guard) => {
                prop_assert_eq!(marked.map(|marked| &marked.guard), Some(guard));
                prop_assert_eq!(marked.map(Marked::reserved), Some(0), "it is reserved");
                prop_assert!(!scene.references.has(&secret()), "it is used");
                prop_assert!(self.unused, "no list says that nothing points to it");
            }
            Plan::Withdraw(guard, over) => {
                prop_assert_eq!(marked.map(|marked| &marked.guard), Some(guard));
                for (attempt, (since, is_settled)) in &self.reservations {
                    if over.contains(&annotation(attempt)) {
                        prop_assert!(*is_settled || second - since >= SETTLE.as_secs(), "{attempt} may come");
                    }
                }
                let is_known =
                    |name: &Arc<str>| self.reservations.keys().any(|attempt| annotation(attempt) == *name);
                prop_assert!(over.iter().all(is_known), "one was never seen");
            }
            Plan::Label => prop_assert!(marked.is_none() && scene.references.has(&secret())),
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_mark_goes_while_anything_may_point_to_the_secret(events in events()) {
        let (mut scene, mut witness, mut second) = (Scene::new(None, false), Witness::default(), 0);
        for (pause, event) in events {
            second += pause;
            let before = scene.marked.clone();
            match event {
                Event::Uses(is_used) => scene.uses(is_used),
                Event::Done(done) => {
                    scene.note(second, &done);
                    witness.notes(&done, scene.marked.as_ref());
                }
                Event::NotMarked => {
                    scene.marked = None;
                    witness.sees(before.as_ref(), None, &[], second);
                }
                Event::Marked { version, uid, attempts, terminating } => {
                    let version = Guard { uid: uid.into(), ..guard(version) };
                    scene.marked = Some(Marked { guard: version, terminating, ..marked(&attempts) });
                    witness.sees(before.as_ref(), scene.marked.as_ref(), &attempts, second);
                }
            }
            let plan = scene.plan(second);
            witness.judges(&plan, &scene, second)?;
        }
    }
}
