//! Which kinds that point to Secrets the cluster serves, and how: their definitions come, go and get other versions while regcred
//! runs.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIResourceList};
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind, Version};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::call;
use crate::model::reference::ReferrerKind;

/// For how long it is believed that the cluster does not serve a kind. Only who risks little believes it at all.
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// Whether to believe that a kind is not served because it was not a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// It is believed for [`ABSENT_FOR`].
    Remembered,
    /// It is found out anew.
    Fresh,
}

/// What is known of the kinds. Clones share it.
#[derive(Clone)]
pub struct Kinds {
    client: Client,
    known: Arc<Mutex<HashMap<ReferrerKind, Known>>>,
}

/// How a kind is served, if it is, and when that was asked.
struct Known {
    resource: Option<ApiResource>,
    asked: Instant,
}

/// What is believed of a kind without asking.
pub(super) enum Believed {
    Served(ApiResource),
    Absent,
    Nothing,
}

impl Kinds {
    /// Of this cluster, of which nothing is known yet.
    pub fn new(client: Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// How a kind is served; `None` if the API server does not know it. That it is served is believed until [`Kinds::forget`].
    ///
    /// # Errors
    /// When the API server, or the one behind it that serves the group, does not answer: then nobody knows.
    pub async fn find(&self, kind: &ReferrerKind, trust: Trust) -> Result<Option<ApiResource>, kube::Error> {
        match self.believed(kind, trust) {
            Believed::Served(resource) => return Ok(Some(resource)),
            Believed::Absent => return Ok(None),
            Believed::Nothing => {}
        }
        let asked = Instant::now();
        let resource = look(&self.client, kind).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has asked later knows better.
        if known.get(kind).is_none_or(|known| known.asked <= asked) {
            known.insert(kind.clone(), Known { resource: resource.clone(), asked });
        }
        Ok(resource)
    }

    /// The same as far as nobody needs to be asked.
    pub(super) fn believed(&self, kind: &ReferrerKind, trust: Trust) -> Believed {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(kind) {
            Some(Known { resource: Some(resource), .. }) => Believed::Served(resource.clone()),
            Some(Known { resource: None, asked })
                if trust == Trust::Remembered && asked.elapsed() < ABSENT_FOR =>
            {
                Believed::Absent
            }
            _ => Believed::Nothing,
        }
    }

    /// The API server has said that a kind is not served so any more.
    pub fn forget(&self, kind: &ReferrerKind) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(kind);
    }
}

/// Asks the newest version first, if any will do: the one that a group prefers need not have all its kinds.
async fn look(client: &Client, kind: &ReferrerKind) -> Result<Option<ApiResource>, kube::Error> {
    let versions = match kind.version() {
        Some(version) => vec![version.to_owned()],
        None => versions(client, kind.group()).await?,
    };
    for version in versions {
        let path = match kind.group() {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        let served: Option<APIResourceList> = if_there(client, &path).await?;
        let mut resources = served.into_iter().flat_map(|list| list.resources);
        if resources.any(|resource| resource.name == kind.resource() && resource.namespaced) {
            let kind_of_version = GroupVersionKind::gvk(kind.group(), &version, &kind.to_string());
            return Ok(Some(ApiResource::from_gvk_with_plural(&kind_of_version, kind.resource())));
        }
    }
    Ok(None)
}

/// The versions of a group, the newest first.
async fn versions(client: &Client, group: &str) -> Result<Vec<String>, kube::Error> {
    let group: Option<APIGroup> = if_there(client, &format!("/apis/{group}")).await?;
    let versions = group.into_iter().flat_map(|group| group.versions).map(|version| version.version);
    let mut versions: Vec<String> = versions.collect();
    versions.sort_by_cached_key(|version| Reverse(Version::parse(version).priority()));
    Ok(versions)
}

/// What a path says; `None` where there is no such path. An API server that does not know all of its paths yet answers 503 to those.
async fn if_there<T: DeserializeOwned>(client: &Client, path: &str) -> Result<Option<T>, kube::Error> {
    match call::text(client, http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)).await
    {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(kube::Error::SerdeError),
        Err(error) if call::code(&error) == Some(call::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}
