//! The rules about Secrets in use, as tables.

mod deletions;
mod marks;
mod scene;
