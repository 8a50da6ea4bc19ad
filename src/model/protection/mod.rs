//! What regcred writes on a Secret so that it stays while something points to it, and what it looks at before it lets one go.
//!
//! A Secret that is in use has a label, by which the API server knows whom to ask, also while nobody answers. Whoever is about to
//! point to it leaves a reservation first: so the API server looks at a deletion anew that it is about to carry out.

mod bypass;
mod live;
mod reservation;
mod secret;

pub use bypass::{BYPASS_GROUP, BYPASS_RESOURCE, BYPASS_VERB, Bypass};
pub use live::{Listing, LiveReferrer};
pub use reservation::{Claim, Reservation, reservations, reserved};
pub use secret::{SecretAnswer, WholeSecret};

/// The label of a Secret that something points to, or is about to.
pub const IN_USE_LABEL: &str = "regcred.dev/in-use";
/// Its value.
pub const IN_USE_VALUE: &str = "true";
/// Reservations are the annotations that begin so; what follows is the uid of the review that left it, 36 of the 63 characters that
/// a name may have.
pub const RESERVATION_PREFIX: &str = "reservation.regcred.dev/";
/// The most reservations that a Secret may have. Each has some 250 bytes, and the annotations of an object 256 KiB.
pub const MOST_RESERVATIONS: usize = 100;
/// The annotation by which somebody who may do so lets a Secret go although it is in use. Its value says why.
pub const ALLOW_DELETION: &str = "regcred.dev/allow-deletion";
/// The finalizers by which Gardener holds Secrets: for Shoots, for the two kinds of bindings, and the one that it put on all Secrets of
/// bindings in earlier releases (`pkg/apis/core/v1beta1/constants`).
pub const PROTECTING_FINALIZERS: [&str; 4] = [
    "gardener.cloud/reference-protection",
    "gardener.cloud/secretbinding",
    "gardener.cloud/credentialsbinding",
    "gardener.cloud/gardener",
];
