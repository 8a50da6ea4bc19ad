//! Docker configurations as the kubelet decodes them
//! (`k8s.io/kubernetes/pkg/credentialprovider/{config.go,secrets/secrets.go}`).
//!
//! Go's JSON decoder is more lenient than serde: field names match whatever their case, a repeated `auths` adds
//! to the first, `null` leaves a field as it was, and text that is no UTF-8 is replaced. What the kubelet
//! accepts must be accepted here, or a working credential would be called broken.

mod go_json;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

use go_json::{GoString, fold};
pub use reader::{Keychain, Kubelet, Reader};

/// Secret type of a `~/.docker/config.json`.
pub const DOCKER_CONFIG_JSON_TYPE: &str = "kubernetes.io/dockerconfigjson";
/// Secret type of the older `~/.dockercfg`.
pub const DOCKERCFG_TYPE: &str = "kubernetes.io/dockercfg";

/// The data key that the kubelet reads from a Secret of a type; `None` for a type that holds no credentials.
pub fn data_key(secret_type: &str) -> Option<&'static str> {
    match secret_type {
        DOCKER_CONFIG_JSON_TYPE => Some(".dockerconfigjson"),
        DOCKERCFG_TYPE => Some(".dockercfg"),
        _ => None,
    }
}

/// A type as it is written here, if it holds credentials.
pub fn registry_type(secret_type: &str) -> Option<&'static str> {
    [DOCKER_CONFIG_JSON_TYPE, DOCKERCFG_TYPE].into_iter().find(|known| *known == secret_type)
}

/// Why the kubelet could not decode a configuration. One such Secret fails every pull of a pod that names it.
///
/// Few words: they end a warning that names two Secrets before and has 120 characters.
#[derive(Debug, Error)]
pub enum DockerConfigError {
    /// Not JSON, or JSON of another shape. The reason never quotes the text, which may be a credential.
    #[error("{category} at line {line}, column {column} of its JSON")]
    Json {
        /// What is wrong, in two or three words.
        category: &'static str,
        /// Line of the document, from 1.
        line: usize,
        /// Column of the line, from 1.
        column: usize,
    },
    /// An `auth` field that is no base64 of `username:password`.
    #[error("auth of {key:?} is no base64 of user:password")]
    Auth {
        /// The key in `auths`.
        key: String,
    },
}

/// The entries of a Docker configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct DockerConfig {
    /// Entries by key as written, each key once.
    pub entries: Vec<Entry>,
}

/// A credential and the key it was written for.
#[derive(PartialEq, Eq)]
pub struct Entry {
    /// Registry host, URL or pattern, as written.
    pub key: String,
    /// User name; may be empty.
    pub username: Vec<u8>,
    /// Password; may be empty.
    pub password: Vec<u8>,
    /// Whether there is a token, of those that its reader knows.
    pub has_token: bool,
}

impl Entry {
    /// Whether there is nothing in it, as where `docker login` has put everything into a credential store.
    pub fn is_empty(&self) -> bool {
        self.username.is_empty() && self.password.is_empty() && !self.has_token
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}

impl DockerConfig {
    /// Decodes the value of `.dockerconfigjson`.
    ///
    /// # Errors
    /// Exactly when the kubelet could not decode it.
    pub fn from_config_json(document: &[u8]) -> Result<Self, DockerConfigError> {
        decode::<RawEntries<Kubelet>>(document)?.decode()
    }

    /// Decodes the value of `.dockercfg`: the entries without `auths` around them.
    ///
    /// # Errors
    /// Exactly when the kubelet could not decode it.
    pub fn from_dockercfg(document: &[u8]) -> Result<Self, DockerConfigError> {
        Self::from_entries::<Kubelet>(document)
    }

    fn from_entries<R: Reader>(document: &[u8]) -> Result<Self, DockerConfigError> {
        let mut entries = RawEntries::<R>::default();
        entries.merge(decode(document)?);
        entries.decode()
    }

