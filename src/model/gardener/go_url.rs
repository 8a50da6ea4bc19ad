//! URLs as Go takes them apart (`net/url.Parse`), as far as rules about registries ask.
//!
//! Browsers' rules, which crates for URLs have, are others: they repair what Go refuses, and take `..` out of paths.

use thiserror::Error;

use super::go_quote::quote;

/// What is asked of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GoUrl {
    /// In lower case; empty if there is none.
    pub(super) scheme: String,
    /// Host and port; empty if there is none.
    pub(super) host: String,
    /// Decoded.
    pub(super) path: String,
    /// Whether there is anything before an `@`.
    pub(super) has_user: bool,
    /// Whether there is a query that is not empty.
    pub(super) has_query: bool,
    /// Whether there is a fragment that is not empty.
    pub(super) has_fragment: bool,
}

/// Why a text is no URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum GoUrlError {
    #[error("net/url: invalid control character in URL")]
    ControlCharacter,
    #[error("missing protocol scheme")]
    NoScheme,
    #[error("first path segment in URL cannot contain colon")]
    Colon,
    #[error("net/url: invalid userinfo")]
    UserInfo,
    #[error("invalid IP-literal")]
    Address,
    #[error("missing ']' in host")]
    Bracket,
    #[error("invalid port {} after host", quote(.0))]
    Port(String),
    #[error("invalid URL escape {}", quote(.0))]
    Escape(String),
    #[error("invalid character {} in host name", quote(.0))]
    Host(String),
}

/// A text that is no URL, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("parse {}: {reason}", quote(.text))]
pub(super) struct NoUrl {
    /// What was read; the fragment is read after the rest.
    text: String,
    reason: GoUrlError,
}

impl GoUrl {
    /// Takes a text apart.
    pub(super) fn parse(text: &str) -> Result<Self, NoUrl> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let refused = |text: &str| {
            let text = text.to_owned();
            |reason| NoUrl { text, reason }
        };
        let parsed = Self::without_fragment(url).map_err(refused(url))?;
        unescape(fragment).map_err(refused(text))?;
        Ok(Self { has_fragment: !fragment.is_empty(), ..parsed })
    }

    fn without_fragment(url: &str) -> Result<Self, GoUrlError> {
        if url.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(GoUrlError::ControlCharacter);
        }
        let (scheme, rest) = split_scheme(url)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parsed =
            Self { scheme: scheme.to_ascii_lowercase(), has_query: !query.is_empty(), ..Self::default() };
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                return Ok(parsed); // An opaque one, as `mailto:` is.
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err(GoUrlError::Colon);
            }
        }
        let has_authority = !scheme.is_empty() || !rest.starts_with("///");
        let path = match rest.strip_prefix("//").filter(|_| has_authority) {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                parsed.read_authority(authority)?;
                path
            }
            None => rest,
        };
        parsed.path = unescape(path)?;
        Ok(parsed)
    }

    fn read_authority(&mut self, authority: &str) -> Result<(), GoUrlError> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = read_host(host)?;
        if let Some(user) = user {
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
            if !user.bytes().all(is_valid) {
                return Err(GoUrlError::UserInfo);
            }
            unescape(user)?;
            self.has_user = true;
        }
        Ok(())
    }
}

/// The scheme before a colon, and what follows; no scheme where other characters come first.
fn split_scheme(url: &str) -> Result<(&str, &str), GoUrlError> {
    let end = url.find(|character: char| !character.is_ascii_alphanumeric() && !"+-.".contains(character));
    match end.map(|end| url.split_at(end)) {
        Some(("", rest)) if rest.starts_with(':') => Err(GoUrlError::NoScheme),
        Some((scheme, rest)) if scheme.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            Ok(rest.strip_prefix(':').map_or(("", url), |rest| (scheme, rest)))
        }
        _ => Ok(("", url)),
    }
}

/// A host and its port. An address in brackets is left as it is: no rule about registries takes one.
fn read_host(host: &str) -> Result<String, GoUrlError> {
    match host.rfind('[') {
        Some(0) if host.contains(']') => return Ok(host.to_owned()),
        Some(0) => return Err(GoUrlError::Bracket),
        Some(_) => return Err(GoUrlError::Address),
        None => {}
    }
    if let Some(colon) = host.find(':') {
        let (_, port) = host.split_at(colon);
        if !port.bytes().skip(1).all(|byte| byte.is_ascii_digit()) {
            return Err(GoUrlError::Port(port.to_owned()));
        }
    }
    let is_refused = |byte: u8| {
        byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"!\"$&'()*+,-.:;<=>]_~%".contains(&byte)
    };
    let refused = host.bytes().position(is_refused);
    // A host can hold escapes of what is not ASCII, and of the percent sign, and no others.
    let wrong = escapes(host).find(|escape| !matches!(escape.value, Some(b'%' | 128..)));
    match (refused, wrong) {
        (place, Some(escape)) if place.is_none_or(|place| escape.place < place) => {
            Err(GoUrlError::Escape(escape.text.to_owned()))
        }
        (Some(place), _) => Err(GoUrlError::Host(host.get(place..=place).unwrap_or_default().to_owned())),
        (None, _) => unescape(host),
    }
}

