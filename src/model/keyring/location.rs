//! Where a credential or an image lives: a host pattern, a port and a path.
//!
//! The kubelet reads both with Go's `net/url`, so its reading is restated here as far as it decides a match:
//! which texts it refuses, what it unescapes, and where host, port and path part. Bytes, not characters,
//! because unescaping can make what is no UTF-8.

use std::net::{IpAddr, Ipv6Addr};

/// A parsed `https://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Host and port as they stand in the URL.
    authority: Vec<u8>,
    /// The path with its leading slash, unescaped; empty when there is none.
    path: Vec<u8>,
}

impl Location {
    /// What `url.Parse` makes of a URL whose scheme and `://` have been cut off; `None` where it refuses.
    pub(super) fn parse(url: &[u8]) -> Option<Self> {
        let (url, fragment) = split_at_first(url, b'#');
        if url.iter().any(u8::is_ascii_control) {
            return None;
        }
        unescape(fragment, |_| true)?;
        let (hierarchy, _query) = split_at_first(url, b'?');
        let path_start = hierarchy.iter().position(|&byte| byte == b'/').unwrap_or(hierarchy.len());
        let (authority, path) = hierarchy.split_at(path_start);
        Some(Self { authority: parse_authority(authority)?, path: unescape(path, |_| true)? })
    }

    /// Host and path joined, the form in which the kubelet keeps its keys.
    pub(super) fn joined_with(&self, path: &[u8]) -> Vec<u8> {
        [self.authority.as_slice(), path].concat()
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// `net.SplitHostPort`, and the whole authority as host where that fails.
    pub(super) fn host_and_port(&self) -> (&[u8], &[u8]) {
        let authority = self.authority.as_slice();
        let Some(colon) = authority.iter().rposition(|&byte| byte == b':') else {
            return (authority, b"");
        };
        let (host, port) = authority.split_at(colon);
        let port = port.get(1..).unwrap_or_default();
        match host.strip_prefix(b"[") {
            Some(literal) => match literal.strip_suffix(b"]") {
                Some(address) => (address, port),
                None => (authority, b""),
            },
            None if host.iter().any(|byte| b":[]".contains(byte)) => (authority, b""),
            None => (host, port),
        }
    }
}

fn split_at_first(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == separator) {
        Some(at) => {
            let (before, after) = text.split_at(at);
            (before, after.get(1..).unwrap_or_default())
        }
        None => (text, b""),
    }
}

/// `parseAuthority`: user information is checked and dropped.
fn parse_authority(authority: &[u8]) -> Option<Vec<u8>> {
    let Some(at) = authority.iter().rposition(|&byte| byte == b'@') else {
        return parse_host(authority);
    };
    let (user, host) = authority.split_at(at);
    let host = parse_host(host.get(1..).unwrap_or_default())?;
    user.iter()
        .all(|&byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte))
        .then_some(())?;
    unescape(user, |_| true)?;
    Some(host)
}

/// `parseHost`: a bracketed IPv6 address or a name, with an optional port of digits.
fn parse_host(host: &[u8]) -> Option<Vec<u8>> {
    match host.iter().rposition(|&byte| byte == b'[') {
        Some(0) => parse_ip_literal(host),
        Some(_) => None,
        None => {
            if let Some(colon) = host.iter().position(|&byte| byte == b':') {
                is_port(host.get(colon + 1..)?).then_some(())?;
            }
            unescape_host(host)
        }
    }
}

fn parse_ip_literal(host: &[u8]) -> Option<Vec<u8>> {
    let close = host.iter().rposition(|&byte| byte == b']')?;
    let (literal, port) = host.split_at(close);
    let port = port.get(1..)?;
    match port.split_first() {
        None => {}
        Some((b':', digits)) if is_port(digits) => {}
        Some(_) => return None,
    }
    let literal = literal.get(1..)?;
    let zone_start = literal.windows(3).position(|window| window == b"%25").unwrap_or(literal.len());
    let (address, zone) = literal.split_at(zone_start);
    let mut unescaped = unescape_host(address)?;
    unescaped.extend(unescape_zone(zone)?);
    is_ipv6(&unescaped).then_some(())?;
    Some([b"[", unescaped.as_slice(), b"]", port].concat())
}

/// `netip.ParseAddr`, IPv6 only; a zone may be anything that is not empty.
fn is_ipv6(address: &[u8]) -> bool {
    let Ok(address) = std::str::from_utf8(address) else {
        return false;
    };
    match address.split_once('%') {
        Some((address, zone)) => !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok(),
        None => matches!(address.parse(), Ok(IpAddr::V6(_))),
    }
}

fn is_port(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
}

/// Only bytes outside ASCII, and the percent sign itself, may be escaped in a host.
fn unescape_host(host: &[u8]) -> Option<Vec<u8>> {
    host.iter().all(|&byte| byte == b'%' || is_host_byte(byte)).then_some(())?;
    unescape(host, |byte| byte >= 0x80 || byte == b'%')
}

fn unescape_zone(zone: &[u8]) -> Option<Vec<u8>> {
    zone.iter().all(|&byte| byte == b'%' || is_host_byte(byte)).then_some(())?;
    unescape(zone, |byte| byte == b'%' || byte == b' ' || (byte < 0x80 && is_host_byte(byte)))
}

/// What `shouldEscape` lets stand in a host.
fn is_host_byte(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// Replaces `%XX`; `None` when one is malformed or stands for a byte that may not be escaped there.
fn unescape(text: &[u8], may_be_escaped: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    let mut unescaped = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            unescaped.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|&byte| may_be_escaped(byte))?;
        unescaped.push(byte);
        rest = after;
    }
    Some(unescaped)
}