    /// Decodes what the kubelet reads from a Secret: the data key of its type, if it is there and not empty.
    /// `None` for a Secret that the kubelet passes over.
    ///
    /// # Errors
    /// Exactly when the kubelet could not decode it.
    pub fn from_secret<'a>(
        secret_type: &str,
        data: impl FnOnce(&str) -> Option<&'a [u8]>,
    ) -> Result<Option<Self>, DockerConfigError> {
        Self::from_secret_as::<Kubelet>(secret_type, data)
    }

    /// The same for another reader.
    ///
    /// # Errors
    /// Exactly when the reader could not decode it.
    pub fn from_secret_as<'a, R: Reader>(
        secret_type: &str,
        data: impl FnOnce(&str) -> Option<&'a [u8]>,
    ) -> Result<Option<Self>, DockerConfigError> {
        let Some(document) = data_key(secret_type).and_then(data).filter(|document| !document.is_empty())
        else {
            return Ok(None);
        };
        let config = if secret_type == DOCKERCFG_TYPE {
            Self::from_entries::<R>(document)
        } else {
            decode::<RawEntries<R>>(document).and_then(RawEntries::decode)
        };
        config.map(Some)
    }
}

fn decode<'de, T: Deserialize<'de>>(document: &'de [u8]) -> Result<T, DockerConfigError> {
    reject_control_characters(document)?;
    serde_json::from_slice(document).map_err(|error| DockerConfigError::Json {
        category: match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Data => "a value of the wrong type",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "a syntax error",
        },
        line: error.line(),
        column: error.column(),
    })
}

