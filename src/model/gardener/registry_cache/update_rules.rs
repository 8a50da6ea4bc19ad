//! What may be changed of a `RegistryConfig` (`ValidateRegistryConfigUpdate`).

use serde_json::json;

use super::RegistryConfig;
use super::cache::Cache;
use crate::model::gardener::field_error::{FieldError, FieldPath};
use crate::model::gardener::go_duration::GoDuration;

impl RegistryConfig {
    /// What is wrong with a change of it, in the words and the order of upstream. A cache is the same that has the same
    /// upstream, in whatever version of the API. What is equal has not been changed.
    ///
    /// `path` is that of the `providerConfig` now.
    pub fn update_errors(&self, before: &Self, path: &FieldPath) -> Vec<FieldError> {
        const IMMUTABLE: &str = "field is immutable";
        let mut errors = Vec::new();
        // Of two caches of one upstream, the second would differ from the first.
        if self == before {
            return errors;
        }
        for (place, cache) in self.caches() {
            let Some(before) = before.cache_of(&cache.upstream) else { continue };
            let path = path.child("caches").index(place);
            if cache.size != before.size {
                let path = path.descendant(self.version.path_of_size());
                errors.push(FieldError::invalid(path, cache.size.text(), IMMUTABLE));
            }
            if cache.storage_class_name != before.storage_class_name {
                let path = path.child("volume").child("storageClassName");
                errors.push(FieldError::invalid_json(path, &json!(cache.storage_class_name), IMMUTABLE));
            }
            if cache.time_to_live > GoDuration::ZERO && before.time_to_live <= GoDuration::ZERO {
                let path = path.descendant(self.version.path_of_garbage_collection());
                let value = json!({"TTL": cache.time_to_live.to_string()});
                let detail = "garbage collection cannot be enabled (ttl > 0) once it is disabled (ttl = 0)";
                errors.push(FieldError::invalid_json(path, &value, detail));
            }
        }
        errors
    }

    fn cache_of(&self, upstream: &str) -> Option<&Cache> {
        self.caches().map(|(_, cache)| cache).find(|cache| cache.upstream == upstream)
    }
}
