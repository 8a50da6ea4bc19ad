//! The Secret that a credential offers, judged once when it changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::copy::Origin;
use super::digest::DigestKey;
use super::docker_config::{DockerConfig, data_key};
use super::keyring::Keyring;

/// A registry Secret that the kubelet can use.
pub struct SourceSecret {
    /// Its uid.
    pub uid: Arc<str>,
    /// Its resource version.
    pub resource_version: Arc<str>,
    /// Its type, one of the two that hold Docker configurations.
    pub secret_type: Arc<str>,
    /// The key of its data that belongs to the type.
    pub data_key: &'static str,
    /// The digest that a copy of it has.
    pub digest: u64,
    /// The Docker configuration, byte for byte.
    pub document: Arc<[u8]>,
}

impl SourceSecret {
    /// The data of a copy of it.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        BTreeMap::from([(self.data_key.to_owned(), ByteString(self.document.to_vec()))])
    }
}

impl fmt::Debug for SourceSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SourceSecret").field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// What is known of a source.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The keys it answered to when it was last good; `None` when it never was, as far as we have seen.
    pub keyring: Option<Arc<Keyring>>,
    /// Whether it can be carried now.
    pub state: SourceState,
    /// An older Secret of the other type, which the watch on that type still shows.
    older: Option<Arc<Self>>,
}

/// Whether a source can be carried.
#[derive(Debug, Clone, Default)]
pub enum SourceState {
    /// It can.
    Good(Arc<SourceSecret>),
    /// No Secret of that name has a registry type.
    #[default]
    Missing,
    /// It has a registry type, and cannot be carried.
    Undecodable {
        /// Its uid, by which its deletion is told from that of another.
        uid: Arc<str>,
        /// Its resource version.
        resource_version: Arc<str>,
        /// Its type.
        secret_type: Arc<str>,
        /// Why not.
        defect: Defect,
    },
}

/// Why a registry Secret is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// The kubelet could not decode it, and would fail every pull of a pod that names a copy of it. The reason has no word of
    /// its content.
    Undecodable(Arc<str>),
    /// It is itself a copy, which is never a source: two credentials could feed each other what neither holds any more.
    IsCopy,
}

impl SourceState {
    /// It in one word, the same in conditions and explanations.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good(_) => "Usable",
            Self::Missing => "SecretMissing",
            Self::Undecodable { defect, .. } => defect.word(),
        }
    }
}

impl Defect {
    /// See [`SourceState::word`].
    pub fn word(&self) -> &'static str {
        match self {
            Self::Undecodable(_) => "SecretUndecodable",
            Self::IsCopy => "SourceIsACopy",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(reason) => formatter.write_str(reason),
            Self::IsCopy => formatter.write_str("it is a copy made by regcred, which is never a source"),
        }
    }
}

impl Source {
    /// What is known after a Secret has been seen; the keys of the last good one stay while it is broken.
    ///
    /// Each type has a watch of its own, and they are not equally late. So of two Secrets of one name the newer counts, whichever
    /// was shown last. The older one is kept besides, in case that what is known of the newer comes from before the cluster
    /// was restored from a backup: then a list will not show the newer any more, and nobody will show the older again.
    #[must_use]
    pub fn after(self, secret: &Secret, digest_key: &DigestKey) -> Self {
        let seen = Self::judge(self.keyring.clone(), secret, digest_key);
        let of_other_type =
            |known: &Self| known.secret_type().is_some_and(|known| Some(known) != secret.type_.as_deref());
        let older = self.older.as_deref().filter(|older| of_other_type(older)).cloned();
        let other = if of_other_type(&self) { Some(Self { older: None, ..self }) } else { older };
        match other {
            Some(other) if seen.is_older_than(&other) => Self { older: Some(Arc::new(seen)), ..other },
            other => Self { older: other.map(Arc::new), ..seen },
        }
    }

    fn judge(former_keys: Option<Arc<Keyring>>, secret: &Secret, digest_key: &DigestKey) -> Self {
        let uid: Arc<str> = secret.metadata.uid.as_deref().unwrap_or_default().into();
        let resource_version: Arc<str> =
            secret.metadata.resource_version.as_deref().unwrap_or_default().into();
        let secret_type = secret.type_.as_deref().unwrap_or_default();
        let data = |key: &str| secret.data.as_ref()?.get(key).map(|value| value.0.as_slice());
        let (keyring, state) = if Origin::of(&secret.metadata).is_some() {
            let (secret_type, defect) = (secret_type.into(), Defect::IsCopy);
            (former_keys, SourceState::Undecodable { uid, resource_version, secret_type, defect })
        } else {
            match (data_key(secret_type), DockerConfig::from_secret(secret_type, data)) {
                (Some(key), Ok(Some(config))) => {
                    let keyring = Keyring::new(config.entries.iter().map(|entry| entry.key.as_str()));
                    let source = SourceSecret {
                        uid,
                        resource_version,
                        secret_type: secret_type.into(),
                        data_key: key,
                        digest: digest_key.digest(secret_type, &[(key, data(key).unwrap_or_default())]),
                        document: data(key).unwrap_or_default().into(),
                    };
                    (Some(Arc::new(keyring)), SourceState::Good(Arc::new(source)))
                }
                (Some(_), Err(error)) => {
                    let (secret_type, defect) =
                        (secret_type.into(), Defect::Undecodable(error.to_string().into()));
                    (former_keys, SourceState::Undecodable { uid, resource_version, secret_type, defect })
                }
                (None, _) | (_, Ok(None)) => (former_keys, SourceState::Missing),
            }
        };
        Self { keyring, state, older: None }
    }

