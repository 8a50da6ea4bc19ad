//! Certificates for the webhook's server: an authority of our own and the leaves that it issues.
//!
//! Nothing here reads the clock or touches the cluster: the time is passed in, and what comes out is PEM. The
//! one part that writes files is [`overlay`], for development.

pub mod authority;
pub mod overlay;
mod overlay_files;

pub use authority::{Authority, CertificateError, Leaf, PrivateKeyPem};