/// Read as bytes, a string may hold control characters for `serde_json`; for Go it may not.
fn reject_control_characters(document: &[u8]) -> Result<(), DockerConfigError> {
    let (mut line, mut column, mut in_string, mut is_escaped) = (1, 0, false, false);
    for &byte in document {
        column += 1;
        match byte {
            0..0x20 if in_string => {
                return Err(DockerConfigError::Json {
                    category: "a control character in a string",
                    line,
                    column,
                });
            }
            b'\n' => (line, column) = (line + 1, 0),
            b'"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && byte == b'\\' && !is_escaped;
    }
    Ok(())
}

/// `DockerConfigJSON`, reduced to its entries.
struct RawEntries<R> {
    /// Everything that was read: an entry that cannot be decoded fails the whole even if it is replaced later.
    read: Vec<(String, RawEntry)>,
    /// Where those begin that no `null` has dropped.
    kept_from: usize,
    reader: PhantomData<R>,
}

impl<R> Default for RawEntries<R> {
    fn default() -> Self {
        Self { read: Vec::new(), kept_from: 0, reader: PhantomData }
    }
}

impl<R> RawEntries<R> {
    /// What Go does on each occurrence of a map: `null` drops it, an object adds to it.
    fn merge(&mut self, occurrence: Option<Additions<R>>) {
        match occurrence {
            None => self.kept_from = self.read.len(),
            Some(Additions(additions, _)) => self.read.extend(additions),
        }
    }

    fn decode(self) -> Result<DockerConfig, DockerConfigError> {
        let mut entries = BTreeMap::new();
        for (position, (key, entry)) in self.read.into_iter().enumerate() {
            let entry = entry.decode(key)?;
            if position >= self.kept_from {
                entries.insert(entry.key.clone(), entry);
            }
        }
        Ok(DockerConfig { entries: entries.into_values().collect() })
    }
}

impl<'de, R: Reader> Deserialize<'de> for RawEntries<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfigVisitor<R>(PhantomData<R>);

        impl<'de, R: Reader> Visitor<'de> for ConfigVisitor<R> {
            type Value = RawEntries<R>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a Docker configuration")
            }

            fn visit_unit<E>(self) -> Result<RawEntries<R>, E> {
                Ok(RawEntries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntries<R>, A::Error> {
                let mut entries = RawEntries::default();
                while let Some(GoString(name)) = map.next_key()? {
                    match fold(&name).as_str() {
                        "auths" => entries.merge(map.next_value()?),
                        "httpheaders" if R::READS_HEADERS => {
                            map.next_value::<Option<BTreeMap<GoString, Option<GoString>>>>()?;
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_any(ConfigVisitor(PhantomData))
    }
}

/// Entries of one JSON object; of a repeated key the last one stays.
struct Additions<R>(Vec<(String, RawEntry)>, PhantomData<R>);

impl<'de, R: Reader> Deserialize<'de> for Additions<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AdditionsVisitor<R>(PhantomData<R>);

        impl<'de, R: Reader> Visitor<'de> for AdditionsVisitor<R> {
            type Value = Additions<R>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of registry to credential")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Additions<R>, A::Error> {
                let mut additions = Vec::new();
                while let Some((GoString(key), entry)) = map.next_entry::<GoString, Option<EntryFor<R>>>()? {
                    additions.push((key, entry.map(|EntryFor(entry, _)| entry).unwrap_or_default()));
                }
                Ok(Additions(additions, PhantomData))
            }
        }

        deserializer.deserialize_map(AdditionsVisitor(PhantomData))
    }
}

/// `dockerConfigEntryWithAuth`.
#[derive(Default)]
struct RawEntry {
    username: String,
    password: String,
    auth: String,
    tokens: BTreeMap<&'static str, String>,
}

impl RawEntry {
    /// `decodeDockerConfigFieldAuth`: an `auth` that is not empty overrides user name and password.
    fn decode(self, key: String) -> Result<Entry, DockerConfigError> {
        let has_token = self.tokens.values().any(|token| !token.is_empty());
        if self.auth.is_empty() {
            let (username, password) = (self.username.into_bytes(), self.password.into_bytes());
            return Ok(Entry { key, username, password, has_token });
        }
        // Go's decoder skips line breaks, wherever they stand.
        let encoded: String =
            self.auth.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
        let engine = if self.auth.trim().ends_with('=') { &PADDED } else { &UNPADDED };
        let decoded = engine.decode(encoded).ok();
        let colon = decoded.as_ref().and_then(|decoded| decoded.iter().position(|&byte| byte == b':'));
        match (decoded, colon) {
            (Some(mut username), Some(colon)) => {
                let password = username.split_off(colon).split_off(1);
                Ok(Entry { key, username, password, has_token })
            }
            _ => Err(DockerConfigError::Auth { key }),
        }
    }
}

/// Go's `base64.StdEncoding`, which does not mind bits left over in the last character.
const PADDED: GeneralPurpose = engine(DecodePaddingMode::RequireCanonical);
/// Go's `base64.RawStdEncoding`.
const UNPADDED: GeneralPurpose = engine(DecodePaddingMode::RequireNone);

const fn engine(padding: DecodePaddingMode) -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(padding);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
}

/// An entry that a reader has not refused.
struct EntryFor<R>(RawEntry, PhantomData<R>);

impl<'de, R: Reader> Deserialize<'de> for EntryFor<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor<R>(PhantomData<R>);

        impl<'de, R: Reader> Visitor<'de> for EntryVisitor<R> {
            type Value = EntryFor<R>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with username and password, or auth")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EntryFor<R>, A::Error> {
                let mut entry = RawEntry::default();
                let mut unused = String::new();
                while let Some(GoString(name)) = map.next_key()? {
                    let field = match fold(&name).as_str() {
                        "username" => &mut entry.username,
                        "password" => &mut entry.password,
                        "auth" => &mut entry.auth,
                        name if R::STRINGS.contains(&name) => &mut unused,
                        name => {
                            let Some(token) = R::TOKENS.iter().find(|token| **token == name) else {
                                map.next_value::<IgnoredAny>()?;
                                continue;
                            };
                            entry.tokens.entry(token).or_default()
                        }
                    };
                    if let Some(GoString(value)) = map.next_value()? {
                        *field = value;
                    }
                }
                Ok(EntryFor(entry, PhantomData))
            }
        }

        deserializer.deserialize_map(EntryVisitor(PhantomData))
    }
}