/// An escape, such as `%2F`.
struct Escape<'a> {
    place: usize,
    /// At most three characters.
    text: &'a str,
    /// `None` if it is none.
    value: Option<u8>,
}

fn escapes(text: &str) -> impl Iterator<Item = Escape<'_>> {
    text.match_indices('%').map(|(place, _)| {
        let rest = text.get(place..).unwrap_or_default();
        let end = rest.char_indices().nth(3).map_or(rest.len(), |(end, _)| end);
        let text = rest.get(..end).unwrap_or_default();
        let digits = text.get(1..).filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
        Escape { place, text, value: digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) }
    })
}

/// Decodes a text; bytes that are no UTF-8 then are replaced.
fn unescape(text: &str) -> Result<String, GoUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut done = 0;
    for escape in escapes(text) {
        let value = escape.value.ok_or_else(|| GoUrlError::Escape(escape.text.to_owned()))?;
        bytes.extend_from_slice(text.get(done..escape.place).unwrap_or_default().as_bytes());
        bytes.push(value);
        done = escape.place + 3;
    }
    bytes.extend_from_slice(text.get(done..).unwrap_or_default().as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn url(scheme: &str, host: &str, path: &str) -> GoUrl {
        GoUrl { scheme: scheme.into(), host: host.into(), path: path.into(), ..GoUrl::default() }
    }

    #[rstest]
    #[case::host("https://example.com", url("https", "example.com", ""))]
    #[case::port("http://example.com:5000/", url("http", "example.com:5000", "/"))]
    #[case::empty_port("http://example.com:", url("http", "example.com:", ""))]
    #[case::upper_case("HTTPS://Example.com", url("https", "Example.com", ""))]
    #[case::decoded_path("https://a.io/..%2Ffoo/%2E%2e", url("https", "a.io", "/../foo/.."))]
    #[case::decoded_host("https://%C3%A4.io", url("https", "\u{e4}.io", ""))]
    #[case::percent_sign_in_the_host("https://a%25b", url("https", "a%b", ""))]
    #[case::user("https://foo:bar@a.io", GoUrl { has_user: true, ..url("https", "a.io", "") })]
    #[case::query("https://a.io?foo=bar", GoUrl { has_query: true, ..url("https", "a.io", "") })]
    #[case::empty_query("https://a.io?", url("https", "a.io", ""))]
    #[case::fragment("https://a.io#f", GoUrl { has_fragment: true, ..url("https", "a.io", "") })]
    #[case::empty_fragment("https://a.io#", url("https", "a.io", ""))]
    #[case::brackets("http://[::1]:5000", url("http", "[::1]:5000", ""))]
    #[case::opaque("mirror-host.io:8443", url("mirror-host.io", "", ""))]
    #[case::path("example.com", url("", "", "example.com"))]
    #[case::number("10.10.10.10", url("", "", "10.10.10.10"))]
    #[case::no_scheme("//a.io/b", url("", "a.io", "/b"))]
    #[case::three_slashes("///a.io", url("", "", "///a.io"))]
    #[case::empty("", url("", "", ""))]
    fn a_url_is_taken_apart_as_go_does(#[case] text: &str, #[case] expected: GoUrl) {
        assert_eq!(GoUrl::parse(text).unwrap(), expected);
    }

    #[rstest]
    #[case("http://a\n.io", "net/url: invalid control character in URL")]
    #[case("://a.io", "missing protocol scheme")]
    #[case("10.10.10.10:80", "first path segment in URL cannot contain colon")]
    #[case("http://a.io:b", r#"invalid port ":b" after host"#)]
    #[case("http://a:1:2", r#"invalid port ":1:2" after host"#)]
    #[case("http://a b.io", r#"invalid character " " in host name"#)]
    #[case("http://[::1", "missing ']' in host")]
    #[case("http://a[::1]", "invalid IP-literal")]
    #[case("http://a%zz b", r#"invalid URL escape "%zz""#)]
    #[case("http://a b%zz", r#"invalid character " " in host name"#)]
    #[case("http://a%2Fb.io", r#"invalid URL escape "%2F""#)]
    #[case("http://a.io/%zz", r#"invalid URL escape "%zz""#)]
    #[case("http://a.io/%+1", r#"invalid URL escape "%+1""#)]
    #[case("http://a.io/%2", r#"invalid URL escape "%2""#)]
    #[case("http://a.io/#%", r#"invalid URL escape "%""#)]
    #[case("http://a b@a.io", "net/url: invalid userinfo")]
    fn what_go_refuses_is_refused_in_its_words(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(GoUrl::parse(text).unwrap_err().reason.to_string(), expected);
    }

    #[rstest]
    #[case("http://a b#c", r#"parse "http://a b": invalid character " " in host name"#)]
    #[case("http://a#%", r#"parse "http://a#%": invalid URL escape "%""#)]
    fn what_was_read_is_shown(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(GoUrl::parse(text).unwrap_err().to_string(), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in "(https?://)?[a-z:@/?#%.\\[\\]\u{e4}0-9]{0,12}|.*") {
            let _ = GoUrl::parse(&text);
        }
    }
}
