//! Docker configurations as the kubelet decodes them
//! (`k8s.io/kubernetes/pkg/credentialprovider/{config.go,secrets/secrets.go}`).
//!
//! Go's JSON decoder is more lenient than serde: field names match whatever their case, a repeated `auths` adds
//! to the first, `null` leaves a field as it was, and text that is no UTF-8 is replaced. What the kubelet
//! accepts must be accepted here, or a working credential would be called broken.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

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
        decode::<RawEntries>(document)?.decode()
    }

    /// Decodes the value of `.dockercfg`: the entries without `auths` around them.
    ///
    /// # Errors
    /// Exactly when the kubelet could not decode it.
    pub fn from_dockercfg(document: &[u8]) -> Result<Self, DockerConfigError> {
        let mut entries = RawEntries::default();
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
        let Some(document) = data_key(secret_type).and_then(data).filter(|document| !document.is_empty())
        else {
            return Ok(None);
        };
        let config = if secret_type == DOCKERCFG_TYPE {
            Self::from_dockercfg(document)
        } else {
            Self::from_config_json(document)
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
#[derive(Default)]
struct RawEntries {
    /// Everything that was read: an entry that cannot be decoded fails the whole even if it is replaced later.
    read: Vec<(String, RawEntry)>,
    /// Where those begin that no `null` has dropped.
    kept_from: usize,
}

impl RawEntries {
    /// What Go does on each occurrence of a map: `null` drops it, an object adds to it.
    fn merge(&mut self, occurrence: Option<Additions>) {
        match occurrence {
            None => self.kept_from = self.read.len(),
            Some(Additions(additions)) => self.read.extend(additions),
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

impl<'de> Deserialize<'de> for RawEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfigVisitor;

        impl<'de> Visitor<'de> for ConfigVisitor {
            type Value = RawEntries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a Docker configuration")
            }

            fn visit_unit<E>(self) -> Result<RawEntries, E> {
                Ok(RawEntries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntries, A::Error> {
                let mut entries = RawEntries::default();
                while let Some(GoString(name)) = map.next_key()? {
                    match fold(&name).as_str() {
                        "auths" => entries.merge(map.next_value()?),
                        "httpheaders" => {
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

        deserializer.deserialize_any(ConfigVisitor)
    }
}

/// Entries of one JSON object; of a repeated key the last one stays.
struct Additions(Vec<(String, RawEntry)>);

impl<'de> Deserialize<'de> for Additions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AdditionsVisitor;

        impl<'de> Visitor<'de> for AdditionsVisitor {
            type Value = Additions;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of registry to credential")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Additions, A::Error> {
                let mut additions = Vec::new();
                while let Some((GoString(key), entry)) = map.next_entry::<GoString, Option<RawEntry>>()? {
                    additions.push((key, entry.unwrap_or_default()));
                }
                Ok(Additions(additions))
            }
        }

        deserializer.deserialize_map(AdditionsVisitor)
    }
}

/// `dockerConfigEntryWithAuth`.
#[derive(Default)]
struct RawEntry {
    username: String,
    password: String,
    auth: String,
}

impl RawEntry {
    /// `decodeDockerConfigFieldAuth`: an `auth` that is not empty overrides user name and password.
    fn decode(self, key: String) -> Result<Entry, DockerConfigError> {
        if self.auth.is_empty() {
            return Ok(Entry {
                key,
                username: self.username.into_bytes(),
                password: self.password.into_bytes(),
            });
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
                Ok(Entry { key, username, password })
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

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = RawEntry;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with username and password, or auth")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntry, A::Error> {
                let mut entry = RawEntry::default();
                let mut email = String::new();
                while let Some(GoString(name)) = map.next_key()? {
                    let field = match fold(&name).as_str() {
                        "username" => &mut entry.username,
                        "password" => &mut entry.password,
                        "auth" => &mut entry.auth,
                        // Not used, but the kubelet refuses a whole Secret for an email that is no string.
                        "email" => &mut email,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    if let Some(GoString(value)) = map.next_value()? {
                        *field = value;
                    }
                }
                Ok(entry)
            }
        }

        deserializer.deserialize_map(EntryVisitor)
    }
}

/// Folds a field name as Go's decoder does: Unicode simple folding, of which two characters lie outside ASCII.
fn fold(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// A JSON string in which whatever is no Unicode text has been replaced, as Go does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct GoString(String);

impl<'de> Deserialize<'de> for GoString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringVisitor;

        impl Visitor<'_> for StringVisitor {
            type Value = GoString;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<GoString, E> {
                Ok(GoString(String::from_utf8_lossy(bytes).into_owned()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<GoString, E> {
                Ok(GoString(text.to_owned()))
            }
        }

        // Asked for bytes, serde_json accepts lone surrogates and invalid UTF-8 in a string.
        deserializer.deserialize_bytes(StringVisitor)
    }
}
