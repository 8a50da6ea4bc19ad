//! Which credentials the kubelet tries for an image: its `BasicDockerKeyring`
//! (`k8s.io/kubernetes/pkg/credentialprovider/keyring.go`).

mod glob;
mod location;
mod pattern;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use location::Location;
use pattern::Pattern;

pub use pattern::{ImagePattern, ImagePatternError, Target};

/// The key under which Docker Hub's credentials are looked for when no key matches.
const DEFAULT_REGISTRY_KEY: &[u8] = b"index.docker.io";

/// The longest name that DNS knows, with a port behind it.
const LONGEST_HOST: usize = 253 + ":65535".len();

/// The keys of one or more Docker configurations, in the order in which the kubelet tries them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<Key>,
}

/// One normalised key and the configuration entries that were written for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    normalized: Vec<u8>,
    /// `None` for a key that the kubelet keeps but can never match, such as an escaped host.
    pattern: Option<Pattern>,
    /// Positions of the entries in what the keyring was made from.
    entries: Vec<usize>,
}

impl Keyring {
    /// Builds the keyring of entries whose keys are given as written in `auths`.
    ///
    /// A key that is no URL is ignored, as the kubelet ignores it.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let mut entries_by_key: BTreeMap<Reverse<Vec<u8>>, Vec<usize>> = BTreeMap::new();
        for (position, key) in keys.into_iter().enumerate() {
            if let Some(normalized) = normalize(key) {
                entries_by_key.entry(Reverse(normalized)).or_default().push(position);
            }
        }
        let keys = entries_by_key
            .into_iter()
            .map(|(Reverse(normalized), entries)| Key {
                pattern: Pattern::new(&normalized),
                normalized,
                entries,
            })
            .collect();
        Self { keys }
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The entries that the kubelet tries for an image, in its order.
    pub fn lookup(&self, target: &Target) -> impl Iterator<Item = usize> {
        let mut matching = self.keys.iter().filter(|key| key.matches(target)).peekable();
        let fallback = if matching.peek().is_none() { self.default_registry(target) } else { None };
        matching.chain(fallback).flat_map(|key| key.entries.iter().copied())
    }

    /// Whether there is any credential for an image.
    pub fn answers(&self, target: &Target) -> bool {
        self.answering(target).is_some()
    }

    /// The first key that the kubelet tries for an image, as it keeps it: without scheme and user.
    pub fn answering(&self, target: &Target) -> Option<&[u8]> {
        self.matching(target).or_else(|| self.default_registry(target).map(|key| key.normalized.as_slice()))
    }

    /// The first key that matches, without the kubelet's special case for Docker Hub: what go-containerregistry's keychain
    /// takes (`pkg/authn/kubernetes/keychain.go`).
    pub fn matching(&self, target: &Target) -> Option<&[u8]> {
        self.keys.iter().find(|key| key.matches(target)).map(|key| key.normalized.as_slice())
    }

    /// The entries of that key.
    pub fn matching_entries(&self, target: &Target) -> impl Iterator<Item = usize> {
        let first = self.keys.iter().find(|key| key.matches(target));
        first.into_iter().flat_map(|key| key.entries.iter().copied())
    }

    /// Whether a key as written in `auths` is a URL. The kubelet ignores one that is not; go-containerregistry gives up on
    /// all Secrets then.
    pub fn is_key(key: &str) -> bool {
        normalize(key).is_some()
    }

    /// The hosts of the keys with their ports, in order, for people. What cannot be a host is left out: somebody may have
    /// written anything as a key.
    pub fn hosts(&self) -> BTreeSet<String> {
        let hosts = self.keys.iter().filter_map(|key| {
            let host = key.normalized.split(|&byte| byte == b'/').next()?;
            let is_shown = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:*[]".contains(byte);
            let host = std::str::from_utf8(host).ok()?;
            (!host.is_empty() && host.len() <= LONGEST_HOST && host.bytes().all(|byte| is_shown(&byte)))
                .then(|| host.to_owned())
        });
        hosts.collect()
    }

    /// Credentials of Docker Hub serve its images even where their key matches none.
    fn default_registry(&self, target: &Target) -> Option<&Key> {
        let is_default = |key: &&Key| key.normalized == DEFAULT_REGISTRY_KEY;
        target.is_of_default_registry.then(|| self.keys.iter().find(is_default)).flatten()
    }
}

impl Key {
    fn matches(&self, target: &Target) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.matches_as_the_kubelet(target))
    }
}

/// `BasicDockerKeyring.Add`: host and path; a leading `/v1/` or `/v2/` is the registry's API, not a path.
fn normalize(key: &str) -> Option<Vec<u8>> {
    let url = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let location = Location::parse(url.as_bytes())?;
    let path = location.path();
    let path = if path.starts_with(b"/v1/") || path.starts_with(b"/v2/") { path.split_at(3).1 } else { path };
    Some(location.joined_with(if path == b"/" { b"" } else { path }))
}
