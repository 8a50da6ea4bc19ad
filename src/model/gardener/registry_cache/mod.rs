//! The extension registry-cache: its `RegistryConfig`, and the Secrets with the credentials for upstreams.
//!
//! The rules are those of gardener/gardener-extension-registry-cache 0.25 (`pkg/apis/registry/validation`).

mod cache;
mod credentials;
mod service_account;
mod service_name;
mod static_rules;
mod update_rules;
mod warnings;

#[cfg(test)]
mod tests;

use super::reading::Object;
use crate::model::json::Json;
use cache::Cache;

pub use credentials::credential_errors;
pub use warnings::credential_warnings;

/// Its type in `spec.extensions` of a Shoot.
pub const EXTENSION_TYPE: &str = "registry-cache";

/// The API group of its configuration.
const GROUP: &str = "registry.extensions.gardener.cloud";

/// What is read of a `RegistryConfig`, with the defaults that upstream sets. Two are equal that mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    version: Version,
    /// The first caches, by their places; `None` for one that upstream could not decode, of which nothing is said.
    caches: Vec<Option<Cache>>,
}

/// A version of the API, of which upstream has served each at some time.
#[derive(Debug, Clone, Copy)]
enum Version {
    V1Alpha1,
    V1Alpha2,
    V1Alpha3,
}

/// The same caches in another version are the same configuration.
impl PartialEq for Version {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Version {}

impl Version {
    /// Where the size of a volume stands in a cache.
    fn path_of_size(self) -> &'static [&'static str] {
        match self {
            Self::V1Alpha1 => &["size"],
            Self::V1Alpha2 | Self::V1Alpha3 => &["volume", "size"],
        }
    }

    /// What switches garbage collection off in a cache.
    fn path_of_garbage_collection(self) -> &'static [&'static str] {
        match self {
            Self::V1Alpha1 | Self::V1Alpha2 => &["garbageCollection", "enabled"],
            Self::V1Alpha3 => &["garbageCollection", "ttl"],
        }
    }
}

impl RegistryConfig {
    /// Reads a `providerConfig`.
    ///
    /// `None` for one of another kind or of a version that is not known, of which nothing is said. Upstream refuses such a
    /// configuration, and an unknown field, and an update of a Shoot that has one already, even one that mends it; here that
    /// is no finding. Only the first hundred caches are read.
    pub fn read(config: Json<'_>) -> Option<Self> {
        let config = Object::read(config).ok()?;
        let version = match config.version_of(GROUP, "RegistryConfig")?.as_str() {
            "v1alpha1" => Version::V1Alpha1,
            "v1alpha2" => Version::V1Alpha2,
            "v1alpha3" => Version::V1Alpha3,
            _ => return None,
        };
        let caches = config.items("caches").ok()?;
        let caches = caches.into_iter().map(|cache| Cache::read(cache, version).ok()).collect();
        Some(Self { version, caches })
    }

    /// The upstreams that it has caches for.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        self.caches().map(|(_, cache)| cache.upstream.as_str())
    }

    /// The caches that could be read, with their places.
    fn caches(&self) -> impl Iterator<Item = (usize, &Cache)> {
        self.caches.iter().enumerate().filter_map(|(place, cache)| Some((place, cache.as_ref()?)))
    }
}
