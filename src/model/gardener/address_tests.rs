use rstest::rstest;

use super::*;
use crate::model::gardener::tests::texts;

fn path() -> FieldPath {
    FieldPath::new("url")
}

/// One error, of a value that is shown as it is.
fn one(value: &str, detail: &str) -> Vec<String> {
    vec![format!("url: Invalid value: \"{value}\": {detail}")]
}

const NO_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

#[rstest]
#[case::a_host("example.com")]
#[case::with_a_port("example.com:5000")]
#[case::with_the_lowest_port("example.com:1")]
#[case::with_the_highest_port("example.com:65535")]
fn an_upstream_is_a_host_and_perhaps_a_port(#[case] upstream: &str) {
    assert_eq!(texts(&upstream_errors(&path(), upstream)), [""; 0]);
    assert!(is_upstream(upstream));
}

#[rstest]
#[case::with_https("https://example.com", NO_SUBDOMAIN)]
#[case::with_http("http://example.com:5000", NO_SUBDOMAIN)]
#[case::with_another_scheme("ftp://example.com:5000", NO_SUBDOMAIN)]
#[case::port_with_a_leading_zero(
    "example.com:0123",
    "port '0123' is not valid, valid port must be in the range [1, 65535]"
)]
#[case::port_zero("example.com:0", "port '0' is not valid, valid port must be in the range [1, 65535]")]
#[case::port_out_of_range(
    "example.com:65536",
    "port '65536' is not valid, valid port must be in the range [1, 65535]"
)]
#[case::very_long(&format!("{}.com", "n".repeat(250)), "must be no more than 253 characters")]
#[case::with_a_query("example.com?foo=bar", NO_SUBDOMAIN)]
#[case::with_a_path("example.com/foo/bar", NO_SUBDOMAIN)]
#[case::no_port_behind_the_colon("example.com:", NO_SUBDOMAIN)]
#[case::line_break_behind_the_port("example.com:80\\n", NO_SUBDOMAIN)]
fn any_other_upstream_is_one_error(#[case] upstream: &str, #[case] detail: &str) {
    let errors = upstream_errors(&path(), &upstream.replace("\\n", "\n"));
    assert_eq!(texts(&errors), one(upstream, detail));
}

#[rstest]
#[case::a_host("https://example.com", Paths::Refused)]
#[case::a_slash("https://example.com/", Paths::Refused)]
#[case::with_a_port("http://example.com:5000", Paths::Refused)]
#[case::upper_case_scheme("HTTPS://example.com", Paths::Refused)]
#[case::with_a_path("https://example.com/foo/bar/", Paths::Allowed)]
#[case::an_address_with_a_path("http://192.168.1.2:5000/v2/quay", Paths::Allowed)]
#[case::a_path_with_dots_in_it("https://example.com/.foo/..bar/a.b", Paths::Allowed)]
fn a_url_is_a_scheme_and_a_host_and_perhaps_a_port_and_a_path(#[case] url: &str, #[case] paths: Paths) {
    assert_eq!(texts(&url_errors(&path(), url, paths)), [""; 0]);
}

#[rstest]
#[case::without_a_scheme("example.com", "url must start with 'http://' or 'https://' scheme")]
#[case::with_another_scheme("ftp://example.com", "url must start with 'http://' or 'https://' scheme")]
#[case::port_out_of_range(
    "https://example.com:80443",
    "port '80443' is not valid, valid port must be in the range [1, 65535]"
)]
#[case::with_a_query("https://example.com?foo=bar", "url must not contain query parameters")]
#[case::with_a_fragment("https://example.com#fragment", "url must not contain a fragment")]
#[case::no_url(
    "https://exa mple.com",
    "failed to parse url: parse \\\"https://exa mple.com\\\": invalid character \\\" \\\" in host name"
)]
#[case::a_host_with_sub_delimiters("http://foo!bar", NO_SUBDOMAIN)]
#[case::an_address_in_brackets("http://[::1]:5000", NO_SUBDOMAIN)]
#[case::nothing("", "url must start with 'http://' or 'https://' scheme")]
#[case::no_host("https://", NO_SUBDOMAIN)]
fn any_other_url_is_one_error_with_or_without_paths(#[case] url: &str, #[case] detail: &str) {
    for paths in [Paths::Refused, Paths::Allowed] {
        let errors = texts(&url_errors(&path(), url, paths));
        assert_eq!(errors, one(url, &detail.replace("\\\"", "\"")));
    }
}

#[test]
fn a_url_that_may_have_no_path_has_none() {
    let url = "https://example.com/myrepository";
    assert_eq!(texts(&url_errors(&path(), url, Paths::Refused)), one(url, "url must not contain a path"));
}

#[rstest]
#[case::within("https://example.com/foo/../bar", "..")]
#[case::at_the_beginning("https://example.com/../../foo/bar", "..")]
#[case::behind_escaped_slashes("https://example.com/..%2F..%2Ffoo%2Fbar", "..")]
#[case::escaped("https://example.com/%2E%2E/foo/bar", "..")]
#[case::half_escaped("https://example.com/foo/.%2E/bar", "..")]
#[case::one_dot_within("https://example.com/foo/./bar", ".")]
#[case::one_dot_at_the_beginning("https://example.com/./foo/bar", ".")]
#[case::one_dot_escaped("https://example.com/%2E/foo/bar", ".")]
fn a_path_leads_nowhere_else(#[case] url: &str, #[case] dots: &str) {
    let errors = texts(&url_errors(&path(), url, Paths::Allowed));
    assert_eq!(errors, one(url, &format!("url path must not contain '{dots}'")));
}

#[rstest]
#[case::of_a_url("https://foo:bar@example.com", "https://foo:xxxxx@example.com")]
#[case::that_is_no_user_information("https://foo:b ar@example.com", "https://foo:xxxxx@example.com")]
#[case::that_ends_the_host_early("https://foo:b/ar@example.com", "https://foo:xxxxx@example.com")]
fn a_password_is_one_error_that_does_not_show_it(#[case] url: &str, #[case] shown: &str) {
    for paths in [Paths::Refused, Paths::Allowed] {
        let errors = texts(&url_errors(&path(), url, paths));
        assert_eq!(errors, one(shown, "url must not contain user info"));
    }
}

#[rstest]
#[case("user:secret@docker.io", "user:xxxxx@docker.io")]
#[case("http://a:b@c:d@e/f", "http://a:xxxxx@e/f")]
#[case("http://a@e/f", "http://a@e/f")]
#[case("docker.io:5000", "docker.io:5000")]
#[case("", "")]
fn what_may_be_a_password_is_shown_nowhere(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(without_password(text), shown);
}
