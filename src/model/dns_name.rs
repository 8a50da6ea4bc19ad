//! The names that the API server takes from the DNS (`k8s.io/apimachinery/pkg/util/validation`).

/// The longest subdomain, in bytes (`DNS1123SubdomainMaxLength`).
pub(super) const LONGEST_SUBDOMAIN: usize = 253;
/// The longest label, in bytes (`DNS1123LabelMaxLength`).
pub(super) const LONGEST_LABEL: usize = 63;

/// `IsDNS1123Subdomain`, which the names of most objects must be.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= LONGEST_SUBDOMAIN && is_of_labels(text)
}

/// `IsDNS1123Label`, which the names of namespaces must be.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= LONGEST_LABEL && is_label_of_any_length(text)
}

/// Whether it is made of labels and dots, however long.
pub(super) fn is_of_labels(text: &str) -> bool {
    text.split('.').all(is_label_of_any_length)
}

/// Whether it is a label but for its length.
pub(super) fn is_label_of_any_length(text: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let text = text.as_bytes();
    text.first().is_some_and(is_end)
        && text.last().is_some_and(is_end)
        && text.iter().all(|byte| is_end(byte) || *byte == b'-')
}
