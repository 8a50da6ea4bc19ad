//! Digests of the content of Secrets.

use std::hash::{BuildHasher, RandomState};

use k8s_openapi::api::core::v1::Secret;

/// A key of this process, so that a digest tells nothing about the content: a plain one of a weak password would give it
/// away. Clones give the same digests.
#[derive(Debug, Clone, Default)]
pub struct DigestKey(RandomState);

impl DigestKey {
    /// The digest of a Secret's type and data.
    pub fn of_secret(&self, secret: &Secret) -> u64 {
        let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
        self.digest(secret.type_.as_deref().unwrap_or_default(), &data.collect::<Vec<_>>())
    }

    /// The digest of a Secret that has this type and this data, by key in order.
    pub fn digest(&self, secret_type: &str, data: &[(&str, &[u8])]) -> u64 {
        self.0.hash_one((secret_type, data))
    }
}
