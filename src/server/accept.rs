//! Takes connections from a listener, as many as are allowed, and hands each to a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rustls::{AlertDescription, Error as TlsError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Serving, serve};
use super::tls::ServedConfig;

/// After a failed accept: without descriptors the next one fails at once, too, and the loop would spin.
/// Short against the API server's patience, long against the loop's own cost.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a listener's connections are protected.
pub(super) enum Transport {
    Plain,
    Tls(ServedConfig),
}

/// A listener with all that its connections need.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) transport: Transport,
    pub(super) serving: Arc<Serving>,
    /// A place for each connection that may be open.
    pub(super) places: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
    /// Ends every connection at once.
    pub(super) abort: CancellationToken,
}

impl Acceptor {
    /// Accepts until told to stop; then takes what the kernel has accepted already and closes the listener.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream),
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        // The kernel completes connections by itself. Closing the listener would reset those not yet taken,
        // and with them the reviews that their clients have sent.
        while let Some(Ok((stream, _))) = self.listener.accept().now_or_never() {
            self.admit(stream);
        }
    }

    fn admit(&self, stream: TcpStream) {
        // A connection that nobody has a place for is closed at once: its client can go to another replica,
        // which it could not while it waits.
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.serving.metrics.connections_refused.inc();
            return;
        };
        // Answers are one small write each; waiting for more to send would only delay them. If it cannot be
        // set the connection is gone already, which the next read tells.
        let _ = stream.set_nodelay(true);
        let serving = Arc::clone(&self.serving);
        let abort = self.abort.clone();
        match &self.transport {
            Transport::Plain => {
                self.tasks.spawn(async move {
                    abort.run_until_cancelled(hold(place, serve(stream, serving))).await;
                });
            }
            Transport::Tls(config) => {
                let acceptor = TlsAcceptor::from(config.load_full());
                self.tasks.spawn(async move {
                    let open = Gauge::new(&serving.metrics.connections);
                    abort
                        .run_until_cancelled(hold(place, secure(acceptor, stream, Arc::clone(&serving))))
                        .await;
                    drop(open);
                });
            }
        }
    }
}

async fn hold(place: OwnedSemaphorePermit, work: impl Future<Output = ()>) {
    work.await;
    drop(place);
}

async fn secure(acceptor: TlsAcceptor, stream: TcpStream, serving: Arc<Serving>) {
    match timeout(serving.limits.handshake, acceptor.accept(stream)).await {
        // Boxed, for a task is as large as all the places that a value moves through on its way.
        Ok(Ok(stream)) => serve(Box::new(stream), serving).await,
        Ok(Err(error)) => {
            let reason = handshake_failure(&error);
            tracing::debug!(%error, reason, "a TLS handshake failed");
            serving.metrics.handshake_failed(reason);
        }
        Err(_) => serving.metrics.handshake_failed("timeout"),
    }
}

/// The reason under which a failed handshake is counted.
fn handshake_failure(error: &io::Error) -> &'static str {
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

/// Errors of the connection being accepted, not of accepting: its client went away.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Counts one while it lives.
pub(super) struct Gauge(prometheus::IntGauge);

impl Gauge {
    pub(super) fn new(gauge: &prometheus::IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
