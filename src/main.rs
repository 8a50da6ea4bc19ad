//! regcred
fn main() {}
