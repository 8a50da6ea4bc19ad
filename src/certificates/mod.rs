//! Certificates for the webhook's server: an authority of our own and the leaves that it issues.
//!
//! [`authority`] and [`anchor`] neither read the clock nor touch the cluster: the time is passed in, and what comes out
//! is PEM. [`own`] keeps an authority in the cluster and the trust in it; [`overlay`] writes files, for development.

pub mod anchor;
pub mod authority;
pub mod overlay;
mod overlay_files;
pub mod own;

pub use anchor::TrustAnchor;
pub use authority::{Authority, CertificateError, Leaf, PrivateKeyPem};
