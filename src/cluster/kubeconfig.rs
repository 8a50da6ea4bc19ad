//! The cluster of whoever runs a command, with their own rights.

use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use thiserror::Error;

/// How long one call may take: whoever waits at a terminal would rather be told.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no way to a cluster.
#[derive(Debug, Error)]
pub enum NoCluster {
    /// The kubeconfig is missing or cannot be used.
    #[error("no way to a cluster: {0}; set KUBECONFIG, or give the cluster's objects as files by --state")]
    Configuration(String),
    /// What it says makes no client.
    #[error("the client of the API server could not be made: {0}; check the kubeconfig's certificates")]
    Client(Box<kube::Error>),
}

/// A client of the cluster that kubectl speaks to, and the namespace that it takes for the default one.
///
/// # Errors
/// When there is no kubeconfig, or it cannot be used.
pub async fn client(context: Option<&str>) -> Result<(Client, String), NoCluster> {
    let mut config = match context {
        None => Config::infer().await.map_err(|error| NoCluster::Configuration(error.to_string()))?,
        Some(context) => {
            let options =
                KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
            let config = Config::from_kubeconfig(&options).await;
            config.map_err(|error| NoCluster::Configuration(error.to_string()))?
        }
    };
    config.connect_timeout = Some(CALL_TIMEOUT);
    config.read_timeout = Some(CALL_TIMEOUT);
    config.default_retry = false;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| NoCluster::Client(Box::new(error)))?;
    Ok((client, namespace))
}
