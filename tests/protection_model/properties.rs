//! What must hold, and what must be able to happen.

use stateright::{Model, Property};

use crate::protocol::{Action, Protocol};
use crate::state::{Deletion, Reference, SHOOTS, Secret, State, Step};

/// A stored Shoot whose reference was judged, or found by the leader, has the very Secret that it was promised: that stands, is not
/// going, was made by a user, and has not been deleted and created again since.
pub(crate) const SAFE: &str = "what a Shoot refers to has not vanished";
/// Once nothing is in flight the leader's steps alone lead to where nothing is left to do. Then the Secret has no reservation, the label
/// if and only if it is referred to, whoever has lost its Secret was told, and a DELETE is refused if and only if a Shoot refers.
/// Followed from every state, but in one order of the leader's steps.
pub(crate) const AT_REST: &str = "left alone, the leader leaves no reservation and nothing stuck";
const SHOOT_WINS: &str = "a DELETE is reviewed when the Shoot has taken the Secret up";
const DELETION_WINS: &str = "the Secret goes while a Shoot that takes it up is reviewed";
/// Rotation is not held up by its own reservation: no step of the leader is needed.
pub(crate) const AT_ONCE: &str = "a DELETE is allowed though a settled reservation is still there";
const STARTS_AGAIN: &str = "a patch finds another Secret under the name";
const FAILS_OPEN: &str = "a Secret that is not in use goes without an answer";

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(SAFE, |_, state| is_safe(state)),
        Property::always(AT_REST, comes_to_rest),
        Property::sometimes(SHOOT_WINS, |_, state: &State| {
            let taken_up = state.shoots.iter().any(|shoot| shoot.past && shoot.refers());
            state.deletion.is_some_and(|deletion| !deletion.allowed) && taken_up && is_labelled(state)
        }),
        Property::sometimes(DELETION_WINS, |_, state: &State| {
            let is_under_review = |step| matches!(step, Step::Asked | Step::Read(_));
            let mut writes = state.shoots.iter().flat_map(|shoot| &shoot.writes);
            state.secret.is_none() && writes.any(|write| is_under_review(write.step))
        }),
        Property::sometimes(AT_ONCE, |_, state: &State| {
            let allowed = state.deletion.is_some_and(|deletion| deletion.allowed);
            allowed && is_labelled(state) && state.secret.as_ref().is_some_and(Secret::is_reserved)
        }),
        Property::sometimes(STARTS_AGAIN, |_, state: &State| {
            let mut writes = state.shoots.iter().flat_map(|shoot| &shoot.writes);
            state.secret.as_ref().is_some_and(|secret| {
                writes.any(|write| matches!(write.step, Step::Read(uid) if uid != secret.uid))
            })
        }),
        Property::sometimes(FAILS_OPEN, |_, state: &State| {
            let unanswered = |deletion: Deletion| deletion.allowed && deletion.unlisted.contains(&true);
            state.deletion.is_some_and(unanswered) && !is_labelled(state)
        }),
    ]
}

fn is_labelled(state: &State) -> bool {
    state.secret.as_ref().is_some_and(|secret| secret.label)
}

fn is_safe(state: &State) -> bool {
    state.shoots.iter().all(|shoot| match shoot.reference() {
        Some(Reference::Judged { uid: judged, .. }) => state
            .secret
            .as_ref()
            .is_some_and(|secret| secret.uid == judged && !secret.is_terminating() && !secret.hollow),
        _ => true,
    })
}

/// The steps in which the leader must be done: a reservation takes it two, or four for the last, and a Shoot brings one with each of its
/// requests, or another one when the API server tries again. More than this would be a circle.
const STEPS: usize = 100;

/// What is left when the leader has done all that it finds to do, with an index that has caught up.
fn comes_to_rest(protocol: &Protocol, state: &State) -> bool {
    if state.deletion.is_some() || state.shoots.iter().any(|shoot| !shoot.writes.is_empty()) {
        return true;
    }
    let mut state = state.clone();
    let mut actions = Vec::new();
    for _ in 0..STEPS {
        actions.clear();
        protocol.leader_actions(&state, false, &mut actions);
        // The last one is never to die, and to write what was decided when it may.
        let Some(action) = actions.pop() else { return is_at_rest(protocol, &state) };
        state = protocol.next_state(&state, action).unwrap();
    }
    false
}

fn is_at_rest(protocol: &Protocol, state: &State) -> bool {
    let told = (0..SHOOTS).all(|shoot| !Protocol::is_untold(state, shoot));
    told && match &state.secret {
        None => true,
        Some(secret) if secret.is_terminating() => !secret.is_reserved(),
        Some(secret) => {
            let is_used = state.is_referred_to();
            !secret.is_reserved() && secret.label == is_used && is_deleted(protocol, state) != is_used
        }
    }
}

/// Whether a DELETE goes through.
fn is_deleted(protocol: &Protocol, state: &State) -> bool {
    let mut state = State { deletions_left: 1, ..state.clone() };
    let mut action = Some(Action::DeleteSecret);
    while let Some(step) = action {
        state = protocol.next_state(&state, step).unwrap();
        let unlisted = state.deletion.and_then(|deletion| deletion.unlisted.iter().position(|open| *open));
        action = unlisted.map(Action::List);
    }
    state.deletion.is_some_and(|deletion| deletion.allowed)
}
