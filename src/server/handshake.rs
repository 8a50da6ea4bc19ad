//! The TLS handshake of a connection, and why one failed.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustls::{AlertDescription, Error as TlsError};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::telemetry::metrics::ServerMetrics;

/// How often distrust is logged: a caBundle that does not fit fails every review, and one line tells it.
const DISTRUST_EVERY: Duration = Duration::from_mins(1);

/// Handshakes of one listener.
pub(super) struct Handshakes {
    limit: Duration,
    metrics: ServerMetrics,
    distrust_told: Mutex<Option<Instant>>,
}

impl Handshakes {
    pub(super) fn new(limit: Duration, metrics: ServerMetrics) -> Self {
        Self { limit, metrics, distrust_told: Mutex::new(None) }
    }

    /// The secured stream, unless the handshake fails or takes too long, which is counted here.
    pub(super) async fn secure(
        &self,
        acceptor: TlsAcceptor,
        stream: TcpStream,
    ) -> Option<TlsStream<TcpStream>> {
        let reason = match timeout(self.limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                let reason = reason(&error);
                tracing::debug!(%error, reason, "a TLS handshake failed");
                reason
            }
            Err(_) => "timeout",
        };
        self.metrics.handshake_failed(reason);
        if reason == "certificate_rejected" {
            self.tell_distrust();
        }
        None
    }

    /// With failurePolicy Ignore nothing else would show that no review reaches this server.
    fn tell_distrust(&self) {
        let mut told = self.distrust_told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= DISTRUST_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(
                "a client does not trust the certificate served here; if it is the API server, the caBundle of the \
                 webhook configuration is not that of the certificate's issuer"
            );
        }
    }
}

/// The reason under which a failed handshake is counted.
fn reason(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match tls {
        None => "closed",
        Some(TlsError::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            // A signature that does not verify: an authority made anew under the same name.
            | AlertDescription::DecryptError,
        )) => "certificate_rejected",
        Some(TlsError::NoApplicationProtocol | TlsError::PeerIncompatible(_)) => "no_common_protocol",
        Some(TlsError::InvalidMessage(_)) => "not_tls",
        Some(_) => "other",
    }
}
