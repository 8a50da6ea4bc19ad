//! The extension registry-mirror: its `MirrorConfig`, and the Secrets with the authorities of mirrors.
//!
//! The rules are those of gardener/gardener-extension-registry-cache 0.25 (`pkg/apis/mirror/validation`).

mod ca_bundle;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::address::{Paths, upstream_errors, url_errors, without_password};
use super::field_error::{FieldError, FieldPath};
use super::reading::{Object, Undecodable};
use super::registry_cache::RegistryConfig;
use crate::model::json::{Json, Type};

pub use ca_bundle::ca_bundle_errors;

/// Its type in `spec.extensions` of a Shoot.
pub const EXTENSION_TYPE: &str = "registry-mirror";

const GROUP: &str = "mirror.extensions.gardener.cloud";
/// What a host can be used for, in order.
const CAPABILITIES: [&str; 2] = ["pull", "resolve"];
/// What it is used for by default.
const DEFAULT_CAPABILITY: &str = "pull";

/// With so many errors no more mirrors are judged: nobody reads further, and the memory for them is bounded.
const MOST_ERRORS: usize = 100;

/// What is read of a `MirrorConfig`, with the defaults that upstream sets. Two are equal that mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorConfig {
    /// The first mirrors, by their places; `None` for one that upstream could not decode, of which nothing is said.
    mirrors: Vec<Option<Mirror>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    upstream: String,
    hosts: Vec<Host>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    url: String,
    capabilities: Vec<String>,
    ca_bundle: Option<String>,
    overrides_path: bool,
}

impl MirrorConfig {
    /// Reads a `providerConfig`.
    ///
    /// `None` for one of another kind or of a version that is not known, of which nothing is said. Upstream refuses such a
    /// configuration, and an unknown field; here that is no finding. Only the first hundred items of each list are read.
    pub fn read(config: Json<'_>) -> Option<Self> {
        let config = Object::read(config).ok()?;
        (config.version_of(GROUP, "MirrorConfig")? == "v1alpha1").then_some(())?;
        let mirrors = config.items("mirrors").ok()?;
        Some(Self { mirrors: mirrors.into_iter().map(|mirror| Mirror::read(mirror).ok()).collect() })
    }

    /// What is wrong with it by itself, in the words and the order of upstream. To be asked when it was changed; upstream
    /// asks at every update of the Shoot.
    ///
    /// `path` is that of the `providerConfig`.
    pub fn static_errors(&self, path: &FieldPath) -> Vec<FieldError> {
        let path = path.child("mirrors");
        if self.mirrors.is_empty() {
            return vec![FieldError::required(path, "at least one mirror must be provided")];
        }
        let mut errors = Vec::new();
        let mut upstreams = BTreeSet::new();
        for (place, mirror) in self.mirrors() {
            if errors.len() > MOST_ERRORS {
                break;
            }
            let path = path.index(place);
            errors.extend(mirror.errors(&path));
            if !upstreams.insert(&mirror.upstream) {
                let upstream = without_password(&mirror.upstream);
                errors.push(FieldError::duplicate(path.child("upstream"), &upstream));
            }
        }
        errors
    }

    /// Mirrors of upstreams that the same Shoot has caches for. To be asked when either was changed.
    ///
    /// `path` is that of the `providerConfig` of the mirrors.
    pub fn collisions(&self, caches: &RegistryConfig, path: &FieldPath) -> Vec<FieldError> {
        let upstreams: BTreeSet<&str> = caches.upstreams().collect();
        let collides = |(_, mirror): &(usize, &Mirror)| upstreams.contains(mirror.upstream.as_str());
        self.mirrors()
            .filter(collides)
            .map(|(place, mirror)| {
                let upstream = without_password(&mirror.upstream);
                let detail =
                    format!("upstream host '{upstream}' is also configured as a registry cache upstream");
                FieldError::invalid(path.child("mirrors").index(place).child("upstream"), &upstream, &detail)
            })
            .collect()
    }

    fn mirrors(&self) -> impl Iterator<Item = (usize, &Mirror)> {
        self.mirrors.iter().enumerate().filter_map(|(place, mirror)| Some((place, mirror.as_ref()?)))
    }
}

impl Mirror {
    fn read(mirror: Json<'_>) -> Result<Self, Undecodable> {
        let mirror = Object::read(mirror)?;
        let hosts = mirror.items("hosts")?.into_iter().map(Host::read);
        Ok(Self {
            upstream: mirror.text("upstream")?.unwrap_or_default(),
            hosts: hosts.collect::<Result<_, _>>()?,
        })
    }

    fn errors(&self, path: &FieldPath) -> Vec<FieldError> {
        let mut errors = upstream_errors(&path.child("upstream"), &self.upstream);
        let path = path.child("hosts");
        if self.hosts.is_empty() {
            errors.push(FieldError::required(path.clone(), "at least one host must be provided"));
        }
        let mut urls = BTreeSet::new();
        for (place, host) in self.hosts.iter().enumerate() {
            let path = path.index(place);
            errors.extend(url_errors(&path.child("host"), &host.url, Paths::Allowed));
            if !urls.insert(&host.url) {
                errors.push(FieldError::duplicate(path.child("host"), &without_password(&host.url)));
            }
            errors.extend(host.capability_errors(&path.child("capabilities")));
        }
        errors
    }
}

impl Host {
    fn read(host: Json<'_>) -> Result<Self, Undecodable> {
        let host = Object::read(host)?;
        let text = |item: Json<'_>| match item.json_type() {
            Type::Null => Ok(String::new()),
            _ => item.text().map(|text| text.to_string()).ok_or(Undecodable),
        };
        let capabilities: Vec<String> =
            host.items("capabilities")?.into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(Self {
            url: host.text("host")?.unwrap_or_default(),
            capabilities: match capabilities.as_slice() {
                [] => vec![DEFAULT_CAPABILITY.to_owned()],
                _ => capabilities,
            },
            ca_bundle: host.text("caBundleSecretReferenceName")?.filter(|name| !name.is_empty()),
            overrides_path: host.boolean("overridePath")?.unwrap_or(false),
        })
    }

    fn capability_errors(&self, path: &FieldPath) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut found = BTreeSet::new();
        for (place, capability) in self.capabilities.iter().enumerate() {
            if !CAPABILITIES.contains(&capability.as_str()) {
                errors.push(FieldError::unsupported(path.clone(), capability, &CAPABILITIES));
            }
            if !found.insert(capability) {
                errors.push(FieldError::duplicate(path.index(place), capability));
            }
        }
        errors
    }
}
