//! Where an API server is, whom to trust, and who one is.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::users::User;

/// Where the API server is and whom to trust.
#[derive(Clone, Debug)]
pub struct Access {
    pub address: SocketAddr,
    /// PEM.
    pub authority: Arc<str>,
}

impl Access {
    /// `https://127.0.0.1:PORT`.
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig with a bearer token.
    pub fn kubeconfig(&self, token: &str) -> serde_json::Value {
        kubeconfig(&self.server(), Some(&self.authority), token)
    }

    /// A client. It belongs to the runtime it is made on, so each test makes its own.
    pub async fn client(&self, user: User) -> kube::Client {
        kube::Client::try_from(self.config(user).await).expect("a client")
    }

    /// The same, but one that asks once, and tells also an answer by which it should try again.
    pub async fn client_that_asks_once(&self, user: User) -> kube::Client {
        let mut config = self.config(user).await;
        config.default_retry = false;
        kube::Client::try_from(config).expect("a client")
    }

    async fn config(&self, user: User) -> Config {
        let kubeconfig: Kubeconfig =
            serde_json::from_value(self.kubeconfig(&user.token())).expect("a kubeconfig as kube reads it");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.expect("a kubeconfig that is complete")
    }
}

/// A kubeconfig for any server; JSON is YAML too.
pub fn kubeconfig(server: &str, authority: Option<&str>, token: &str) -> serde_json::Value {
    let mut cluster = serde_json::json!({"server": server});
    if let Some(authority) = authority {
        cluster["certificate-authority-data"] = BASE64_STANDARD.encode(authority).into();
    }
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": token}}],
    })
}
