//! Keeps the served certificate that of the files: watches their directory, and reads it now and then anyway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio_util::sync::CancellationToken;

use super::certificate::{Certificate, CertificateError, PairFiles};
use super::identity::Identity;
use super::tls::server_config;
use crate::directory::DirectoryChanges;
use crate::telemetry::metrics::ServerMetrics;

/// The certificate being served, and what is needed to replace it.
pub(super) struct CertificateStore {
    directory: PathBuf,
    provider: Arc<CryptoProvider>,
    identity: Identity,
    fingerprint: u64,
    /// The failure already told, so that a bad pair is not told again on every poll.
    told: Option<String>,
    metrics: ServerMetrics,
}

impl CertificateStore {
    /// Loads the certificate for the first time. There is nothing to fall back to, so any fault is an error.
    pub(super) async fn load(
        directory: PathBuf,
        provider: Arc<CryptoProvider>,
        identity: Identity,
        metrics: ServerMetrics,
    ) -> Result<Self, CertificateError> {
        let loaded = load(directory.clone(), Arc::clone(&provider), None).await?;
        let Some(Loaded { config, certificate, fingerprint }) = loaded else {
            return Err(CertificateError::Unusable { directory, reason: "nothing was read".to_owned() });
        };
        identity.replace(Arc::new(config), certificate.not_after, &certificate.names);
        Ok(Self { directory, provider, identity, fingerprint, told: None, metrics })
    }

    /// Follows the files until told to stop.
    pub(super) async fn follow(mut self, poll: Duration, stop: CancellationToken) {
        let changes = DirectoryChanges::of(&self.directory, poll);
        // First what changed between the loading and the watch.
        self.refresh().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = changes.next() => {}
            }
            self.refresh().await;
        }
    }

    /// Reads the files and, if they changed and are good, serves them from now on.
    async fn refresh(&mut self) {
        match load(self.directory.clone(), Arc::clone(&self.provider), Some(self.fingerprint)).await {
            Ok(None) => self.told = None,
            Ok(Some(Loaded { config, certificate, fingerprint })) => {
                self.identity.replace(Arc::new(config), certificate.not_after, &certificate.names);
                self.fingerprint = fingerprint;
                self.told = None;
                self.metrics.certificate_reloaded(true);
            }
            Err(error) => {
                let reason = error.to_string();
                if self.told.as_ref() != Some(&reason) {
                    self.metrics.certificate_reloaded(false);
                    tracing::error!(%reason, "the new certificate is not taken; the one before it stays");
                    self.told = Some(reason);
                }
            }
        }
        self.identity.judge_expiry();
    }
}

struct Loaded {
    config: ServerConfig,
    certificate: Described,
    fingerprint: u64,
}

struct Described {
    not_after: SystemTime,
    names: Vec<String>,
}

/// Reads and checks the files off the threads that answer reviews; `None` if they are the `known` ones.
async fn load(
    directory: PathBuf,
    provider: Arc<CryptoProvider>,
    known: Option<u64>,
) -> Result<Option<Loaded>, CertificateError> {
    let unusable = |directory: PathBuf, reason: String| CertificateError::Unusable { directory, reason };
    let shown = directory.clone();
    tokio::task::spawn_blocking(move || {
        let files = PairFiles::read(&directory)?;
        let fingerprint = files.fingerprint();
        if known == Some(fingerprint) {
            return Ok(None);
        }
        let Certificate { pair, not_after, names } = files.parse(&provider, SystemTime::now())?;
        let config = server_config(pair, provider)
            .map_err(|error| CertificateError::Unusable { directory, reason: error.to_string() })?;
        Ok(Some(Loaded { config, certificate: Described { not_after, names }, fingerprint }))
    })
    .await
    .unwrap_or_else(|error| Err(unusable(shown, error.to_string())))
}
