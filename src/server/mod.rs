//! The HTTPS server: two listeners, their limits, the certificate's changes, and an end that loses nothing.
//!
//! ```text
//! accept ── place? ── TLS handshake ── stream with phase limits ── hyper HTTP/1 ── review_routes ── handler
//!   │                     │
//!   └ admin port, plain   └ configuration of the moment, replaced by reload
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod accept;
/// The routes of the admin port.
pub mod admin;
mod body;
mod certificate;
mod connection;
mod deadline;
mod error;
mod handshake;
mod identity;
mod limits;
mod places;
mod readiness;
mod reload;
mod review_routes;
mod settings;
mod shutdown;
mod stream;
mod tls;

pub use certificate::CertificateError;
pub use deadline::Deadline;
pub use error::{ServeError, StartError};
pub use identity::{Identity, IdentityError};
pub use limits::Limits;
pub use readiness::{Part, Readiness, Remark};
pub use review_routes::ReviewRoutes;
pub use settings::Settings;
pub use shutdown::Shutdown;

use crate::telemetry::metrics::ServerMetrics;
use accept::{Acceptor, Transport};
use connection::{Ending, Serving};
use handshake::Handshakes;
use places::Places;
use reload::CertificateStore;

/// A server with bound listeners and, if it is that of files, a loaded certificate: what can be wrong with either has
/// shown itself.
pub struct Server {
    settings: Settings,
    limits: Limits,
    readiness: Readiness,
    metrics: ServerMetrics,
    identity: Identity,
    /// Where the certificate is that of files.
    files: Option<CertificateStore>,
    webhook: (TcpListener, SocketAddr),
    admin: (TcpListener, SocketAddr),
}

/// How a server ended after it was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every connection came to its end.
    Drained,
    /// So many connections were cut, because the time for draining was over or a second request came.
    Cut {
        /// How many.
        connections: usize,
    },
}

impl Server {
    /// Binds both listeners, and loads the certificate if it is that of files. Without files whoever has the
    /// [`identity`](Self::identity) brings it.
    pub async fn bind(
        settings: &Settings,
        limits: Limits,
        readiness: Readiness,
        metrics: ServerMetrics,
    ) -> Result<Self, StartError> {
        let webhook = bind(settings.listen, "--listen").await?;
        let admin = bind(settings.admin_listen, "--admin-listen").await?;
        let identity = Identity::new(webhook.1, readiness.part("certificate"), metrics.clone());
        let files = match &settings.tls_directory {
            Some(folder) => {
                let load = CertificateStore::load(
                    folder.clone(),
                    tls::provider(),
                    identity.clone(),
                    metrics.clone(),
                );
                Some(load.await?)
            }
            None => None,
        };
        Ok(Self { settings: settings.clone(), limits, readiness, metrics, identity, files, webhook, admin })
    }

    /// The handle by which the certificate is brought.
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Where reviews are taken; the port is the real one if any was asked for.
    pub fn webhook_address(&self) -> SocketAddr {
        self.webhook.1
    }

    /// Where health and metrics are.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.1
    }

    /// Serves until told to stop, then pauses, drains and returns. Dropping the future ends everything at once.
    pub async fn run(self, webhook: Router, admin: Router, shutdown: Shutdown) -> Result<Ended, ServeError> {
        let Self { settings, limits, readiness, metrics, identity, files, .. } = self;
        let (webhook_address, admin_address) = (self.webhook.1, self.admin.1);
        let parts = Parts { limits, metrics };
        let abort = CancellationToken::new();
        let _abort_when_dropped = abort.clone().drop_guard();
        let (stop_accepting, ending, tasks) = (abort.child_token(), Ending::default(), TaskTracker::new());

        let handshakes = Handshakes::new(parts.limits.handshake, parts.metrics.clone());
        let tls = Transport::Tls(identity.served(), Arc::new(handshakes));
        let webhooks = parts.acceptor(tls, webhook, &ending, &tasks, &abort);
        // Probes and scrapes are answered until the very end, so they are not part of the draining.
        let admins = parts.acceptor(Transport::Plain, admin, &Ending::default(), &TaskTracker::new(), &abort);
        let mut webhooks = tokio::spawn(webhooks.run(self.webhook.0, stop_accepting.clone()));
        let mut admins = tokio::spawn(admins.run(self.admin.0, abort.clone()));
        let (stop_following, poll) = (abort.clone(), settings.tls_poll_interval);
        let mut reload = tokio::spawn(async move {
            match files {
                Some(files) => files.follow(poll, stop_following).await,
                None => stop_following.cancelled().await,
            }
        });
        tracing::info!(%webhook_address, %admin_address, "serving");

        tokio::select! {
            () = shutdown.requested() => {}
            ended = &mut webhooks => return Err(unexpected("listener for reviews", ended)),
            ended = &mut admins => return Err(unexpected("listener for health and metrics", ended)),
            ended = &mut reload => return Err(unexpected("watch on the certificate", ended)),
        }

        readiness.drain();
        ending.renew.cancel();
        tracing::info!(pause = ?settings.drain_pause, "stopping: not ready any more, still taking connections");
        tokio::select! {
            () = sleep(settings.drain_pause) => {}
            () = shutdown.aborted() => {}
        }
        stop_accepting.cancel();
        // The listener is closed when this task has ended.
        let _ = webhooks.await;
        ending.close.cancel();
        tasks.close();
        tracing::info!(connections = tasks.len(), "stopping: taking no more connections");
        let drained = tokio::select! {
            drained = timeout(settings.drain_timeout, tasks.wait()) => drained.is_ok(),
            () = shutdown.aborted() => tasks.is_empty(),
        };
        let ended = if drained { Ended::Drained } else { Ended::Cut { connections: tasks.len() } };
        abort.cancel();
        tasks.wait().await;
        // Its listener is closed, too, when this returns.
        let _ = admins.await;
        tracing::info!(?ended, "stopped");
        Ok(ended)
    }
}

struct Parts {
    limits: Limits,
    metrics: ServerMetrics,
}

impl Parts {
    fn acceptor(
        &self,
        transport: Transport,
        router: Router,
        ending: &Ending,
        tasks: &TaskTracker,
        abort: &CancellationToken,
    ) -> Acceptor {
        let places = match transport {
            Transport::Tls(..) => Places::new(self.limits.connections, self.limits.connections_of_one_source),
            // Probes and scrapes may all come from one node.
            Transport::Plain => Places::new(self.limits.admin_connections, self.limits.admin_connections),
        };
        let serving = Serving {
            router,
            limits: self.limits.clone(),
            ending: ending.clone(),
            metrics: self.metrics.clone(),
        };
        Acceptor { transport, serving: Arc::new(serving), places, tasks: tasks.clone(), abort: abort.clone() }
    }
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, flag, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn unexpected(part: &'static str, ended: <JoinHandle<()> as Future>::Output) -> ServeError {
    let reason = ended.err().map_or_else(|| "it returned".to_owned(), |error| error.to_string());
    ServeError { part, reason }
}
