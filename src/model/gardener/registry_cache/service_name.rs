//! What the Services of caches are called (`pkg/utils/registry`: `ComputeServiceName`).

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

const PREFIX: &str = "registry-";
/// The longest part that is made of an upstream, so that the name of a `StatefulSet` has at most 52 characters.
const LONGEST: usize = 43;
/// How many digits of its digest tell one long upstream from another.
const DIGITS: usize = 5;

/// The name of a cache's Service.
pub(super) fn service_name(upstream: &str, suffix: Option<&str>) -> String {
    if let Some(suffix) = suffix {
        return format!("{PREFIX}{suffix}");
    }
    let label = if upstream.len() > LONGEST {
        let start: String = upstream.chars().take(LONGEST - DIGITS - 1).collect();
        format!("{start}-{}", first_digits(upstream))
    } else {
        upstream.to_owned()
    };
    format!("{PREFIX}{}", label.replace([':', '.'], "-"))
}

fn first_digits(upstream: &str) -> String {
    let mut digits = String::new();
    for byte in digest(&SHA256, upstream.as_bytes()).as_ref().iter().take(DIGITS.div_ceil(2)) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("docker.io", None, "registry-docker-io")]
    #[case("my-registry.io:5000", None, "registry-my-registry-io-5000")]
    #[case(
        "myproj-releases.common.repositories.cloud.com",
        None,
        "registry-myproj-releases-common-repositories-c-3f834"
    )]
    #[case("docker.io", Some("static-name"), "registry-static-name")]
    fn a_service_is_called_after_its_upstream_or_its_suffix(
        #[case] upstream: &str,
        #[case] suffix: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(service_name(upstream, suffix), expected);
    }
}
