//! The way of a review through the parts: decode, decide, carry out what the decision needs, encode.

mod handler;
mod inquiries;
mod needs;
mod telling;

pub use handler::Reviewer;
pub use needs::Needs;
