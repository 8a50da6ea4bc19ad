//! The protocol by which a protected Secret will not vanish, in every order of its steps, within bounds.
//!
//! Two admissions race: a Shoot takes the Secret up, and the Secret is deleted. Neither sees the other's object. What a step is here
//! is one request to an API server, or one answer; between any two of them anything else can happen.
//!
//! | in Kubernetes | in the model |
//! | --- | --- |
//! | a Shoot CREATE, or an UPDATE with a new reference | `Send`, the server's GET (`Read`) and merge patch (`Reserve`), then `Store` |
//! | ... a server is killed, or answers too late | `Lose`: Fail refuses. After the patch: `Abandon`; the reservation stays |
//! | ... the API server stores late, crashes, or another webhook refuses | `Store` at any time later; `Abandon` |
//! | ... the Shoot was written meanwhile | `Store` finds another resourceVersion: reviewed anew, as another attempt |
//! | a DELETE of the Secret | `DeleteSecret`, a GET of each referrer with reservations (`Settle`), `List`, `CommitDeletion` |
//! | ... a watch has shown that a Shoot was deleted | `SettleKnowingTheDeleted`: settles a reservation by which that very uid was to be created |
//! | ... a server is killed, or answers too late | `LoseDeletion`: with the label refused (Fail), without it allowed (Ignore) |
//! | ... the Secret was written meanwhile | the review begins anew, with the label of then |
//! | ... somebody holds the Secret by a finalizer | the commit sets a deletionTimestamp; `LetGo` |
//! | `kubectl replace` of the Secret | `Replace`: the mutating entry puts back the label and open reservations |
//! | the leader labels; withdraws; takes the label off | `Label`; `Decide`, `LeaderLists`, `WriteDecided`; `LeaderDies` between them |
//! | T, how long after its reservation a write may still be stored | a reservation is withdrawn while its write is under way by a mutant only: that is the assumption |
//! | two servers, watch events late | whoever looks into an index, the leader too, may see any earlier state of any Shoot |
//!
//! That is more than two servers whose indexes follow in order, each late by another amount: it is any number of them, and those that were
//! restarted and list from a watch cache that lags. A server holds nothing else from one review to the next, and answers are lost one by
//! one, so a server that dies with several reviews is among the orders as well. A review that the API server has given up and whose
//! patch still lands is one that ends in `Abandon`.
//!
//! Not here: how a reference is found in a Shoot, bindings (a binding refers as a Shoot does), what a Secret must hold, break-glass, the
//! cap of reservations. One name stands for all: nothing that is done for one Secret depends on another.
//!
//! A Shoot that refers to the Secret from before regcred is promised nothing until the leader has put the label on: while no server
//! answers, the Secret can be deleted until then. A Secret that is deleted and created again is another one: whoever was admitted with
//! the first must not end with the second.
//!
//! What rests on what, as the mutants show:
//!
//! * The LIST of a DELETE's review must have been begun after the last of its reservations was settled, not only after the review
//!   arrived: an older one may not show the very write that settled a reservation. Or the GET that settles a reservation also judges
//!   that referrer; then the LIST may be as old as the review.
//! * The label goes only after a live look at the referrers that was begun after the Secret was read, and with a resourceVersion test.
//! * T counts from when the reservation lands, which is before the write is admitted.
//! * A settled reservation may go at once, as `kubectl replace` may take it away; T is for those that no GET settles.
//! * The uid in the patch is not what keeps a Secret there, for what is judged is the object that the patch returns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod deletion;
mod leader;
mod mutants;
mod properties;
mod protocol;
mod shoots;
mod state;

use std::io::Write as _;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::mutants::{HARMLESS, MUTANTS, Mutant};
use crate::properties::{AT_ONCE, AT_REST, SAFE};
use crate::protocol::{Action, Bounds, Protocol};

/// What a run of all tests explores.
const BOUNDS: Bounds = Bounds { requests: [2, 2], deletions: 1, creations: 1 };
/// What is explored when there is time.
const LARGER_BOUNDS: Bounds = Bounds { requests: [3, 2], deletions: 2, creations: 2 };
/// Bounds in which a mutant is sought: the first that show it.
const SMALL_BOUNDS: [Bounds; 3] = [
    Bounds { requests: [1, 0], deletions: 1, creations: 0 },
    Bounds { requests: [1, 1], deletions: 1, creations: 0 },
    Bounds { requests: [2, 1], deletions: 1, creations: 0 },
];
/// Fewer states than this would say that most of the model is not reached any more.
const STATES: usize = 300_000;

fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "protection_model: {text}");
}

/// All states within the bounds: there is no limit of states, depth or time, and no thread ends before there is nothing left to do,
/// unless every property has been decided, which one that always holds never is.
fn exhaust(bounds: Bounds, mutant: Option<Mutant>) -> impl Checker<Protocol> {
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let protocol = Protocol { bounds, mutant, tells_apart: false };
    let checker = protocol.checker().threads(threads).spawn_bfs().join();
    assert!(checker.is_done());
    figure(&format!(
        "{}{bounds:?}: all {} states, {} steps, to a depth of {}, in {:.1?}",
        mutant.map(|mutant| format!("{mutant:?}, ")).unwrap_or_default(),
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed()
    ));
    checker
}

fn holds(bounds: Bounds) {
    let checker = exhaust(bounds, None);
    checker.assert_properties();
    assert!(checker.unique_state_count() >= STATES, "{} states", checker.unique_state_count());
}

#[test]
fn no_order_of_steps_lets_a_secret_vanish_from_under_a_shoot_or_leaves_a_reservation() {
    holds(BOUNDS);
}

#[test]
#[ignore = "minutes: make model"]
fn no_longer_order_of_steps_does_either() {
    holds(LARGER_BOUNDS);
}

/// The fewest steps by which a mutant breaks a property.
fn shortest(bounds: Bounds, mutant: Mutant, property: &'static str) -> Option<Vec<Action>> {
    let protocol = Protocol { bounds, mutant: Some(mutant), tells_apart: true };
    let condition = protocol.property(property).condition;
    let within = |depth: Option<usize>| {
        let checker = protocol.clone().checker().finish_when(HasDiscoveries::AnyOf([property].into()));
        // One thread goes by depth. The checker counts states, and leaves out those of the last depth.
        let checker = depth.into_iter().fold(checker, |checker, steps| checker.target_max_depth(steps + 2));
        // It stops some states after the first that breaks the property, and tells of the last.
        let path = checker.spawn_bfs().join().discovery(property)?.into_vec();
        let kept = path.into_iter().take_while(|(state, _)| condition(&protocol, state));
        Some(kept.filter_map(|(_, action)| action).collect::<Vec<_>>())
    };
    let mut steps = within(None)?;
    while let Some(fewer) = steps.len().checked_sub(1).and_then(|fewer| within(Some(fewer))) {
        steps = fewer;
    }
    Some(steps)
}

#[test]
fn every_change_of_the_protocol_that_breaks_it_is_caught() {
    let mut escaped = Vec::new();
    for (mutant, property) in MUTANTS {
        match SMALL_BOUNDS.iter().find_map(|bounds| shortest(*bounds, mutant, property)) {
            Some(steps) => figure(&format!("{mutant:?} is caught in {} steps: {steps:?}", steps.len())),
            None => escaped.push(mutant),
        }
    }
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

#[test]
fn what_may_be_done_another_way_breaks_nothing() {
    for mutant in HARMLESS {
        let checker = exhaust(Bounds { requests: [2, 1], ..BOUNDS }, Some(mutant));
        checker.assert_no_discovery(SAFE);
        checker.assert_no_discovery(AT_REST);
    }
}

#[test]
fn whoever_loses_a_secret_by_a_write_stored_after_t_is_told() {
    let bounds = Bounds { requests: [1, 1], ..BOUNDS };
    let checker = exhaust(bounds, Some(Mutant::StoredAfterT));
    checker.assert_any_discovery(SAFE);
    checker.assert_no_discovery(AT_REST);
}

#[test]
fn rotation_would_wait_for_the_leader_if_settled_reservations_refused() {
    let bounds = Bounds { requests: [2, 0], deletions: 1, creations: 0 };
    exhaust(bounds, None).assert_any_discovery(AT_ONCE);
    exhaust(bounds, Some(Mutant::SettledReservationsRefuse)).assert_no_discovery(AT_ONCE);
}