    /// What is known after the Secret of this uid has been deleted; `None` if it is not known, as when another has come to
    /// its place since. What is older than it went before.
    pub fn after_deletion(&self, uid: Option<&str>) -> Option<Self> {
        let is_it = |known: &Self| uid.is_some() && known.uid() == uid;
        if is_it(self) {
            return Some(Self { keyring: self.keyring.clone(), ..Self::default() });
        }
        self.older.as_deref().is_some_and(is_it).then(|| Self { older: None, ..self.clone() })
    }

    /// What is known after a complete list of the Secrets of a type has not shown it; `None` if it was not known with that
    /// type.
    pub fn after_absence(&self, secret_type: &str) -> Option<Self> {
        let is_it = |known: &Self| known.secret_type() == Some(secret_type);
        if is_it(self) {
            let older = self.older.as_deref().cloned();
            return Some(older.unwrap_or_else(|| Self { keyring: self.keyring.clone(), ..Self::default() }));
        }
        self.older.as_deref().is_some_and(is_it).then(|| Self { older: None, ..self.clone() })
    }

    /// Whether it was judged on an older version; versions that are no numbers say nothing.
    fn is_older_than(&self, other: &Self) -> bool {
        matches!((self.version(), other.version()), (Some(own), Some(other)) if own < other)
    }

    /// The resource version of the Secret that this was judged on, as a number; those of one kind of object are ordered.
    fn version(&self) -> Option<u64> {
        match &self.state {
            SourceState::Good(secret) => secret.resource_version.parse().ok(),
            SourceState::Undecodable { resource_version, .. } => resource_version.parse().ok(),
            SourceState::Missing => None,
        }
    }

    /// The uid of the Secret that this was judged on.
    pub fn uid(&self) -> Option<&str> {
        match &self.state {
            SourceState::Good(secret) => Some(&secret.uid),
            SourceState::Undecodable { uid, .. } => Some(uid),
            SourceState::Missing => None,
        }
    }

    /// The type of the Secret that this was judged on.
    pub fn secret_type(&self) -> Option<&str> {
        match &self.state {
            SourceState::Good(secret) => Some(&secret.secret_type),
            SourceState::Undecodable { secret_type, .. } => Some(secret_type),
            SourceState::Missing => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;
    use crate::model::keyring::Target;

    pub(crate) fn registry_secret(document: &str) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some("auth-secret".into()),
                namespace: Some("porch-system".into()),
                uid: Some("source-uid".into()),
                resource_version: Some("7".into()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/dockerconfigjson".into()),
            data: Some([(".dockerconfigjson".into(), ByteString(document.as_bytes().to_vec()))].into()),
            ..Secret::default()
        }
    }

    pub(crate) fn source_secret(document: &str) -> Arc<SourceSecret> {
        match Source::default().after(&registry_secret(document), &DigestKey::default()).state {
            SourceState::Good(secret) => secret,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_broken_source_keeps_the_keys_it_last_answered_to() {
        let good =
            Source::default().after(&registry_secret(r#"{"auths":{"ghcr.io":{}}}"#), &DigestKey::default());
        let broken = good
            .after(&registry_secret(r#"{"auths":{"ghcr.io":{"auth":"hunter2"}}}"#), &DigestKey::default());
        assert!(broken.keyring.as_ref().unwrap().answers(&Target::new("ghcr.io/a")));
        assert!(
            matches!(&broken.state, SourceState::Undecodable { defect, .. } if !defect.to_string().contains("hunter2"))
        );
    }

    #[test]
    fn a_secret_of_another_type_is_no_source() {
        let mut secret = registry_secret("{}");
        secret.type_ = Some("Opaque".into());
        assert!(matches!(
            Source::default().after(&secret, &DigestKey::default()).state,
            SourceState::Missing
        ));
    }

    #[test]
    fn debug_shows_no_credential() {
        let source = Source::default()
            .after(&registry_secret(r#"{"auths":{"a":{"username":"hunter2"}}}"#), &DigestKey::default());
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
