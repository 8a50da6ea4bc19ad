//! Hosts, ports and paths held against an image's name.

use thiserror::Error;

use super::glob::Glob;
use super::location::Location;

/// Host and port of a pattern, and the path it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Glob>,
    port: Option<Vec<u8>>,
    path: Vec<u8>,
}

/// A port that is not there is `None`, and an absent path is not compared: handed to `memcmp`, the address of an empty
/// `Vec` costs more than everything else that is done for a key.
fn some_unless_empty(port: &[u8]) -> Option<Vec<u8>> {
    (!port.is_empty()).then(|| port.to_vec())
}

impl Pattern {
    /// `None` for a text that the kubelet keeps but can never match, such as an escaped host.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let location = Location::parse(text)?;
        let (host, port) = location.host_and_port();
        let parts = host.split(|&byte| byte == b'.').map(Glob::new).collect::<Option<_>>()?;
        Some(Self { parts, port: some_unless_empty(port), path: location.path().to_vec() })
    }

    /// `URLsMatch`: equal ports, as many parts between dots, each a glob, and the path a prefix.
    pub(super) fn matches_as_the_kubelet(&self, target: &Target) -> bool {
        target.location.as_ref().is_some_and(|target| {
            self.matches_host(target) && (self.path.is_empty() || target.path.starts_with(&self.path))
        })
    }

    /// The same host and port, and whole segments of the path: `/org` is `/org` or `/org/…`.
    fn matches_by_segments(&self, target: &Target) -> bool {
        target.location.as_ref().is_some_and(|target| {
            let rest = target.path.strip_prefix(self.path.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) && self.matches_host(target)
        })
    }

    fn matches_host(&self, target: &TargetLocation) -> bool {
        target.port == self.port
            && target.parts == self.parts.len()
            && target.host.split(|&byte| byte == b'.').zip(&self.parts).all(|(part, glob)| glob.matches(part))
    }
}

/// An image's normalised name without tag or digest, read once for all patterns.
#[derive(Debug)]
pub struct Target {
    /// `None` where the kubelet's URL parser refuses the name; no pattern matches it then.
    location: Option<TargetLocation>,
    pub(super) is_of_default_registry: bool,
}

#[derive(Debug)]
struct TargetLocation {
    host: Vec<u8>,
    port: Option<Vec<u8>>,
    path: Vec<u8>,
    /// How many parts the host has between its dots.
    parts: usize,
}

impl Target {
    /// Reads a name.
    pub fn new(repository: &str) -> Self {
        let location = Location::parse(repository.as_bytes()).map(|location| {
            let (host, port) = location.host_and_port();
            let parts = host.split(|&byte| byte == b'.').count();
            TargetLocation {
                host: host.to_vec(),
                port: some_unless_empty(port),
                path: location.path().to_vec(),
                parts,
            }
        });
        Self { location, is_of_default_registry: is_of_default_registry(repository) }
    }
}

/// `isDefaultRegistryMatch`: whether an image comes from Docker Hub, judged by its first part.
fn is_of_default_registry(image: &str) -> bool {
    match image.split_once('/') {
        None => !image.is_empty(),
        Some(("docker.io" | "index.docker.io", _)) => true,
        Some((first, _)) => !first.is_empty() && !first.contains(['.', ':']),
    }
}

/// A pattern that narrows the images a credential is for: the host matches as the kubelet's keys do, the path by
/// whole segments, because the kubelet's prefix rule would let `ghcr.io/org` cover `ghcr.io/organisation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    pattern: Pattern,
    /// As it was written, in the form that all ways to write it have in common.
    text: String,
}

/// Why a text is no image pattern. All but the last are refused by the `CustomResourceDefinition` too, in the same
/// words, so that `regcred check` says what the API server would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ImagePatternError {
    /// Nothing at all.
    #[error("an image pattern is not empty: leave images out to mean every registry in the Secret")]
    Empty,
    /// `https://…`
    #[error("an image pattern has no scheme: write ghcr.io/org instead of https://ghcr.io/org")]
    Scheme,
    /// An upper-case letter.
    #[error("an image pattern has no upper-case letter: no image name has one, so it would never match")]
    UpperCase,
    /// A blank.
    #[error("an image pattern has no blank: no image name has one, so it would never match")]
    Blank,
    /// A `*` in the path.
    #[error(
        "in the path of an image pattern, * may stand only as a trailing /*: paths match by whole segments"
    )]
    StarInPath,
    /// A tag or a digest.
    #[error("an image pattern has no tag and no digest: it is for all versions of an image")]
    Version,
    /// A host or a port that no URL can have.
    #[error("an image pattern is a host with an optional port and path, such as registry.example:5000/team")]
    Malformed,
}

impl ImagePattern {
    /// Reads a pattern.
    ///
    /// A trailing slash or `/*` means the same as none, and Docker Hub's older name the same as `docker.io`.
    ///
    /// # Errors
    /// When the text cannot match as its author would expect, or not at all.
    pub fn parse(text: &str) -> Result<Self, ImagePatternError> {
        check(text)?;
        let text = text.strip_suffix("/*").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let text = match text.strip_prefix("index.docker.io") {
            Some(path) if path.is_empty() || path.starts_with('/') => format!("docker.io{path}"),
            _ => text.to_owned(),
        };
        let pattern = Pattern::new(text.as_bytes()).ok_or(ImagePatternError::Malformed)?;
        Ok(Self { pattern, text })
    }

    /// Its text, without what means nothing and with Docker Hub by its short name. Of two that match the same image the more
    /// special one is the greater.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its host and port, to be held against the patterns of keys.
    fn host(&self) -> &str {
        self.text.split('/').next().unwrap_or_default()
    }

    /// Whether an image is one of those.
    pub fn matches(&self, target: &Target) -> bool {
        self.pattern.matches_by_segments(target)
    }

    /// Whether images of a key's host may be among those; both may be globs.
    pub fn may_be_of_host(&self, key: &str) -> bool {
        let key = if key.as_bytes() == super::DEFAULT_REGISTRY_KEY { "docker.io" } else { key };
        let matches = |pattern: &Pattern, host: &str| {
            Target::new(host).location.as_ref().is_some_and(|target| pattern.matches_host(target))
        };
        matches(&self.pattern, key)
            || Pattern::new(key.as_bytes()).is_some_and(|of_key| matches(&of_key, self.host()))
    }
}

/// The rules of the `CustomResourceDefinition` (`api/registry_credential.rs`), in its order.
fn check(text: &str) -> Result<(), ImagePatternError> {
    // What the rules' regular expressions call a blank.
    let is_blank = |character: char| matches!(character, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let path = text.split_once('/').map_or("", |(_, path)| path);
    let stars = path.strip_suffix('*').filter(|rest| rest.is_empty() || rest.ends_with('/')).unwrap_or(path);
    if text.is_empty() {
        Err(ImagePatternError::Empty)
    } else if text.contains("://") {
        Err(ImagePatternError::Scheme)
    } else if text.contains(|character: char| character.is_ascii_uppercase()) {
        Err(ImagePatternError::UpperCase)
    } else if text.contains(is_blank) {
        Err(ImagePatternError::Blank)
    } else if stars.contains('*') {
        Err(ImagePatternError::StarInPath)
    } else if text.contains('@') || path.contains(':') {
        Err(ImagePatternError::Version)
    } else {
        Ok(())
    }
}
