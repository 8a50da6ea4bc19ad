//! What regcred does by itself, without an admission call.

pub mod copies;
pub mod protection;
mod queue;
pub mod repair;
pub mod retry;
pub mod status;
