//! What there is: in etcd, in flight, and in the leader's hand.
//!
//! **A resourceVersion is only ever compared with the present one.** So none is counted here; whoever holds one is told when it is
//! no longer the present one. A reservation and a write of a Shoot carry that as [`At::Outdated`]. Who holds the Secret's starts
//! anew: a DELETE is reviewed again, and what the leader had decided is dropped, for its write would be refused.
//!
//! **The servers are not here.** What one holds from one review to the next is its index, and the index of the one that takes a
//! review may be late by any amount: [`Shoot::past`]. So this is two servers, and more, each as late as it likes.

/// The Shoots that there can be.
pub(crate) const SHOOTS: usize = 2;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    pub(crate) shoots: [Shoot; SHOOTS],
    /// What stands under the one name.
    pub(crate) secret: Option<Secret>,
    /// The DELETE of the Secret that is under review, or allowed and not committed yet.
    pub(crate) deletion: Option<Deletion>,
    /// What the leader has decided on the present Secret and not written yet.
    pub(crate) decided: Option<LeaderWrite>,
    /// How many Secrets have stood under the name.
    pub(crate) incarnations: u8,
    /// How many DELETEs may still be sent.
    pub(crate) deletions_left: u8,
    /// How often the Secret may still be created again.
    pub(crate) creations_left: u8,
}

/// The Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Secret {
    /// Its `metadata.uid`: the first has 1.
    pub(crate) uid: u8,
    pub(crate) held: Held,
    /// `regcred.dev/in-use`.
    pub(crate) label: bool,
    /// No user made it: it is empty.
    pub(crate) hollow: bool,
    /// The reservations of each Shoot's attempts, each in an annotation of its own, in order.
    pub(crate) reservations: [Vec<Reservation>; SHOOTS],
}

/// Whether a DELETE makes it go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Held {
    No,
    /// It has a finalizer: a DELETE sets the deletionTimestamp.
    ByFinalizer,
    /// It has one, and a deletionTimestamp.
    Terminating,
}

/// One reservation: an attempt of a referrer to take up the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reservation {
    /// Stands for the review's uid, and on CREATE for the uid that the Shoot will have.
    pub(crate) attempt: u8,
    pub(crate) at: At,
}

/// What an attempt was reviewed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum At {
    /// CREATE: no old object.
    Nothing,
    /// UPDATE of the Shoot as it is now.
    Present,
    /// UPDATE of a Shoot that has another resourceVersion now, or is gone: can no longer commit.
    Outdated,
}

/// One Shoot, stored or not, and what is under way about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Shoot {
    pub(crate) stored: Option<Stored>,
    /// It has been another since the beginning: an index that is late may show what it was.
    pub(crate) past: bool,
    /// How many requests may still be sent.
    pub(crate) requests_left: u8,
    /// Requests that are not answered, or not known to be stored or not, in order.
    pub(crate) writes: Vec<Write>,
}

/// A Shoot in etcd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stored {
    /// Its `metadata.uid`: the attempt by which it was created; 0 stood at the beginning.
    pub(crate) uid: u8,
    pub(crate) reference: Option<Reference>,
}

/// That a Shoot refers to the Secret by name, and what is due to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reference {
    /// From before regcred, and the Secret has not had the label since: nothing is promised yet. The user has been told if the
    /// Secret was found gone.
    Old { told: bool },
    /// Judged when it was taken up, or found by the leader: the Secret of this uid must stay.
    Judged { uid: u8, told: bool },
}

/// A CREATE or UPDATE of a Shoot that brings a new reference to the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Write {
    pub(crate) attempt: u8,
    pub(crate) at: At,
    pub(crate) step: Step,
}

/// How far the review of a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// A server has the review.
    Asked,
    /// The server has read the Secret, of which this is the uid, to send it along with the patch.
    Read(u8),
    /// Only in a mutant: the label is on the Secret of this uid, the entry not yet.
    Labelled(u8),
    /// Only in a mutant: the write is allowed, and the patch still to come.
    Owing(u8),
    /// The API server has the *yes*, given on the Secret of this uid (none was looked at: only in a mutant), and will store the
    /// write some time, or never.
    Admitted(Option<u8>),
}

/// A DELETE of the Secret as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Deletion {
    /// The Shoots whose reservations are not settled yet.
    pub(crate) unsettled: [bool; SHOOTS],
    /// The Shoots that the LIST does not cover yet. One LIST shows all Shoots at once; but the second of the two may as well stand for a
    /// referrer of another kind, and these are listed one after the other.
    pub(crate) unlisted: [bool; SHOOTS],
    /// The API server has the *yes*, or does without.
    pub(crate) allowed: bool,
}

/// What the leader takes off the Secret that it has read, in one write with a resourceVersion test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaderWrite {
    /// A reservation of this Shoot's.
    pub(crate) withdrawn: Option<(usize, Reservation)>,
    /// Whether the label as well: if no reservation is left and, when that has been looked at, no reference.
    pub(crate) label: bool,
    /// The Shoots that it has looked at live.
    pub(crate) listed: [bool; SHOOTS],
}

