//! Looks for the Secrets that a module's label selects, when a `ModuleTemplate` is written. That is rare, so they are neither
//! watched nor kept.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;

use crate::model::module::{SelectedSecret, Selector};
use crate::model::scope::Scope;
use crate::policy::SecretsAnswer;

/// How many Secrets are looked at in a namespace, or in all of them: more than one with the same labels is a mistake already.
/// Each may have 1 MiB.
const MOST: u32 = 20;
/// How many look-ups are under way at once: `MOST` MiB each, decoded, stay well within the memory of a replica.
const AT_ONCE: usize = 3;
/// The longest a look-up takes, of the 10 s that the review has: a slow answer must leave time for a verdict without it.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Looks for Secrets by their labels. Clones share the turns.
#[derive(Clone)]
pub struct SelectedSecrets {
    client: Client,
    scope: Scope,
    turns: Arc<Semaphore>,
}

impl SelectedSecrets {
    /// Looks in the namespaces of the scope.
    pub fn new(client: Client, scope: Scope) -> Self {
        Self { client, scope, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The Secrets with these labels.
    pub async fn by(&self, selector: &Selector) -> SecretsAnswer {
        match tokio::time::timeout(TIMEOUT, self.list(selector)).await {
            Ok(answer) => answer,
            Err(_) => SecretsAnswer::Unknown("the API server did not answer in time".into()),
        }
    }

    async fn list(&self, selector: &Selector) -> SecretsAnswer {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let apis: Vec<Api<Secret>> = match &self.scope {
            Scope::All => vec![Api::all(self.client.clone())],
            Scope::Listed(names) => {
                names.iter().map(|name| Api::namespaced(self.client.clone(), name)).collect()
            }
        };
        let parameters = ListParams::default().labels(&selector.to_string()).limit(MOST);
        let mut found = Vec::new();
        for api in apis {
            match api.list(&parameters).await {
                Ok(list) if list.metadata.continue_.as_ref().is_some_and(|more| !more.is_empty()) => {
                    return SecretsAnswer::Unknown(format!("{MOST} have it, and perhaps more").into());
                }
                Ok(list) => found.extend(list.items.iter().map(SelectedSecret::from)),
                Err(error) => return SecretsAnswer::Unknown(super::brief(&error).into()),
            }
        }
        SecretsAnswer::Found(found)
    }
}
