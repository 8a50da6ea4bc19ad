//! Looks for the Secrets that a module's label selects, when a `ModuleTemplate` is written, or such a Secret goes. That is rare, so
//! they are neither watched nor kept.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;

use crate::model::module::SelectedSecret;
use crate::model::pruned::Pruned;
use crate::model::scope::Scope;
use crate::policy::{MOST_SECRETS, NamespaceAnswer, SecretQuery, SecretsAnswer};

/// How many lists are under way at once: `MOST_SECRETS` MiB each, decoded, stay well within the memory of a replica.
const AT_ONCE: usize = 3;
/// The longest a look-up takes, of the 10 s that the review has: a slow answer must leave time for a verdict without it.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The status code of a request that the account has no right to.
const FORBIDDEN: u16 = 403;

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

    /// The Secrets that are asked for.
    pub async fn by(&self, query: &SecretQuery) -> SecretsAnswer {
        match tokio::time::timeout(TIMEOUT, self.look(query)).await {
            Ok(Ok(found)) => SecretsAnswer::for_query(query, found),
            Ok(Err(unknown)) => unknown,
            Err(_) => SecretsAnswer::Unknown("the API server did not answer in time".into()),
        }
    }

    /// Those where they are of use; only if there is none, those of the rest of the scope.
    async fn look(&self, query: &SecretQuery) -> Result<Vec<SelectedSecret>, SecretsAnswer> {
        let of_use = query.namespaces.iter().filter(|name| self.scope.covers(name));
        let found = self.list_each(of_use.map(|name| Some(&**name)), query).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        match &self.scope {
            Scope::All => self.list_each([None], query).await,
            Scope::Listed(names) => {
                let rest = names.iter().filter(|name| !query.namespaces.contains(*name));
                self.list_each(rest.map(|name| Some(&**name)), query).await
            }
        }
    }

    /// Those of several places, or why they are not known: some of them alone may be the wrong ones to judge by.
    async fn list_each(
        &self,
        places: impl IntoIterator<Item = Option<&str>>,
        query: &SecretQuery,
    ) -> Result<Vec<SelectedSecret>, SecretsAnswer> {
        // One more, for that there are more cannot be told from a token to go on by: others may follow that have other labels.
        let parameters = ListParams::default().labels(&query.selector.to_string()).limit(MOST_SECRETS + 1);
        let lists: Vec<_> = places.into_iter().map(|place| self.list(place, &parameters)).collect();
        let found: Vec<Vec<_>> = stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Those of a namespace, or of all namespaces; no more than it takes to tell that they are too many.
    async fn list(
        &self,
        namespace: Option<&str>,
        parameters: &ListParams,
    ) -> Result<Vec<SelectedSecret>, SecretsAnswer> {
        let api: Api<Pruned<Secret>> = match namespace {
            None => Api::all(self.client.clone()),
            Some(name) => Api::namespaced(self.client.clone(), name),
        };
        // It is never closed.
        let _turn = self.turns.acquire().await;
        match api.list(parameters).await {
            Ok(list) => Ok(list.items.iter().map(|Pruned(secret)| SelectedSecret::from(secret)).collect()),
            // The warning has no room for the name of the account, with which the API server's own words begin.
            Err(kube::Error::Api(status)) if status.code == FORBIDDEN => match namespace {
                // It has no Secrets, and has taken the rights in it along.
                Some(name) if self.is_gone(name).await => Ok(Vec::new()),
                Some(name) => Err(SecretsAnswer::Unknown(format!("no right in {name}").into())),
                None => Err(SecretsAnswer::Unknown("no right to list them".into())),
            },
            Err(error) => Err(SecretsAnswer::Unknown(super::brief(&error).into())),
        }
    }

    async fn is_gone(&self, namespace: &str) -> bool {
        matches!(super::reads::namespace(&self.client, namespace).await, NamespaceAnswer::Absent)
    }
}

#[cfg(test)]
mod tests;
