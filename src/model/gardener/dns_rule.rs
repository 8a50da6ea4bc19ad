//! What upstream says of a name that is none of the DNS (`k8s.io/apimachinery/pkg/util/validation`).

use crate::model::dns_name::{
    LONGEST_LABEL, LONGEST_SUBDOMAIN, is_label_of_any_length, is_of_labels, is_subdomain,
};

const NO_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const NO_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// `IsDNS1123Subdomain`: what is wrong with a name.
pub(super) fn subdomain_faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > LONGEST_SUBDOMAIN {
        faults.push(too_long(LONGEST_SUBDOMAIN));
    }
    if !is_of_labels(name) {
        faults.push(NO_SUBDOMAIN.to_owned());
    }
    faults
}

/// `IsDNS1123Label`: what is wrong with a name.
pub(super) fn label_faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > LONGEST_LABEL {
        faults.push(too_long(LONGEST_LABEL));
    }
    if !is_label_of_any_length(name) {
        faults.push(if is_of_labels(name) { "must not contain dots" } else { NO_LABEL }.to_owned());
    }
    faults
}

/// Whether a name of a configuration is short and plain enough to be shown to people.
pub(super) fn is_presentable(name: &str) -> bool {
    is_subdomain(name)
}

fn too_long(most: usize) -> String {
    format!("must be no more than {most} characters")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("docker.io", &[])]
    #[case::one_label("localhost", &[])]
    #[case::longest(&"n".repeat(253), &[])]
    #[case::too_long(&"n".repeat(254), &["must be no more than 253 characters"])]
    #[case::empty("", &[NO_SUBDOMAIN])]
    #[case::upper_case("Docker.io", &[NO_SUBDOMAIN])]
    #[case::slash("invalid/name", &[NO_SUBDOMAIN])]
    #[case::both(&"N".repeat(254), &["must be no more than 253 characters", NO_SUBDOMAIN])]
    fn a_subdomain_is_judged_in_the_words_of_the_api_server(#[case] name: &str, #[case] expected: &[&str]) {
        assert_eq!(subdomain_faults(name), expected);
    }

    #[rstest]
    #[case::plain("cache-1", &[])]
    #[case::longest(&"n".repeat(63), &[])]
    #[case::too_long(&"n".repeat(64), &["must be no more than 63 characters"])]
    #[case::dots("foo.io", &["must not contain dots"])]
    #[case::empty("", &[NO_LABEL])]
    #[case::underscore("foo_io", &[NO_LABEL])]
    fn a_label_is_judged_in_the_words_of_the_api_server(#[case] name: &str, #[case] expected: &[&str]) {
        assert_eq!(label_faults(name), expected);
    }
}
