//! Hosts, ports and paths held against an image's name.

use super::glob::Glob;
use super::location::Location;

/// Host and port of a pattern, and the path it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Glob>,
    port: Vec<u8>,
    path: Vec<u8>,
}

impl Pattern {
    /// `None` for a text that the kubelet keeps but can never match, such as an escaped host.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let location = Location::parse(text)?;
        let (host, port) = location.host_and_port();
        let parts = host.split(|&byte| byte == b'.').map(Glob::new).collect::<Option<_>>()?;
        Some(Self { parts, port: port.to_vec(), path: location.path().to_vec() })
    }

    /// `URLsMatch`: equal ports, as many parts between dots, each a glob, and the path a prefix.
    pub(super) fn matches_as_the_kubelet(&self, target: &Target) -> bool {
        target
            .location
            .as_ref()
            .is_some_and(|target| target.location.path().starts_with(&self.path) && self.matches_host(target))
    }

    /// The same host and port, and whole segments of the path: `/org` is `/org` or `/org/…`.
    fn matches_by_segments(&self, target: &Target) -> bool {
        target.location.as_ref().is_some_and(|target| {
            let rest = target.location.path().strip_prefix(self.path.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) && self.matches_host(target)
        })
    }

    fn matches_host(&self, target: &TargetLocation) -> bool {
        let (host, port) = target.location.host_and_port();
        port == self.port
            && target.parts == self.parts.len()
            && host.split(|&byte| byte == b'.').zip(&self.parts).all(|(part, glob)| glob.matches(part))
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
    location: Location,
    /// How many parts the host has between its dots.
    parts: usize,
}

impl Target {
    /// Reads a name.
    pub fn new(repository: &str) -> Self {
        let location = Location::parse(repository.as_bytes()).map(|location| {
            let parts = location.host_and_port().0.split(|&byte| byte == b'.').count();
            TargetLocation { location, parts }
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
pub struct ImagePattern(Pattern);

impl ImagePattern {
    /// Reads a pattern; `None` when its host or port is malformed.
    ///
    /// A trailing slash or `/*` means the same as none, and Docker Hub's older name the same as `docker.io`.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix("/*").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let text = match text.strip_prefix("index.docker.io") {
            Some(path) if path.is_empty() || path.starts_with('/') => format!("docker.io{path}"),
            _ => text.to_owned(),
        };
        Pattern::new(text.as_bytes()).map(Self)
    }

    /// Whether an image is one of those.
    pub fn matches(&self, target: &Target) -> bool {
        self.0.matches_by_segments(target)
    }
}
