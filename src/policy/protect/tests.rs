//! The rules about Secrets in use, as tables.

mod deletions;
mod facts;
mod marks;
mod scene;
mod texts;
