//! regcred

pub mod certificates;
