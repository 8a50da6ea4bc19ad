//! The cluster of whoever runs a command, with their own rights.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use thiserror::Error;

use super::brief;

/// How long one call may take: whoever waits at a terminal would rather be told.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The cluster that a command is about: one of files, or the one that kubectl speaks to.
#[derive(Debug, Args)]
pub struct WhichCluster {
    /// Files or folders that stand for the cluster; can be repeated
    #[arg(long, value_name = "PATH")]
    pub state: Vec<PathBuf>,

    /// The context of the kubeconfig; by default its current one
    #[arg(long, value_name = "NAME", conflicts_with = "state")]
    pub context: Option<String>,
}

/// Why something of a cluster could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing can be asked at all.
    #[error("the runtime could not be started: {0}")]
    Runtime(io::Error),
    /// The kubeconfig is missing or cannot be used.
    #[error("no way to a cluster: {0}; set KUBECONFIG, or give the cluster's objects as files by --state")]
    Configuration(String),
    /// What it says makes no client.
    #[error("the client of the API server could not be made: {0}; check the kubeconfig's certificates")]
    Client(Box<kube::Error>),
    /// There is no right to it.
    #[error(
        "you may not {what}: {reason}; ask for that right, or give the objects as files (--help says how)"
    )]
    Forbidden {
        /// What was tried, as in `list Shoots`.
        what: String,
        /// What the API server says.
        reason: String,
    },
    /// The API server did not give it.
    #[error("could not {what}: {reason}; check that the API server can be reached (kubectl version)")]
    Api {
        /// What was tried.
        what: String,
        /// Why it failed.
        reason: String,
    },
}

impl ReadError {
    /// What a call has ended with that tried this.
    pub fn of(what: &str, error: &kube::Error) -> Self {
        let (what, reason) = (what.to_owned(), brief(error));
        match error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => Self::Forbidden { what, reason },
            _ => Self::Api { what, reason },
        }
    }
}

/// Reads from a command that does nothing else meanwhile.
///
/// # Errors
/// When that cannot be begun.
pub fn wait_for<T>(reading: impl Future<Output = T>) -> Result<T, ReadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(ReadError::Runtime)?.block_on(reading))
}

/// A client of the cluster that kubectl speaks to, and the namespace that it takes for the default one.
///
/// # Errors
/// When there is no kubeconfig, or it cannot be used.
pub async fn client(context: Option<&str>) -> Result<(Client, String), ReadError> {
    let mut config = match context {
        None => Config::infer().await.map_err(|error| ReadError::Configuration(error.to_string()))?,
        Some(context) => {
            let options =
                KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
            let config = Config::from_kubeconfig(&options).await;
            config.map_err(|error| ReadError::Configuration(error.to_string()))?
        }
    };
    config.connect_timeout = Some(CALL_TIMEOUT);
    config.read_timeout = Some(CALL_TIMEOUT);
    config.default_retry = false;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| ReadError::Client(Box::new(error)))?;
    Ok((client, namespace))
}
