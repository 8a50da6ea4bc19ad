//! Which labels an object may have (`k8s.io/apimachinery/pkg/util/validation`: `IsQualifiedName`, `IsValidLabelValue`).

use thiserror::Error;

use super::dns_name;

/// The longest name of a key, and the longest value, in bytes.
const LONGEST_NAME: usize = 63;

/// Why a label cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum LabelError {
    /// The key.
    #[error(
        "a label key is a name of at most {LONGEST_NAME} letters, digits, '-', '_' and '.', that begins and ends with a \
         letter or digit, after an optional DNS name and '/'"
    )]
    Key,
    /// The value.
    #[error(
        "a label value has at most {LONGEST_NAME} letters, digits, '-', '_' and '.', and begins and ends with a letter or \
         digit"
    )]
    Value,
}

/// Whether an object could have this label.
///
/// # Errors
/// When no object can.
pub fn check(key: &str, value: &str) -> Result<(), LabelError> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if !is_name(name) || !prefix.is_none_or(dns_name::is_subdomain) {
        Err(LabelError::Key)
    } else if !value.is_empty() && !is_name(value) {
        Err(LabelError::Value)
    } else {
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= LONGEST_NAME
        && ends(text.bytes().next())
        && ends(text.bytes().next_back())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", "b", Ok(()))]
    #[case("a", "", Ok(()))]
    #[case("A-b_c.9", "X-y_z.0", Ok(()))]
    #[case("operator.kyma-project.io/oci-registry-cred", "operator-regcred", Ok(()))]
    #[case(&"a".repeat(63), &"b".repeat(63), Ok(()))]
    #[case("", "b", Err(LabelError::Key))]
    #[case("Bad Key!", "b", Err(LabelError::Key))]
    #[case("-a", "b", Err(LabelError::Key))]
    #[case("a.", "b", Err(LabelError::Key))]
    #[case("/a", "b", Err(LabelError::Key))]
    #[case("a/", "b", Err(LabelError::Key))]
    #[case("a/b/c", "b", Err(LabelError::Key))]
    #[case("A.io/a", "b", Err(LabelError::Key))]
    #[case("a..io/a", "b", Err(LabelError::Key))]
    #[case("a_b.io/a", "b", Err(LabelError::Key))]
    #[case(&"a".repeat(64), "b", Err(LabelError::Key))]
    #[case(&format!("{}/a", "a".repeat(254)), "b", Err(LabelError::Key))]
    #[case("a", "b c", Err(LabelError::Value))]
    #[case("a", "-b", Err(LabelError::Value))]
    #[case("a", "b.", Err(LabelError::Value))]
    #[case("a", "\u{e4}", Err(LabelError::Value))]
    #[case("a", &"b".repeat(64), Err(LabelError::Value))]
    fn a_label_is_judged_as_the_api_server_does(
        #[case] key: &str,
        #[case] value: &str,
        #[case] expected: Result<(), LabelError>,
    ) {
        assert_eq!(check(key, value), expected);
    }
}
