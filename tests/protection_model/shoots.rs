//! What users and the API server do with Shoots, and the review of a Shoot that takes up the Secret.

use crate::mutants::Mutant;
use crate::protocol::{Action, Protocol};
use crate::state::{At, Reference, Reservation, State, Step, Stored, Write};

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A Shoot that refers to the Secret.
    Create,
    /// A reference to the Secret is new.
    TakeUp,
    /// The reference goes.
    Drop,
    /// Anything else is written (a label, a finalizer): only the resourceVersion moves.
    Touch,
    /// The Shoot goes. (Between deletionTimestamp and that it refers as before, and takes nothing up: a Touch.)
    Delete,
}

impl Protocol {
    /// What can happen next about one Shoot.
    pub(crate) fn shoot_actions(state: &State, shoot: usize, actions: &mut Vec<Action>) {
        let of = &state.shoots[shoot];
        if of.requests_left > 0 {
            let requests: &[Request] = match &of.stored {
                None => &[Request::Create],
                Some(Stored { reference: None, .. }) => &[Request::TakeUp, Request::Touch, Request::Delete],
                Some(_) => &[Request::Drop, Request::Touch, Request::Delete],
            };
            let matters = |request: &Request| match request {
                Request::Touch => Self::holds_present_version(state, shoot),
                _ => true,
            };
            let requests = requests.iter().filter(|request| matters(request));
            actions.extend(requests.map(|request| Action::Send(shoot, *request)));
        }
        for Write { attempt, step, .. } in &of.writes {
            match step {
                Step::Asked => actions.extend([Action::Read(shoot, *attempt), Action::Lose(shoot, *attempt)]),
                Step::Read(_) | Step::Labelled(_) => {
                    actions.extend([Action::Reserve(shoot, *attempt), Action::Lose(shoot, *attempt)]);
                }
                Step::Owing(_) => {
                    actions.extend([Action::Reserve(shoot, *attempt), Action::Store(shoot, *attempt)]);
                }
                Step::Admitted(_) => {
                    actions.extend([Action::Store(shoot, *attempt), Action::Abandon(shoot, *attempt)]);
                }
            }
        }
    }

    /// Whether anybody holds the Shoot's present resourceVersion: otherwise it makes no difference that it moves.
    fn holds_present_version(state: &State, shoot: usize) -> bool {
        state.shoots[shoot].writes.iter().any(|write| write.at == At::Present)
            || state
                .secret
                .iter()
                .any(|secret| secret.reservations[shoot].iter().any(|r| r.at == At::Present))
    }

    /// A user's request. What brings no new reference is stored at once or not at all: its review writes nothing, and what it is
    /// stored over is what was reviewed.
    pub(crate) fn send(state: &mut State, shoot: usize, request: Request) {
        state.shoots[shoot].requests_left -= 1;
        let attempt = state.new_attempt(shoot);
        match request {
            Request::Create => state.put(shoot, Write { attempt, at: At::Nothing, step: Step::Asked }),
            Request::TakeUp => state.put(shoot, Write { attempt, at: At::Present, step: Step::Asked }),
            Request::Drop => {
                state.shoots[shoot].stored.as_mut().unwrap().reference = None;
                state.shoot_moved(shoot);
            }
            Request::Touch => state.shoot_moved(shoot),
            Request::Delete => {
                state.shoots[shoot].stored = None;
                state.shoot_moved(shoot);
            }
        }
    }

    /// The server reads the Secret, for its uid: none is a refusal.
    pub(crate) fn read(&self, state: &mut State, shoot: usize, attempt: u8) {
        let write = state.take(shoot, attempt);
        let Some(secret) = &state.secret else { return };
        let step = match self.mutant {
            Some(
                Mutant::ReservationsOff | Mutant::ReservationAfterTheAllow | Mutant::JudgedBeforeThePatch,
            ) if secret.is_terminating() => {
                return;
            }
            Some(Mutant::ReservationsOff) => Step::Admitted(Some(secret.uid)),
            Some(Mutant::ReservationAfterTheAllow) => Step::Owing(secret.uid),
            _ => Step::Read(secret.uid),
        };
        state.put(shoot, Write { step, ..write });
    }

    /// The merge patch, and the verdict on what it returns. That the patch lands and that the answer comes are one step: when the
    /// answer is lost in between, that is a write that was admitted and is never stored.
    pub(crate) fn reserve(&self, state: &mut State, shoot: usize, attempt: u8) {
        let write = state.take(shoot, attempt);
        let (Step::Read(uid) | Step::Labelled(uid) | Step::Owing(uid)) = write.step else { unreachable!() };
        let applies = self.mutant == Some(Mutant::ApplyInsteadOfPatch);
        if state.secret.is_none() && applies {
            state.create_secret(true);
        }
        // 404: refused.
        let Some(secret) = &mut state.secret else { return };
        let any = applies || self.mutant == Some(Mutant::PatchWithoutUid);
        if secret.uid != uid && !any {
            // 422: start again.
            state.put(shoot, Write { step: Step::Asked, ..write });
            return;
        }
        secret.label |= !matches!(write.step, Step::Labelled(_));
        let in_two = self.mutant == Some(Mutant::LabelAndReservationInTwoWrites);
        let step = if in_two && matches!(write.step, Step::Read(_)) {
            Step::Labelled(uid)
        } else {
            secret.reserve(shoot, Reservation { attempt, at: write.at });
            Step::Admitted(Some(secret.uid))
        };
        // A patch on a terminating Secret succeeds; the object that it returns says so.
        let refused = secret.is_terminating() && self.mutant != Some(Mutant::JudgedBeforeThePatch);
        if !refused {
            state.put(shoot, Write { step, ..write });
        }
        self.secret_changed(state);
    }

    /// The server dies, or answers too late: the entry fails closed.
    pub(crate) fn lose(&self, state: &mut State, shoot: usize, attempt: u8) {
        let write = state.take(shoot, attempt);
        if self.mutant == Some(Mutant::IgnoreOnTheShootEntry) {
            state.put(shoot, Write { step: Step::Admitted(None), ..write });
        }
    }

    /// The API server stores what was admitted, if what it was reviewed against is still there.
    pub(crate) fn store(state: &mut State, shoot: usize, attempt: u8) {
        let write = state.take(shoot, attempt);
        let uid = match write.step {
            Step::Admitted(Some(uid)) | Step::Owing(uid) => uid,
            // Nobody looked: what stands there is what it should have been judged on.
            _ => state.secret.as_ref().map_or(0, |secret| secret.uid),
        };
        let reference = Some(Reference::Judged { uid, told: false });
        match (write.at, &mut state.shoots[shoot].stored) {
            (At::Nothing, stored @ None) => {
                *stored = Some(Stored { uid: attempt, reference });
                state.shoot_moved(shoot);
            }
            (At::Present, Some(stored)) => {
                stored.reference = reference;
                state.shoot_moved(shoot);
            }
            // A patch: its UPDATE is reviewed anew over what is there now, as another attempt.
            (At::Outdated, Some(Stored { reference: None, .. })) => {
                let attempt = state.new_attempt(shoot);
                state.put(shoot, Write { attempt, at: At::Present, step: Step::Asked });
            }
            // AlreadyExists; NotFound; or the reference is there, hence not new.
            _ => {}
        }
    }
}
