//! A selector as people write it on a command line: `KEY=VALUE,KEY=VALUE`.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

use super::credential_label::{Malformed, Selector};

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorTextError {
    /// A part that is no pair; set-based selectors have no form in the label.
    #[error(
        "{0:?} is no KEY=VALUE: write the labels that the Secret has, such as operator.kyma-project.io/oci-registry-cred=NAME"
    )]
    NoPair(String),
    /// Which of both values is meant cannot be told.
    #[error("the key {0:?} stands twice: a Secret has one value for it")]
    Twice(String),
    /// A label that no Secret can have.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl FromStr for Selector {
    type Err = SelectorTextError;

    fn from_str(text: &str) -> Result<Self, SelectorTextError> {
        let mut labels = BTreeMap::new();
        for pair in text.split(',') {
            let no_pair = || SelectorTextError::NoPair(pair.to_owned());
            let (key, value) = pair.split_once('=').ok_or_else(no_pair)?;
            // `!=` and `==` are operators of other selectors.
            if key.ends_with('!') || value.starts_with('=') {
                return Err(no_pair());
            }
            if labels.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(SelectorTextError::Twice(key.to_owned()));
            }
        }
        Ok(Self::new(labels)?)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a=b")]
    #[case("a=b,c=d")]
    #[case("a=")]
    #[case("operator.kyma-project.io/oci-registry-cred=ghcr")]
    fn what_is_written_is_what_is_shown(#[case] text: &str) {
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case::nothing("", "\"\" is no KEY=VALUE")]
    #[case::a_key_alone("a", "\"a\" is no KEY=VALUE")]
    #[case::unequal("a!=b", "\"a!=b\" is no KEY=VALUE")]
    #[case::doubly_equal("a==b", "\"a==b\" is no KEY=VALUE")]
    #[case::of_a_set("a in (b)", "\"a in (b)\" is no KEY=VALUE")]
    #[case::trailing_comma("a=b,", "\"\" is no KEY=VALUE")]
    #[case::twice("a=b,a=c", "the key \"a\" stands twice")]
    #[case::no_key("=b", "no Secret can have the label \"\"")]
    #[case::no_value_of_a_label("a=b c", "no Secret can have the label \"a\": a label value")]
    fn anything_else_is_refused_with_what_is_meant(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<Selector>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
