//! The protocol as a model: where it begins, what can happen next, and what that makes of a state.

use stateright::{Model, Property};

use crate::mutants::Mutant;
use crate::properties;
use crate::shoots::Request;
use crate::state::{Held, LeaderWrite, Reference, SHOOTS, Secret, Shoot, State, Stored};

/// How much can happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests about each Shoot. Of one Shoot any number may be in flight at once.
    pub(crate) requests: [u8; SHOOTS],
    /// DELETEs of the Secret, one after the other.
    pub(crate) deletions: u8,
    /// How often it is created again.
    pub(crate) creations: u8,
}

/// The protocol, or a mutant of it, within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) bounds: Bounds,
    pub(crate) mutant: Option<Mutant>,
    /// Keeps states apart that differ only by which Shoot is called the first: so the steps that led to one name the same Shoot
    /// throughout.
    pub(crate) tells_apart: bool,
}

/// One step. Steps that name a Shoot and an attempt are of the review of that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A user's request about a Shoot reaches the API server.
    Send(usize, Request),
    /// The server reads the Secret.
    Read(usize, u8),
    /// The server's patch lands, and it answers.
    Reserve(usize, u8),
    /// The answer does not come.
    Lose(usize, u8),
    /// The API server stores what was admitted, or tries to.
    Store(usize, u8),
    /// It never does: it crashed, or another webhook refused.
    Abandon(usize, u8),
    /// A user's DELETE of the Secret.
    DeleteSecret,
    /// The review's live GET of a Shoot that has reservations.
    Settle(usize),
    /// The same, and a watch has shown to the server that what a reservation was to create has been deleted.
    SettleKnowingTheDeleted(usize),
    /// The review's LIST of a kind of referrers, and after the last its answer.
    List(usize),
    /// The review's answer does not come.
    LoseDeletion,
    /// The API server deletes the Secret.
    CommitDeletion,
    /// The last finalizer of a terminating Secret goes.
    LetGo,
    /// A user creates the Secret again.
    CreateSecret { labelled: bool },
    /// A user writes the Secret with neither label nor reservations.
    Replace,
    /// The leader puts the label on.
    Label,
    /// The leader has read the Secret.
    Decide(LeaderWrite),
    /// It dies, or is no longer the leader: what it decided is not written, and the next one reads anew.
    LeaderDies,
    /// And then, live, a referrer.
    LeaderLists(usize),
    /// The leader's write lands.
    WriteDecided,
    /// The leader tells of a Shoot whose Secret is gone or going.
    Tell(usize),
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    /// Each Shoot is absent, stored, or stored with a reference; the Secret with and without a finalizer; referred to, also from
    /// before regcred: then it has no label yet.
    fn init_states(&self) -> Vec<State> {
        let stored = |reference| Some(Stored { uid: 0, reference });
        let judged = Reference::Judged { uid: 1, told: false };
        let old = Reference::Old { told: false };
        let beginnings = |reference| [None, stored(None), stored(Some(reference))];
        let mut states = Vec::new();
        for (reference, label) in [(judged, true), (old, false)] {
            for first in beginnings(reference) {
                for second in beginnings(reference) {
                    for held in [Held::No, Held::ByFinalizer] {
                        let [first_requests, second_requests] = self.bounds.requests;
                        let shoot = |stored, requests_left| Shoot {
                            stored,
                            past: false,
                            requests_left,
                            writes: Vec::new(),
                        };
                        let state = State {
                            shoots: [
                                shoot(first.clone(), first_requests),
                                shoot(second.clone(), second_requests),
                            ],
                            secret: Some(Secret { held, label, ..Secret::new(1) }),
                            deletion: None,
                            decided: None,
                            incarnations: 1,
                            deletions_left: self.bounds.deletions,
                            creations_left: self.bounds.creations,
                        };
                        states.push(state.canonical());
                    }
                }
            }
        }
        states.sort_unstable();
        states.dedup();
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for shoot in 0..SHOOTS {
            Self::shoot_actions(state, shoot, actions);
        }
        self.secret_actions(state, actions);
        self.leader_actions(state, true, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Send(shoot, request) => Self::send(&mut state, shoot, request),
            Action::Read(shoot, attempt) => self.read(&mut state, shoot, attempt),
            Action::Reserve(shoot, attempt) => self.reserve(&mut state, shoot, attempt),
            Action::Lose(shoot, attempt) => self.lose(&mut state, shoot, attempt),
            Action::Store(shoot, attempt) => Self::store(&mut state, shoot, attempt),
            Action::Abandon(shoot, attempt) => {
                state.take(shoot, attempt);
            }
            Action::DeleteSecret => {
                state.deletions_left -= 1;
                state.deletion = state.secret.as_ref().map(Self::begin);
            }
            Action::Settle(shoot) => self.settle(&mut state, shoot, false),
            Action::SettleKnowingTheDeleted(shoot) => self.settle(&mut state, shoot, true),
            Action::List(shoot) => self.list(&mut state, shoot),
            Action::LoseDeletion => Self::lose_deletion(&mut state),
            Action::CommitDeletion => self.commit_deletion(&mut state),
            Action::LetGo => {
                state.secret = None;
                self.secret_changed(&mut state);
            }
            Action::CreateSecret { labelled } => {
                state.creations_left -= 1;
                state.create_secret(false);
                state.secret.as_mut().unwrap().label = labelled;
            }
            Action::Replace => self.replace(&mut state),
            Action::Label => self.label(&mut state),
            Action::Decide(write) => state.decided = Some(write),
            Action::LeaderLists(shoot) => self.leader_lists(&mut state, shoot),
            Action::LeaderDies => state.decided = None,
            Action::WriteDecided => self.write_decided(&mut state),
            Action::Tell(shoot) => Self::tell(&mut state, shoot),
        }
        Self::promise(&mut state);
        Some(if self.tells_apart { state } else { state.canonical() })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
