//! Errors of a field, in the words of the API server (`k8s.io/apimachinery/pkg/util/validation/field`).

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use super::go_quote::quote;

/// The path of a field, such as `spec.extensions[0].providerConfig`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(String);

impl FieldPath {
    /// The path of a field that is in no other.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A field of it.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    /// A field that lies deeper in it.
    #[must_use]
    pub fn descendant(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |path, name| path.child(name))
    }

    /// An item of it, by its place in the list.
    #[must_use]
    pub fn index(&self, place: usize) -> Self {
        Self(format!("{}[{place}]", self.0))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is wrong with a field, as upstream prints it. Two are equal that stand at the same place and say the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
#[error("{path}: {body}")]
pub struct FieldError {
    path: FieldPath,
    body: String,
}

impl FieldError {
    /// `Required value`
    pub fn required(path: FieldPath, detail: &str) -> Self {
        Self { path, body: format!("Required value: {detail}") }
    }

    /// `Invalid value` of a text.
    pub fn invalid(path: FieldPath, value: &str, detail: &str) -> Self {
        Self { path, body: format!("Invalid value: {}: {detail}", quote(value)) }
    }

    /// `Invalid value` of what is no plain text, shown as JSON.
    pub fn invalid_json(path: FieldPath, value: &serde_json::Value, detail: &str) -> Self {
        Self { path, body: format!("Invalid value: {value}: {detail}") }
    }

    /// `Duplicate value`
    pub fn duplicate(path: FieldPath, value: &str) -> Self {
        Self { path, body: format!("Duplicate value: {}", quote(value)) }
    }

    /// `Unsupported value`, with those that there are, in order.
    pub fn unsupported(path: FieldPath, value: &str, supported: &[&str]) -> Self {
        let supported = supported.iter().map(|value| quote(value)).collect::<Vec<_>>().join(", ");
        Self { path, body: format!("Unsupported value: {}: supported values: {supported}", quote(value)) }
    }

    /// `Too long`, with the most bytes that there may be.
    pub fn too_long(path: FieldPath, most: usize) -> Self {
        Self { path, body: format!("Too long: may not be more than {most} bytes") }
    }

    /// The field.
    pub fn path(&self) -> &FieldPath {
        &self.path
    }
}

/// Errors as one text, as upstream joins them: one alone as it is, several in brackets, none twice. `None` without any.
pub fn joined(errors: &[FieldError]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let texts: Vec<String> =
        errors.iter().filter(|error| seen.insert(*error)).map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => None,
        [text] => Some(text.clone()),
        texts => Some(format!("[{}]", texts.join(", "))),
    }
}

/// Errors, parted by whether the object had them before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parted {
    /// Those that are new.
    pub new: Vec<FieldError>,
    /// Those that the object had, so that whoever changes something else need not mend them first.
    pub had: Vec<FieldError>,
}

impl Parted {
    /// Parts the errors of an object by those of the object before.
    ///
    /// An error is the same that has the same path and the same text: of a list in which items moved, or of a value that is
    /// wrong in another way, it is new. The object before is to be judged under the path that the object has now.
    pub fn by(errors: Vec<FieldError>, before: &[FieldError]) -> Self {
        let before: BTreeSet<&FieldError> = before.iter().collect();
        let (had, new) = errors.into_iter().partition(|error| before.contains(error));
        Self { new, had }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn path() -> FieldPath {
        FieldPath::new("spec").child("extensions").index(0).child("providerConfig")
    }

    #[rstest]
    #[case(FieldError::required(path(), "it is needed"), "Required value: it is needed")]
    #[case(FieldError::invalid(path(), "a\"\n", "no"), r#"Invalid value: "a\"\n": no"#)]
    #[case(FieldError::invalid_json(path(), &json!(null), "no"), "Invalid value: null: no")]
    #[case(FieldError::invalid_json(path(), &json!({"TTL": "1h"}), "no"), r#"Invalid value: {"TTL":"1h"}: no"#)]
    #[case(FieldError::duplicate(path(), "a"), r#"Duplicate value: "a""#)]
    #[case(
        FieldError::unsupported(path(), "foo", &["pull", "resolve"]),
        r#"Unsupported value: "foo": supported values: "pull", "resolve""#
    )]
    #[case(FieldError::too_long(path(), 54), "Too long: may not be more than 54 bytes")]
    fn an_error_reads_as_upstream_prints_it(#[case] error: FieldError, #[case] expected: &str) {
        assert_eq!(error.to_string(), format!("spec.extensions[0].providerConfig: {expected}"));
    }

    #[test]
    fn one_error_stands_alone_and_several_in_brackets_and_none_twice() {
        let (a, b) = (FieldError::duplicate(path(), "a"), FieldError::duplicate(path(), "b"));
        assert_eq!(joined(&[]), None);
        assert_eq!(joined(&[a.clone(), a.clone()]).unwrap(), a.to_string());
        assert_eq!(joined(&[a.clone(), b.clone(), a.clone()]).unwrap(), format!("[{a}, {b}]"));
    }

    #[test]
    fn an_error_was_there_before_if_path_and_text_are_the_same() {
        let same = FieldError::duplicate(path(), "a");
        let moved = FieldError::duplicate(path().index(1), "a");
        let other = FieldError::duplicate(path(), "b");
        let parted =
            Parted::by(vec![same.clone(), moved.clone(), other.clone()], std::slice::from_ref(&same));
        assert_eq!(parted, Parted { new: vec![moved, other], had: vec![same] });
    }
}
