//! Image references as the kubelet reads them.
//!
//! The grammar and the normalisation are those of `github.com/distribution/reference`
//! (`ParseNormalizedNamed`), which the kubelet calls through `pkg/util/parsers.ParseImageName`.

use thiserror::Error;

/// Docker Hub's domain in a normalised name.
const DEFAULT_DOMAIN: &str = "docker.io";
/// An older name of Docker Hub, normalised to [`DEFAULT_DOMAIN`].
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
/// Where Docker Hub keeps images that are named by one word.
const OFFICIAL_PREFIX: &str = "library/";
/// `RepositoryNameTotalLengthMax`: the longest path of a repository, its domain not counted.
const MAXIMUM_PATH_LENGTH: usize = 255;
/// The longest tag: `[\w][\w.-]{0,127}`.
const MAXIMUM_TAG_LENGTH: usize = 128;
/// A string of this many hexadecimal digits is an image identifier, never a name.
const IDENTIFIER_LENGTH: usize = 64;

/// Why a text is no image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ImageError {
    /// 64 hexadecimal digits, which would be an identifier.
    #[error("64 hexadecimal digits are an image identifier, not a name")]
    Identifier,
    /// The name does not follow the grammar.
    #[error(
        "the repository name is malformed (lower-case letters, digits, and single separators between them)"
    )]
    Name,
    /// The path is longer than 255 characters.
    #[error("the repository name is longer than {MAXIMUM_PATH_LENGTH} characters")]
    NameTooLong,
    /// The tag does not follow the grammar.
    #[error("the tag is malformed (up to {MAXIMUM_TAG_LENGTH} letters, digits, '_', '.' and '-')")]
    Tag,
    /// The digest does not follow the grammar, or its algorithm is unknown.
    #[error("the digest is malformed (sha256, sha384 or sha512 and that many hexadecimal digits)")]
    Digest,
}

/// An image reference, normalised: the domain is always there, and so is `library/` on Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageReference {
    /// Reads a reference as the kubelet does.
    ///
    /// # Errors
    /// When the kubelet could not read it either; such a container never starts.
    pub fn parse(reference: &str) -> Result<Self, ImageError> {
        if reference.len() == IDENTIFIER_LENGTH && reference.bytes().all(is_lower_hexadecimal) {
            return Err(ImageError::Identifier);
        }
        let (domain, remainder) = split_domain(reference);
        let (tagged, digest) = match remainder.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (remainder.as_ref(), None),
        };
        let last_segment = tagged.rfind('/').map_or(0, |slash| slash + 1);
        let (path, tag) = match tagged.get(last_segment..).and_then(|segment| segment.find(':')) {
            Some(colon) => {
                let (path, tag) = tagged.split_at(last_segment + colon);
                (path, tag.strip_prefix(':'))
            }
            None => (tagged, None),
        };
        check_name(domain, path)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ImageError::Tag);
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(ImageError::Digest);
        }
        Ok(Self {
            repository: format!("{domain}/{path}"),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The normalised name without tag or digest, the string that the kubelet looks up in its keyring.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The same, given away.
    pub fn into_repository(self) -> String {
        self.repository
    }

    /// The tag; `latest` when neither tag nor digest is given, as in `ParseImageName`.
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag.as_deref(),
        }
    }

    /// The digest with its algorithm.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

/// `splitDockerDomain`: the domain, and the rest with `library/` added where Docker Hub implies it.
fn split_domain(name: &str) -> (&str, std::borrow::Cow<'_, str>) {
    let Some((first, rest)) = name.split_once('/') else {
        return (DEFAULT_DOMAIN, format!("{OFFICIAL_PREFIX}{name}").into());
    };
    let (domain, remainder) = if first == LEGACY_DEFAULT_DOMAIN {
        (DEFAULT_DOMAIN, rest)
    } else if first == "localhost"
        || first.contains(['.', ':'])
        || first.contains(|character: char| character.is_ascii_uppercase())
    {
        (first, rest)
    } else {
        (DEFAULT_DOMAIN, name)
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        (domain, format!("{OFFICIAL_PREFIX}{remainder}").into())
    } else {
        (domain, remainder.into())
    }
}

/// The grammar's name is `[domain/]path`. A first part that is no domain may still begin the path
/// (`under_score.example/app`), and then counts towards the path's length.
fn check_name(domain: &str, path: &str) -> Result<(), ImageError> {
    let is_path = path.split('/').all(is_path_component);
    let (valid, length) = if is_domain(domain) {
        (is_path, path.len())
    } else {
        (is_path && is_path_component(domain), domain.len() + 1 + path.len())
    };
    if !valid {
        Err(ImageError::Name)
    } else if length > MAXIMUM_PATH_LENGTH {
        Err(ImageError::NameTooLong)
    } else {
        Ok(())
    }
}

