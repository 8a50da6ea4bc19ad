//! What the leader does by itself.

use crate::mutants::Mutant;
use crate::protocol::{Action, Protocol};
use crate::state::{At, LeaderWrite, Reference, Reservation, SHOOTS, Secret, State, Step};

impl Protocol {
    /// What the leader can do next. What its index shows when it is `late` is included if that is asked for.
    pub(crate) fn leader_actions(&self, state: &State, late: bool, actions: &mut Vec<Action>) {
        let is_going = state.secret.as_ref().is_none_or(Secret::is_terminating);
        if is_going && self.mutant != Some(Mutant::DetectionOff) {
            actions.extend((0..SHOOTS).filter(|shoot| Self::is_untold(state, *shoot)).map(Action::Tell));
        }
        let Some(secret) = &state.secret else { return };
        let is_shown = state.is_referred_to() || (late && state.shoots.iter().any(|shoot| shoot.past));
        if !is_going && !secret.label && is_shown {
            actions.push(Action::Label);
        }
        let Some(write) = state.decided else {
            self.decisions(state, actions);
            return;
        };
        actions.push(Action::LeaderDies);
        let unlisted = (0..SHOOTS).filter(|shoot| write.label && !write.listed[*shoot]);
        actions.extend(unlisted.map(Action::LeaderLists));
        if !write.label || !write.listed.contains(&false) {
            actions.push(Action::WriteDecided);
        }
    }

    /// The leader has read the Secret: what there may be to take off.
    fn decisions(&self, state: &State, actions: &mut Vec<Action>) {
        let Some(secret) = &state.secret else { return };
        let listed = [false; SHOOTS];
        let all = (0..SHOOTS).flat_map(|shoot| {
            secret.reservations[shoot].iter().map(move |reservation| (shoot, *reservation))
        });
        let count = all.clone().count();
        let over = all.filter(|(shoot, reservation)| self.is_over(state, *shoot, *reservation));
        actions.extend(over.map(|withdrawn| {
            Action::Decide(LeaderWrite {
                withdrawn: Some(withdrawn),
                label: secret.label && count == 1,
                listed,
            })
        }));
        if count == 0 && secret.label && !state.is_referred_to() {
            actions.push(Action::Decide(LeaderWrite { withdrawn: None, label: true, listed }));
        }
    }

    /// Whether T may have passed since the leader first saw the reservation. That is the assumption: a write whose reservation landed
    /// at t is stored by t+T or never, so while it is under way T has not passed.
    fn is_over(&self, state: &State, shoot: usize, reservation: Reservation) -> bool {
        if self.mutant == Some(Mutant::NothingWithdrawn) {
            return false;
        }
        let late_writes = self.mutant == Some(Mutant::StoredAfterT);
        !state.shoots[shoot].writes.iter().any(|write| {
            write.attempt == reservation.attempt
                && !(late_writes && matches!(write.step, Step::Admitted(_)))
                // One that can no longer commit only waits for its answer.
                && write.at != At::Outdated
        })
    }

    /// The leader's live look at a referrer, after it has read the Secret: while it refers the label stays. Nothing else depends on it,
    /// so it is a step only where the label may go.
    pub(crate) fn leader_lists(&self, state: &mut State, shoot: usize) {
        let of = &state.shoots[shoot];
        let by_index = self.mutant == Some(Mutant::LabelTakenOffByTheIndex);
        let refers = of.refers() && !(by_index && of.past);
        state.decided = state.decided.map(|mut write| {
            write.label &= !refers;
            write.listed[shoot] = true;
            if !write.label {
                write.listed = [false; SHOOTS];
            }
            write
        });
    }

    /// The leader's write, with the test that the Secret is as it was when this was read; else it would not be here.
    pub(crate) fn write_decided(&self, state: &mut State) {
        let LeaderWrite { withdrawn, label, .. } = state.decided.take().unwrap();
        let Some(secret) = &mut state.secret else { return };
        secret.label &= !label;
        if let Some((shoot, withdrawn)) = withdrawn {
            secret.reservations[shoot].retain(|reservation| *reservation != withdrawn);
        }
        self.secret_changed(state);
    }

    /// The leader labels a Secret that its index says is referred to.
    pub(crate) fn label(&self, state: &mut State) {
        state.secret.as_mut().unwrap().label = true;
        self.secret_changed(state);
    }

    /// Whether a Shoot's Secret is gone or going, and nobody has been told.
    pub(crate) fn is_untold(state: &State, shoot: usize) -> bool {
        let is_going = state.secret.as_ref().is_none_or(Secret::is_terminating);
        match state.shoots[shoot].reference() {
            Some(Reference::Old { told } | Reference::Judged { told, .. }) => is_going && !told,
            None => false,
        }
    }

    /// Event, metric, `refs`.
    pub(crate) fn tell(state: &mut State, shoot: usize) {
        let stored = state.shoots[shoot].stored.as_mut();
        let reference = stored.and_then(|stored| stored.reference.as_mut());
        if let Some(Reference::Old { told } | Reference::Judged { told, .. }) = reference {
            *told = true;
        }
    }

    /// From the label on, a Secret that is referred to is promised to stay.
    pub(crate) fn promise(state: &mut State) {
        let Some(secret) = state.secret.as_ref().filter(|secret| secret.label && !secret.is_terminating())
        else {
            return;
        };
        for stored in state.shoots.iter_mut().filter_map(|shoot| shoot.stored.as_mut()) {
            if let Some(Reference::Old { .. }) = stored.reference {
                stored.reference = Some(Reference::Judged { uid: secret.uid, told: false });
            }
        }
    }
}
