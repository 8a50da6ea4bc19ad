//! What a `RegistryConfig` must be by itself (`ValidateRegistryConfig`).

use std::collections::{BTreeMap, BTreeSet};

use super::cache::Cache;
use super::service_name::service_name;
use super::{RegistryConfig, Version};
use crate::model::gardener::address::{Paths, upstream_errors, url_errors, without_password};
use crate::model::gardener::dns_rule::{label_faults, subdomain_faults};
use crate::model::gardener::field_error::{FieldError, FieldPath};
use crate::model::gardener::go_duration::GoDuration;
use crate::model::gardener::go_quote::quote;

/// The longest suffix of a Service's name, in bytes: a label has at most 63, and `registry-` stands before it.
const LONGEST_SUFFIX: usize = 54;

impl RegistryConfig {
    /// What is wrong with it by itself, in the words and the order of upstream. To be asked when it was changed.
    ///
    /// `path` is that of the `providerConfig`.
    pub fn static_errors(&self, path: &FieldPath) -> Vec<FieldError> {
        let path = path.child("caches");
        if self.caches.is_empty() {
            return vec![FieldError::required(path, "at least one cache must be provided")];
        }
        let mut errors = Vec::new();
        let mut upstreams = BTreeSet::new();
        for (place, cache) in self.caches() {
            let path = path.index(place);
            errors.extend(cache.errors(&path, self.version));
            if !upstreams.insert(&cache.upstream) {
                let upstream = without_password(&cache.upstream);
                errors.push(FieldError::duplicate(path.child("upstream"), &upstream));
            }
        }
        errors.extend(self.suffix_errors(&path));
        errors
    }

    /// Suffixes must differ from each other, and from what Services without a suffix are called.
    fn suffix_errors(&self, path: &FieldPath) -> Vec<FieldError> {
        let computed: BTreeMap<String, &str> = self
            .caches()
            .filter(|(_, cache)| cache.service_name_suffix.is_none())
            .map(|(_, cache)| (service_name(&cache.upstream, None), cache.upstream.as_str()))
            .collect();
        let mut suffixes = BTreeSet::new();
        let mut errors = Vec::new();
        for (place, cache) in self.caches() {
            let Some(suffix) = cache.service_name_suffix.as_deref() else { continue };
            let path = path.index(place).child("serviceNameSuffix");
            if !suffixes.insert(suffix) {
                errors.push(FieldError::duplicate(path.clone(), suffix));
            }
            if let Some(upstream) = computed.get(&service_name(&cache.upstream, Some(suffix))) {
                let detail = format!("cannot collide with {} upstream", quote(&without_password(upstream)));
                errors.push(FieldError::invalid(path, suffix, &detail));
            }
        }
        errors
    }
}

impl Cache {
    /// `validateRegistryCache`
    fn errors(&self, path: &FieldPath, version: Version) -> Vec<FieldError> {
        let mut errors = upstream_errors(&path.child("upstream"), &self.upstream);
        if let Some(url) = &self.remote_url {
            errors.extend(url_errors(&path.child("remoteURL"), url, Paths::Refused));
        }
        if !self.size.is_positive() {
            let path = path.descendant(version.path_of_size());
            errors.push(FieldError::invalid(path, self.size.text(), "must be greater than 0"));
        }
        if let Some(name) = &self.storage_class_name {
            let path = path.child("volume").child("storageClassName");
            let faults = subdomain_faults(name);
            errors.extend(faults.iter().map(|fault| FieldError::invalid(path.clone(), name, fault)));
        }
        if self.time_to_live < GoDuration::ZERO {
            let path = path.descendant(version.path_of_garbage_collection());
            let value = self.time_to_live.to_string();
            errors.push(FieldError::invalid(path, &value, "ttl must be a non-negative duration"));
        }
        for (name, url) in [("httpProxy", &self.http_proxy), ("httpsProxy", &self.https_proxy)] {
            if let Some(url) = url {
                errors.extend(url_errors(&path.child("proxy").child(name), url, Paths::Refused));
            }
        }
        if let Some(suffix) = &self.service_name_suffix {
            let path = path.child("serviceNameSuffix");
            let faults = label_faults(suffix);
            errors.extend(faults.iter().map(|fault| FieldError::invalid(path.clone(), suffix, fault)));
            if suffix.len() > LONGEST_SUFFIX {
                errors.push(FieldError::too_long(path, LONGEST_SUFFIX));
            }
        }
        errors
    }
}