/// `domainAndPort`: a DNS-like name, an IPv4 address or a bracketed IPv6 address, and a port.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rfind(':') {
        Some(colon) if !domain.ends_with(']') => {
            let (host, port) = domain.split_at(colon);
            (host, port.strip_prefix(':'))
        }
        _ => (domain, None),
    };
    let port_is_valid =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let host_is_valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        }
        None => host.split('.').all(is_domain_component),
    };
    port_is_valid && host_is_valid
}

fn is_domain_component(component: &str) -> bool {
    !component.is_empty()
        && !component.starts_with('-')
        && !component.ends_with('-')
        && component.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `pathComponent`: runs of lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = component.as_bytes();
    loop {
        let run = rest.iter().take_while(|&&byte| is_alphanumeric(byte)).count();
        let (letters, after) = rest.split_at(run);
        if letters.is_empty() {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        let separator = after.iter().take_while(|&&byte| !is_alphanumeric(byte)).count();
        let (separator, after) = after.split_at(separator);
        let separates =
            matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|&byte| byte == b'-');
        if !separates {
            return false;
        }
        rest = after;
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= MAXIMUM_TAG_LENGTH
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

/// `digest.Parse` with the algorithms that the kubelet links.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, encoded)) = digest.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    encoded.len() == length && encoded.bytes().all(is_lower_hexadecimal)
}

fn is_lower_hexadecimal(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHA256: &str = "sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";

    #[rstest]
    #[case::one_word("nginx", "docker.io/library/nginx", Some("latest"))]
    #[case::user_on_docker_hub("me/app", "docker.io/me/app", Some("latest"))]
    #[case::tag("ghcr.io/a/b:1", "ghcr.io/a/b", Some("1"))]
    #[case::legacy_docker_hub("index.docker.io/x/y", "docker.io/x/y", Some("latest"))]
    #[case::legacy_docker_hub_official("index.docker.io/x", "docker.io/library/x", Some("latest"))]
    #[case::port("registry:5000/app:v1", "registry:5000/app", Some("v1"))]
    #[case::port_without_tag("registry:5000/app", "registry:5000/app", Some("latest"))]
    #[case::one_word_and_port_like_tag("registry:5000", "docker.io/library/registry", Some("5000"))]
    #[case::localhost("localhost/app", "localhost/app", Some("latest"))]
    #[case::ipv6("[::1]:5000/app", "[::1]:5000/app", Some("latest"))]
    #[case::upper_case_first_part_is_a_domain("Host/app", "Host/app", Some("latest"))]
    #[case::no_domain_but_a_path("under_score.example/app", "under_score.example/app", Some("latest"))]
    #[case::separators("ghcr.io/a__b/c---d/e.f", "ghcr.io/a__b/c---d/e.f", Some("latest"))]
    fn a_reference_is_normalised(#[case] text: &str, #[case] repository: &str, #[case] tag: Option<&str>) {
        let reference = ImageReference::parse(text).unwrap();
        assert_eq!((reference.repository(), reference.tag(), reference.digest()), (repository, tag, None));
    }

    #[test]
    fn a_digest_leaves_the_tag_absent_unless_it_is_given() {
        let with_digest = ImageReference::parse(&format!("busybox@{SHA256}")).unwrap();
        assert_eq!((with_digest.tag(), with_digest.digest()), (None, Some(SHA256)));
        let with_both = ImageReference::parse(&format!("r.example/a:1@{SHA256}")).unwrap();
        assert_eq!((with_both.repository(), with_both.tag()), ("r.example/a", Some("1")));
    }

    #[rstest]
    #[case::empty("", ImageError::Name)]
    #[case::upper_case_path("ghcr.io/Org/app", ImageError::Name)]
    #[case::three_underscores("ghcr.io/a___b", ImageError::Name)]
    #[case::empty_segment("ghcr.io//app", ImageError::Name)]
    #[case::trailing_slash("ghcr.io/app/", ImageError::Name)]
    #[case::scheme("https://ghcr.io/app", ImageError::Name)]
    #[case::blank(" nginx", ImageError::Name)]
    #[case::empty_tag("nginx:", ImageError::Tag)]
    #[case::tag_begins_with_a_dot("nginx:.1", ImageError::Tag)]
    #[case::short_digest("nginx@sha256:abc", ImageError::Digest)]
    #[case::unknown_algorithm(
        "nginx@md5:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        ImageError::Digest
    )]
    #[case::identifier(
        "7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        ImageError::Identifier
    )]
    fn a_malformed_reference_is_refused(#[case] text: &str, #[case] reason: ImageError) {
        assert_eq!(ImageReference::parse(text), Err(reason));
    }

    #[test]
    fn a_path_may_have_255_characters_and_no_more() {
        let longest = "a".repeat(255);
        assert!(ImageReference::parse(&format!("ghcr.io/{longest}")).is_ok());
        assert_eq!(ImageReference::parse(&format!("ghcr.io/{longest}a")), Err(ImageError::NameTooLong));
    }
}
