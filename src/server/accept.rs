//! Takes connections from a listener, as many as are allowed, and hands each to a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Serving, serve};
use super::handshake::Handshakes;
use super::places::Places;
use super::tls::Served;

/// After a failed accept: without descriptors the next one fails at once, too, and the loop would spin.
/// Short against the API server's patience, long against the loop's own cost.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a listener's connections are protected.
pub(super) enum Transport {
    Plain,
    Tls(Arc<Served>, Arc<Handshakes>),
}

/// What the connections of a listener need.
pub(super) struct Acceptor {
    pub(super) transport: Transport,
    pub(super) serving: Arc<Serving>,
    pub(super) places: Places,
    pub(super) tasks: TaskTracker,
    /// Ends every connection at once.
    pub(super) abort: CancellationToken,
}

impl Acceptor {
    /// Accepts until told to stop; then takes what the kernel has accepted already and closes the listener.
    pub(super) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let mut failing = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        failing = false;
                        self.admit(stream, peer);
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        if !failing {
                            tracing::error!(%error, "connections cannot be accepted; trying on");
                        }
                        failing = true;
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        self.take_rest(listener);
    }

    /// The kernel completes connections by itself. Closing the listener would reset those not yet taken, and
    /// with them the reviews that their clients have sent. The system call tells surely whether there are any.
    fn take_rest(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.admit(stream, peer);
            }
        }
    }

    fn admit(&self, stream: TcpStream, client: SocketAddr) {
        // A connection that nobody has a place for is closed at once: its client can go to another replica,
        // which it could not while it waits.
        let Some(place) = self.places.take(client.ip()) else {
            self.serving.metrics.connections_refused.inc();
            return;
        };
        // Answers are one small write each; waiting for more to send would only delay them. If it cannot be
        // set the connection is gone already, which the next read tells.
        let _ = stream.set_nodelay(true);
        let serving = Arc::clone(&self.serving);
        match &self.transport {
            Transport::Plain => self.spawn(async move {
                serve(stream, serving).await;
                drop(place);
            }),
            Transport::Tls(served, handshakes) => {
                // Not ready yet, so nobody is sent here; closed at once, like one too many.
                let Some(config) = served.for_client(client) else { return };
                let (acceptor, handshakes) = (TlsAcceptor::from(config), Arc::clone(handshakes));
                self.spawn(async move {
                    let open = Gauge::new(&serving.metrics.connections);
                    if let Some(stream) = handshakes.secure(acceptor, stream).await {
                        // Boxed, for a task is as large as all the places that a value moves through on its way.
                        serve(Box::new(stream), serving).await;
                    }
                    drop((open, place));
                });
            }
        }
    }

    fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.abort.clone().run_until_cancelled_owned(connection));
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
