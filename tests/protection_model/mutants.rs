//! The protocol with one thing taken out or done another way. Each must be caught: so the properties are worth something. Two may be done
//! another way: that shows what rests on what.

use crate::properties::{AT_REST, SAFE};

/// One change of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The Secret is looked at, and nothing is left on it.
    ReservationsOff,
    /// The *yes* is given before the patch.
    ReservationAfterTheAllow,
    /// The entry of Shoots fails open.
    IgnoreOnTheShootEntry,
    /// Server-side apply without a uid: it creates what is not there.
    ApplyInsteadOfPatch,
    /// A reservation is settled by what the index has of the Shoot.
    SettledByAWatchEvent,
    /// First the label, then the reservation.
    LabelAndReservationInTwoWrites,
    /// The leader withdraws what it decided to, whatever the Secret is by then.
    WithdrawalWithoutResourceVersionTest,
    /// The same where it takes off the label alone.
    LabelTakenOffWithoutResourceVersionTest,
    /// `kubectl replace` with a file that has no reservations, and nothing puts them back.
    ReservationStrippedByReplace,
    /// The same with the label.
    LabelStrippedByReplace,
    /// The assumption broken: a write is stored after the leader withdrew its reservation.
    StoredAfterT,
    /// The leader takes the label off because its index, not a LIST, shows no reference.
    LabelTakenOffByTheIndex,
    /// The review shares a LIST that was begun after it arrived, and before its reservations were settled.
    ListFromBeforeSettling,
    /// The *yes* to a DELETE rests on the index, without a LIST.
    DeletionAllowedByTheIndex,
    /// The deletionTimestamp is judged on what was read before the patch.
    JudgedBeforeThePatch,
    /// The reservation of a CREATE is settled when no such Shoot is there.
    CreateSettledByNothing,
    /// Nobody looks for Shoots whose Secret is gone.
    DetectionOff,
    /// The leader withdraws nothing.
    NothingWithdrawn,
    /// A reservation refuses until the leader withdraws it.
    SettledReservationsRefuse,
    /// The same as [`Mutant::ListFromBeforeSettling`], but a referrer with a reservation is judged by the GET that settles it.
    ReservedReferrersJudgedByTheirGet,
    /// The patch lands on whatever has the name, and that is judged.
    PatchWithoutUid,
}

/// Each with the property that it breaks. What [`Mutant::SettledReservationsRefuse`] takes away is a possibility.
pub(crate) const MUTANTS: [(Mutant, &str); 18] = [
    (Mutant::ReservationsOff, SAFE),
    (Mutant::ReservationAfterTheAllow, SAFE),
    (Mutant::IgnoreOnTheShootEntry, SAFE),
    (Mutant::ApplyInsteadOfPatch, SAFE),
    (Mutant::SettledByAWatchEvent, SAFE),
    (Mutant::LabelAndReservationInTwoWrites, SAFE),
    (Mutant::WithdrawalWithoutResourceVersionTest, SAFE),
    (Mutant::LabelTakenOffWithoutResourceVersionTest, SAFE),
    (Mutant::ReservationStrippedByReplace, SAFE),
    (Mutant::LabelStrippedByReplace, SAFE),
    (Mutant::StoredAfterT, SAFE),
    (Mutant::LabelTakenOffByTheIndex, SAFE),
    (Mutant::ListFromBeforeSettling, SAFE),
    (Mutant::DeletionAllowedByTheIndex, SAFE),
    (Mutant::JudgedBeforeThePatch, SAFE),
    (Mutant::CreateSettledByNothing, SAFE),
    (Mutant::DetectionOff, AT_REST),
    (Mutant::NothingWithdrawn, AT_REST),
];

/// Those that break nothing.
pub(crate) const HARMLESS: [Mutant; 2] = [Mutant::ReservedReferrersJudgedByTheirGet, Mutant::PatchWithoutUid];
