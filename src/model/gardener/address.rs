//! Rules about upstreams and URLs of registries (`pkg/apis/registry/validation`: `ValidateUpstream`, `ValidateURL`).

use std::borrow::Cow;

use super::dns_rule::subdomain_faults;
use super::field_error::{FieldError, FieldPath};
use super::go_url::GoUrl;

/// Whether a URL may have a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paths {
    /// None but `/`.
    Refused,
    /// Any without `.` and `..`.
    Allowed,
}

/// What is wrong with an upstream: a name of the DNS, and a port or none. It is shown as a URL is.
pub(super) fn upstream_errors(path: &FieldPath, upstream: &str) -> Vec<FieldError> {
    let shown = without_password(upstream);
    host_faults(upstream).iter().map(|fault| FieldError::invalid(path.clone(), &shown, fault)).collect()
}

/// Whether an upstream has nothing wrong, so that it can be shown to people as it is.
pub(super) fn is_upstream(upstream: &str) -> bool {
    host_faults(upstream).is_empty()
}

/// What is wrong with a URL: `http://` or `https://`, a host, a port or none, and a path where that may be.
///
/// A URL with a user can hold a password. Upstream shows it; here it is shown as Go shows a redacted one.
pub(super) fn url_errors(path: &FieldPath, url: &str, paths: Paths) -> Vec<FieldError> {
    let shown = without_password(url);
    url_faults(url, paths).iter().map(|fault| FieldError::invalid(path.clone(), &shown, fault)).collect()
}

/// Whether a URL of a registry that may have a path has nothing wrong, so that it can be shown to people as it is.
pub(super) fn is_url(url: &str) -> bool {
    url_faults(url, Paths::Allowed).is_empty()
}

fn url_faults(text: &str, paths: Paths) -> Vec<String> {
    const USER: &str = "url must not contain user info";
    let url = match GoUrl::parse(text) {
        Ok(url) => url,
        // The reason would quote a part of the password.
        Err(_) if without_password(text) != text => return vec![USER.to_owned()],
        Err(reason) => return vec![format!("failed to parse url: {reason}")],
    };
    if url.scheme != "http" && url.scheme != "https" {
        return vec!["url must start with 'http://' or 'https://' scheme".to_owned()];
    }
    let mut faults = host_faults(&url.host);
    let has_segment = |unwanted: &str| url.path.split('/').any(|segment| segment == unwanted);
    let rules = [
        (paths == Paths::Refused && !matches!(&*url.path, "" | "/"), "url must not contain a path"),
        (paths == Paths::Allowed && has_segment(".."), "url path must not contain '..'"),
        (paths == Paths::Allowed && has_segment("."), "url path must not contain '.'"),
        (url.has_user, USER),
        (url.has_query, "url must not contain query parameters"),
        (url.has_fragment, "url must not contain a fragment"),
    ];
    faults.extend(rules.iter().filter(|(is_broken, _)| *is_broken).map(|(_, fault)| (*fault).to_owned()));
    faults
}

/// `validateHostPort`
fn host_faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut host = text;
    if let Some((before, port)) = text.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        host = before;
        if port.starts_with('0') || port.parse::<u16>().is_err() {
            faults.push(format!("port '{port}' is not valid, valid port must be in the range [1, 65535]"));
        }
    }
    faults.extend(subdomain_faults(host));
    faults
}

/// A URL without what may be a password in it, wherever Go would see the end of the host.
pub(super) fn without_password(url: &str) -> Cow<'_, str> {
    let start = url.find("://").map_or(0, |colon| colon + 3);
    let user = url.get(start..).and_then(|rest| rest.rsplit_once('@')).map(|(user, _)| user);
    match user.and_then(|user| user.split_once(':')) {
        Some((name, password)) => {
            let password_at = start + name.len() + 1;
            let (before, rest) = url.split_at(password_at);
            let (_, after) = rest.split_at(password.len());
            Cow::Owned(format!("{before}xxxxx{after}"))
        }
        None => Cow::Borrowed(url),
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
