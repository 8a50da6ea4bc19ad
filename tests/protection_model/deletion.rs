//! What users do with the Secret, and the review of its DELETE.

use crate::mutants::Mutant;
use crate::protocol::{Action, Protocol};
use crate::state::{At, Deletion, Held, Reservation, SHOOTS, Secret, Shoot, State};

impl State {
    /// A Secret under the name, as a user makes it or, `hollow`, nobody.
    pub(crate) fn create_secret(&mut self, hollow: bool) {
        self.incarnations += 1;
        self.secret = Some(Secret { hollow, ..Secret::new(self.incarnations) });
    }
}

impl Protocol {
    /// What can happen next about the Secret.
    pub(crate) fn secret_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let Some(secret) = &state.secret else {
            if state.creations_left > 0 {
                // The mutation labels it if the index shows a reference; it fails open, and the index may be late.
                actions.extend([
                    Action::CreateSecret { labelled: false },
                    Action::CreateSecret { labelled: true },
                ]);
            }
            return;
        };
        if secret.is_terminating() {
            // Whoever holds it lets go: an UPDATE, no DELETE is reviewed. (A DELETE of it is allowed and does nothing.)
            actions.push(Action::LetGo);
        } else if let Some(deletion) = state.deletion {
            self.deletion_actions(deletion, actions);
        } else if state.deletions_left > 0 {
            actions.push(Action::DeleteSecret);
        }
        if secret.is_reserved() || (secret.label && self.mutant == Some(Mutant::LabelStrippedByReplace)) {
            actions.push(Action::Replace);
        }
    }

    fn deletion_actions(&self, deletion: Deletion, actions: &mut Vec<Action>) {
        if deletion.allowed {
            actions.push(Action::CommitDeletion);
            return;
        }
        actions.push(Action::LoseDeletion);
        let [unsettled, unlisted] =
            [deletion.unsettled, deletion.unlisted].map(|open| (0..SHOOTS).filter(move |shoot| open[*shoot]));
        let any_time = matches!(
            self.mutant,
            Some(Mutant::ListFromBeforeSettling | Mutant::ReservedReferrersJudgedByTheirGet)
        );
        // The LIST comes last. One that was begun before a reservation was settled may not show the write that settled it.
        if any_time || !deletion.unsettled.contains(&true) {
            actions.extend(unlisted.map(Action::List));
        }
        actions.extend(unsettled.clone().map(Action::Settle));
        actions.extend(unsettled.map(Action::SettleKnowingTheDeleted));
    }

    /// The Secret has another resourceVersion, or is gone. A DELETE under review is reviewed anew: its *yes* would not be committed,
    /// and its *no* ends it, as if it had not been sent. What the leader decided would be refused.
    pub(crate) fn secret_changed(&self, state: &mut State) {
        state.decided = state.decided.filter(|write| match self.mutant {
            Some(Mutant::WithdrawalWithoutResourceVersionTest) => write.withdrawn.is_some(),
            Some(Mutant::LabelTakenOffWithoutResourceVersionTest) => write.withdrawn.is_none(),
            _ => false,
        });
        if state.deletion.is_some() {
            state.deletion = state.secret.as_ref().filter(|secret| !secret.is_terminating()).map(Self::begin);
        }
    }

    /// The review of the Secret as it is.
    pub(crate) fn begin(secret: &Secret) -> Deletion {
        let unsettled = [0, 1].map(|shoot: usize| !secret.reservations[shoot].is_empty());
        Deletion { unsettled, unlisted: [true; SHOOTS], allowed: false }
    }

    /// A live GET of a referrer: each of its reservations is settled, or the deletion refused. Whoever `knows_the_deleted` does so by a
    /// watch, which may be late, or show nothing.
    pub(crate) fn settle(&self, state: &mut State, shoot: usize, knows_the_deleted: bool) {
        let (of, secret) = (&state.shoots[shoot], state.secret.as_ref().unwrap());
        let settled = secret.reservations[shoot].iter().all(|reservation| {
            let refuses = self.mutant == Some(Mutant::SettledReservationsRefuse);
            self.is_settled(of, *reservation)
                || (knows_the_deleted && !refuses && of.may_be_deleted(*reservation))
        });
        let judged = self.mutant == Some(Mutant::ReservedReferrersJudgedByTheirGet);
        let settled = settled && !(judged && of.refers());
        state.deletion = state.deletion.filter(|_| settled).map(|mut deletion| {
            deletion.unsettled[shoot] = false;
            deletion.answered()
        });
    }

    fn is_settled(&self, shoot: &Shoot, reservation: Reservation) -> bool {
        match self.mutant {
            Some(Mutant::SettledReservationsRefuse) => false,
            // An index that is late shows another resourceVersion as well: an older one.
            Some(Mutant::SettledByAWatchEvent) if shoot.past && reservation.at == At::Present => true,
            Some(Mutant::CreateSettledByNothing)
                if shoot.stored.is_none() && reservation.at == At::Nothing =>
            {
                true
            }
            _ => shoot.settles(reservation),
        }
    }

    /// The consistent LIST: a reference refuses. That the index names a referrer and a live GET confirms it refuses earlier, in the
    /// same states: no step of its own.
    pub(crate) fn list(&self, state: &mut State, shoot: usize) {
        let of = &state.shoots[shoot];
        let shown = of.refers() && !(self.mutant == Some(Mutant::DeletionAllowedByTheIndex) && of.past);
        state.deletion = state.deletion.filter(|_| !shown).map(|mut deletion| {
            deletion.unlisted[shoot] = false;
            deletion.answered()
        });
    }

    /// The server dies, or answers too late. With the label the entry fails closed, without it open.
    pub(crate) fn lose_deletion(state: &mut State) {
        let label = state.secret.as_ref().is_some_and(|secret| secret.label);
        state.deletion =
            state.deletion.filter(|_| !label).map(|deletion| Deletion { allowed: true, ..deletion });
    }

    /// The Secret is as it was reviewed: otherwise the review would have begun anew.
    pub(crate) fn commit_deletion(&self, state: &mut State) {
        let secret = state.secret.as_mut().unwrap();
        match secret.held {
            Held::No => state.secret = None,
            Held::ByFinalizer | Held::Terminating => secret.held = Held::Terminating,
        }
        self.secret_changed(state);
    }

    /// `kubectl replace` with a file that has neither the label nor reservations: the mutating entry puts the label back and every
    /// reservation that a GET does not show settled.
    pub(crate) fn replace(&self, state: &mut State) {
        let secret = state.secret.as_mut().unwrap();
        secret.label &= self.mutant != Some(Mutant::LabelStrippedByReplace);
        let puts_back = self.mutant != Some(Mutant::ReservationStrippedByReplace);
        for (shoot, reservations) in state.shoots.iter().zip(&mut secret.reservations) {
            reservations.retain(|reservation| puts_back && !shoot.settles(*reservation));
        }
        self.secret_changed(state);
    }
}

impl Deletion {
    /// The *yes* once nothing is left to be looked at.
    fn answered(mut self) -> Self {
        self.allowed = !self.unsettled.contains(&true) && !self.unlisted.contains(&true);
        self
    }
}
