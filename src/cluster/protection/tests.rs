//! What is asked, what is shared, and what is made of answers that are late, refused or about nothing.

mod kinds;
mod lists;
mod objects;
pub(in crate::cluster) mod server;
