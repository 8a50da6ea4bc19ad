//! What happens when everything comes at once, or in the wrong order: pods that arrive before the watches have told
//! of their namespace, many pods that need one copy, a Secret in the copy's place, and a namespace that comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod conflict;
#[path = "../harness/mod.rs"]
mod harness;
mod late_source;
mod namespaces;
mod one_namespace;
mod recreation;
mod removal;
