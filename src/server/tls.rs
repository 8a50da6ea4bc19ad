//! The TLS configuration served: what is offered, and the certificate in it, replaced as a whole.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};

/// The configuration that new connections take, once there is one. Connections that are open keep theirs.
#[derive(Default)]
pub(super) struct Served {
    current: ArcSwapOption<ServerConfig>,
    trial: ArcSwapOption<Trial>,
}

/// A configuration that is tried before it is served, by a connection of our own to our own listener.
struct Trial {
    config: Arc<ServerConfig>,
    client: SocketAddr,
}

impl Served {
    /// From now on this one.
    pub(super) fn replace(&self, config: Arc<ServerConfig>) {
        self.current.store(Some(config));
    }

    /// Whom this client is to meet: the one on trial, if it comes from there.
    pub(super) fn for_client(&self, client: SocketAddr) -> Option<Arc<ServerConfig>> {
        let trial = self.trial.load();
        match trial.as_deref() {
            Some(trial) if trial.client == client => Some(Arc::clone(&trial.config)),
            _ => self.current.load_full(),
        }
    }

    /// Until told otherwise the connection from this address meets that one.
    pub(super) fn begin_trial(&self, config: Arc<ServerConfig>, client: SocketAddr) {
        self.trial.store(Some(Arc::new(Trial { config, client })));
    }

    pub(super) fn end_trial(&self) {
        self.trial.store(None);
    }
}

/// The one protocol offered. The API server calls Service webhooks with HTTP/1.1 only, so HTTP/2 would be
/// code that nobody needs and anybody could attack. A client that offers only others is refused.
pub(super) const PROTOCOL: &[u8] = b"http/1.1";

/// The cryptography, named instead of taken from the process, so that no second one can get in its way.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A configuration that serves this pair.
///
/// The provider's own suites are kept: for TLS 1.2 they are all ECDHE with AEAD. There is no early data, for
/// it could be replayed; and client certificates are not asked for, for the API server sends none by default.
pub(super) fn server_config(
    pair: CertifiedKey,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_forward_secrecy_and_authenticated_encryption() {
        let mut names: Vec<_> =
            provider().cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "TLS13_AES_128_GCM_SHA256",
                "TLS13_AES_256_GCM_SHA384",
                "TLS13_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ]
        );
    }
}