impl Secret {
    /// One that a user creates.
    pub(crate) fn new(uid: u8) -> Self {
        let reservations = [Vec::new(), Vec::new()];
        Self { uid, held: Held::No, label: false, hollow: false, reservations }
    }

    pub(crate) fn is_terminating(&self) -> bool {
        self.held == Held::Terminating
    }

    pub(crate) fn is_reserved(&self) -> bool {
        self.reservations.iter().any(|of_shoot| !of_shoot.is_empty())
    }

    pub(crate) fn reserve(&mut self, shoot: usize, reservation: Reservation) {
        let of_shoot = &mut self.reservations[shoot];
        if let Err(place) = of_shoot.binary_search(&reservation) {
            of_shoot.insert(place, reservation);
        }
    }
}

impl Shoot {
    pub(crate) fn refers(&self) -> bool {
        self.reference().is_some()
    }

    pub(crate) fn reference(&self) -> Option<Reference> {
        self.stored.as_ref().and_then(|stored| stored.reference)
    }

    /// Whether a GET of the Shoot settles a reservation of it.
    pub(crate) fn settles(&self, reservation: Reservation) -> bool {
        match reservation.at {
            // That uid is there. Nothing, or another uid, says nothing about a CREATE that is under way.
            At::Nothing => self.stored.as_ref().is_some_and(|stored| stored.uid == reservation.attempt),
            At::Present => false,
            At::Outdated => true,
        }
    }

    /// Whether a watch may have shown that what a reservation was to create was created and deleted. Of those whose write came to
    /// nothing no watch shows that; they are here all the same, which is more than can happen.
    pub(crate) fn may_be_deleted(&self, reservation: Reservation) -> bool {
        let is_on_its_way = self.writes.iter().any(|write| write.attempt == reservation.attempt);
        reservation.at == At::Nothing && !is_on_its_way
    }
}

impl State {
    /// Whether any Shoot refers to the Secret: what a consistent LIST shows.
    pub(crate) fn is_referred_to(&self) -> bool {
        self.shoots.iter().any(Shoot::refers)
    }

    /// A number for an attempt that nothing knows yet.
    pub(crate) fn new_attempt(&self, shoot: usize) -> u8 {
        let of = &self.shoots[shoot];
        let is_known = |attempt: u8| {
            of.writes.iter().any(|write| write.attempt == attempt)
                || of.stored.as_ref().is_some_and(|stored| stored.uid == attempt)
                || self
                    .secret
                    .iter()
                    .any(|secret| secret.reservations[shoot].iter().any(|r| r.attempt == attempt))
                || self.decided.is_some_and(|write| {
                    write.withdrawn.is_some_and(|(of, r)| of == shoot && r.attempt == attempt)
                })
        };
        (1..=u8::MAX).find(|attempt| !is_known(*attempt)).unwrap()
    }

    /// The Shoot has another resourceVersion, or is gone.
    pub(crate) fn shoot_moved(&mut self, shoot: usize) {
        fn outdate(at: &mut At) {
            if *at == At::Present {
                *at = At::Outdated;
            }
        }
        let of = &mut self.shoots[shoot];
        of.past = true;
        of.writes.iter_mut().for_each(|write| outdate(&mut write.at));
        of.writes.sort_unstable();
        if let Some(secret) = &mut self.secret {
            secret.reservations[shoot].iter_mut().for_each(|reservation| outdate(&mut reservation.at));
            secret.reservations[shoot].sort_unstable();
        }
        if let Some(LeaderWrite { withdrawn: Some((of, reservation)), .. }) = &mut self.decided
            && *of == shoot
        {
            outdate(&mut reservation.at);
        }
    }

    /// Takes a write out of what is in flight.
    pub(crate) fn take(&mut self, shoot: usize, attempt: u8) -> Write {
        let writes = &mut self.shoots[shoot].writes;
        let place = writes.iter().position(|write| write.attempt == attempt).unwrap();
        writes.remove(place)
    }

    pub(crate) fn put(&mut self, shoot: usize, write: Write) {
        let writes = &mut self.shoots[shoot].writes;
        writes.push(write);
        writes.sort_unstable();
    }

    /// Which of the two Shoots is called the first makes no difference: of two states that differ by that alone, one stands for both.
    pub(crate) fn canonical(self) -> Self {
        if self.shoots[0] < self.shoots[1] {
            return self;
        }
        let mut swapped = self.clone();
        swapped.shoots.swap(0, 1);
        if let Some(secret) = &mut swapped.secret {
            secret.reservations.swap(0, 1);
        }
        if let Some(deletion) = &mut swapped.deletion {
            deletion.unsettled.swap(0, 1);
            deletion.unlisted.swap(0, 1);
        }
        if let Some(LeaderWrite { withdrawn, listed, .. }) = &mut swapped.decided {
            listed.swap(0, 1);
            *withdrawn = withdrawn.map(|(shoot, reservation)| (1 - shoot, reservation));
        }
        self.min(swapped)
    }
}
