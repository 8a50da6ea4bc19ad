//! The rules tables.
