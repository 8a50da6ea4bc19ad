//! Why a server does not begin, or ended by itself.

use std::io;
use std::net::SocketAddr;

use super::certificate::CertificateError;

/// Why the server cannot begin. Nothing has been served then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate cannot be served.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; free the port, or choose another with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The argument that sets it.
        flag: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Why a running server ended without being told to: a defect, after which the process should restart.
#[derive(Debug, thiserror::Error)]
#[error("the server's {part} ended unexpectedly: {reason}")]
pub struct ServeError {
    /// What ended.
    pub(super) part: &'static str,
    /// How.
    pub(super) reason: String,
}
