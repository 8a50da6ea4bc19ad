//! The certificate by which the server is known, for whoever brings it: served, tried before that, judged by the clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use super::certificate::timestamp;
use super::readiness::Part;
use super::tls::{self, PROTOCOL, Served};
use crate::certificates::Leaf;
use crate::telemetry::metrics::{ServerMetrics, unix_seconds};

/// A handshake with oneself takes milliseconds; a machine that needs longer than this has other troubles.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The server's certificate, whoever brings it. Clones share it.
#[derive(Clone)]
pub struct Identity {
    served: Arc<Served>,
    address: SocketAddr,
    /// In seconds since 1970; 0 while there is no certificate.
    not_after: Arc<AtomicI64>,
    ready: Part,
    metrics: ServerMetrics,
}

/// A certificate with its key, fit to be tried and served.
pub struct Candidate {
    config: Arc<ServerConfig>,
    names: Vec<String>,
}

/// Why a certificate is not served.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The TLS library does not take the pair. It never quotes the key.
    #[error("the new certificate cannot be used: {0}")]
    Unusable(String),
    /// A client that trusts what is published does not accept it.
    #[error(
        "the new certificate is not served: a client that trusts the caBundle as it is in the cluster does not accept \
         it ({0})"
    )]
    Refused(String),
}

impl Identity {
    pub(super) fn new(address: SocketAddr, ready: Part, metrics: ServerMetrics) -> Self {
        Self { served: Arc::default(), address, not_after: Arc::default(), ready, metrics }
    }

    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served)
    }

    /// A leaf, made ready to be served.
    pub fn candidate(&self, leaf: &Leaf) -> Result<Candidate, IdentityError> {
        let unusable = |error: &dyn std::fmt::Display| IdentityError::Unusable(error.to_string());
        let provider = tls::provider();
        let certificate = CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes())
            .map_err(|error| unusable(&error))?;
        let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes())
            .map_err(|_| unusable(&"its key cannot be read"))?;
        let pair =
            CertifiedKey::from_der(vec![certificate], key, &provider).map_err(|error| unusable(&error))?;
        let config = tls::server_config(pair, provider).map_err(|error| unusable(&error))?;
        Ok(Candidate { config: Arc::new(config), names: leaf.names.clone() })
    }

    /// Connects to our own listener as an API server would that trusts just these roots, and is shown the candidate.
    /// Everybody else is shown what is served meanwhile.
    pub async fn try_out<'a>(
        &self,
        candidate: &Candidate,
        roots: impl Iterator<Item = &'a CertificateDer<'static>>,
        name: &str,
    ) -> Result<(), IdentityError> {
        let connector = TlsConnector::from(Arc::new(trusting(roots)?));
        let name = ServerName::try_from(name.to_owned()).map_err(|error| refused(&error))?;
        let trial = async {
            let address = reachable(self.address);
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // The address is needed before the connection is made: the listener tells by it who is on trial.
            socket.bind(SocketAddr::new(address.ip(), 0))?;
            self.served.begin_trial(Arc::clone(&candidate.config), socket.local_addr()?);
            connector.connect(name, socket.connect(address).await?).await.map(drop)
        };
        let tried = tokio::time::timeout(TRIAL_TIMEOUT, trial).await;
        self.served.end_trial();
        match tried {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(refused(&format!("no handshake within {TRIAL_TIMEOUT:?}"))),
        }
    }

    /// Serves the candidate from now on.
    pub fn serve(&self, candidate: Candidate, not_after: SystemTime) {
        self.replace(candidate.config, not_after, &candidate.names);
    }

    pub(super) fn replace(&self, config: Arc<ServerConfig>, not_after: SystemTime, names: &[String]) {
        self.served.replace(config);
        self.not_after.store(unix_seconds(not_after), Ordering::Relaxed);
        self.metrics.certificate_not_after.set(unix_seconds(not_after));
        self.metrics.certificate_loaded.set(unix_seconds(SystemTime::now()));
        tracing::info!(names = names.join(" "), not_after = timestamp(not_after), "certificate loaded");
        self.judge_expiry();
    }

    /// By the wall clock, now and then: a timer set to the expiry would not notice a suspended machine.
    pub fn judge_expiry(&self) {
        self.ready.set(unix_seconds(SystemTime::now()) < self.not_after.load(Ordering::Relaxed));
    }
}

/// Of "every address" the loopback one.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let address = match listening.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listening.port())
}

fn trusting<'a>(
    roots: impl Iterator<Item = &'a CertificateDer<'static>>,
) -> Result<ClientConfig, IdentityError> {
    let mut store = RootCertStore::empty();
    // One that cannot be a root is none; whether the others suffice is just what the trial shows.
    store.add_parsable_certificates(roots.cloned());
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn refused(reason: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Refused(reason.to_string())
}
