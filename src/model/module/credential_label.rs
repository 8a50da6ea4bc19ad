//! The label `oci-registry-cred` of a layer: which Secrets Lifecycle Manager looks for to pull it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::model::json::{Json, Type};
use crate::model::label::{self, LabelError};

/// The name of the label. It has no prefix, other than the label that a Secret has by convention.
pub const LABEL: &str = "oci-registry-cred";

/// The labels that a Secret must have to be used: all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Selector(BTreeMap<String, String>);

/// What a resource says about its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLabel {
    /// Nothing.
    Absent,
    /// Something that selects no Secret, or every one.
    Malformed(Malformed),
    /// These.
    Selects(Selector),
}

/// Why a label's value is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error)]
pub enum Malformed {
    /// The resource's labels are no list, so that none can be read and none added.
    #[error("its labels are {}, not a list of names and values", .0.with_article())]
    NotAList(Type),
    /// No value at all.
    #[error("it has no value")]
    NoValue,
    /// `{}` or `null`.
    #[error("its value is {0}, which selects every Secret")]
    SelectsEverything(&'static str),
    /// No object.
    #[error("its value is {}, not an object of label keys and values", .0.with_article())]
    NotAnObject(Type),
    /// The selector as kubectl takes it, or as JSON in quotes.
    #[error("its value is a string, not an object: write {}", serde_json::to_string(.0).unwrap_or_default())]
    AsText(Selector),
    /// `{"a": 1}`
    #[error("the value of {key:?} is {}, not a string{}", .is.with_article(), hint(*.is))]
    NotAString {
        /// The key.
        key: String,
        /// What it is instead.
        is: Type,
    },
    /// A label that no Secret can have.
    #[error("no Secret can have the label {key:?}: {error}")]
    NoLabel {
        /// The key.
        key: String,
        /// Why.
        error: LabelError,
    },
}

/// How what YAML made of an unquoted value becomes a string.
fn hint(is: Type) -> &'static str {
    match is {
        Type::Number | Type::Boolean => " (put it in quotes)",
        Type::Null => " (write a value)",
        Type::String | Type::List | Type::Object => "",
    }
}

impl CredentialLabel {
    /// The Secrets that it selects, if it does.
    pub fn selector(&self) -> Option<&Selector> {
        match self {
            Self::Selects(selector) => Some(selector),
            Self::Absent | Self::Malformed(_) => None,
        }
    }

    /// Reads the labels of a resource; the first of that name counts.
    pub fn of(labels: Option<Json<'_>>) -> Self {
        match labels.map(Json::json_type) {
            None | Some(Type::Null | Type::List) => {}
            Some(other) => return Self::Malformed(Malformed::NotAList(other)),
        }
        let labels = labels.map(Json::items).unwrap_or_default();
        let mut named = labels.into_iter().map(Json::fields);
        let label =
            named.find(|label| label.get("name").and_then(Json::text).is_some_and(|name| &*name == LABEL));
        match label {
            None => Self::Absent,
            Some(label) => match label.get("value").ok_or(Malformed::NoValue).and_then(Selector::read) {
                Ok(selector) => Self::Selects(selector),
                Err(malformed) => Self::Malformed(malformed),
            },
        }
    }
}

impl Selector {
    /// Reads a label's value.
    ///
    /// Lifecycle Manager takes `{"a": null}` for `a=""`; here it is refused, because it is what YAML makes of a value that
    /// was forgotten.
    ///
    /// # Errors
    /// When the value selects no Secret, or every one.
    pub fn read(value: Json<'_>) -> Result<Self, Malformed> {
        match value.json_type() {
            Type::Object => {}
            Type::Null => return Err(Malformed::SelectsEverything("null")),
            Type::String => return Err(Self::mistaken_for_text(value)),
            other => return Err(Malformed::NotAnObject(other)),
        }
        let fields = value.fields();
        if fields.is_empty() {
            return Err(Malformed::SelectsEverything("{}"));
        }
        let mut labels = BTreeMap::new();
        for (key, value) in fields.iter() {
            let Some(text) = value.text() else {
                return Err(Malformed::NotAString { key: key.to_string(), is: value.json_type() });
            };
            labels.insert(key.to_string(), text.to_string());
        }
        Self::new(labels)
    }

    fn mistaken_for_text(value: Json<'_>) -> Malformed {
        let text = value.text();
        let text = text.as_deref().unwrap_or_default();
        let as_json = || Self::new(serde_json::from_str(text).ok()?).ok();
        text.parse().ok().or_else(as_json).map_or(Malformed::NotAnObject(Type::String), Malformed::AsText)
    }

    /// A selector of labels, at least one.
    ///
    /// # Errors
    /// When there is none, or one that no Secret can have.
    pub fn new(labels: BTreeMap<String, String>) -> Result<Self, Malformed> {
        if labels.is_empty() {
            return Err(Malformed::SelectsEverything("{}"));
        }
        for (key, value) in &labels {
            label::check(key, value).map_err(|error| Malformed::NoLabel { key: key.clone(), error })?;
        }
        Ok(Self(labels))
    }

    /// Whether an object with these labels is selected.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// The labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// As kubectl takes it: `a=b,c=d`.
impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (key, value)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(formatter, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::RawValue;

    use super::*;

    fn of(labels: &str) -> CredentialLabel {
        let raw: &RawValue = serde_json::from_str(labels).unwrap();
        CredentialLabel::of(Some(raw.into()))
    }

    fn with_value(value: &str) -> CredentialLabel {
        of(&format!(
            r#"[{{"name": "other", "value": 1}}, {{"name": "oci-registry-cred", "value": {value}}}]"#
        ))
    }

    #[rstest]
    #[case::one(
        r#"{"operator.kyma-project.io/oci-registry-cred": "ghcr"}"#,
        "operator.kyma-project.io/oci-registry-cred=ghcr"
    )]
    #[case::two(r#"{"c": "d", "a": "b"}"#, "a=b,c=d")]
    #[case::of_a_repeated_key_the_last(r#"{"a": "b", "a": "c"}"#, "a=c")]
    #[case::an_empty_value(r#"{"a": ""}"#, "a=")]
    fn a_value_that_lifecycle_manager_understands_selects(#[case] value: &str, #[case] expected: &str) {
        let CredentialLabel::Selects(selector) = with_value(value) else { panic!("{value}") };
        assert_eq!(selector.to_string(), expected);
    }

    #[rstest]
    #[case::empty("{}", "its value is {}, which selects every Secret")]
    #[case::null("null", "its value is null, which selects every Secret")]
    #[case::empty_text(r#""""#, "its value is a string, not an object of label keys and values")]
    #[case::selector_as_text(
        r#""c=d,a=b""#,
        r#"its value is a string, not an object: write {"a":"b","c":"d"}"#
    )]
    #[case::json_as_text(r#""{\"a\": \"b\"}""#, r#"its value is a string, not an object: write {"a":"b"}"#)]
    #[case::any_text(r#""ghcr""#, "its value is a string, not an object of label keys and values")]
    #[case::empty_json_as_text(r#""{}""#, "its value is a string, not an object of label keys and values")]
    #[case::number("1", "its value is a number, not an object of label keys and values")]
    #[case::boolean("true", "its value is a boolean, not an object of label keys and values")]
    #[case::empty_list("[]", "its value is a list, not an object of label keys and values")]
    #[case::list(r#"[{"a": "b"}]"#, "its value is a list, not an object of label keys and values")]
    #[case::number_within(r#"{"a": 1}"#, r#"the value of "a" is a number, not a string (put it in quotes)"#)]
    #[case::boolean_within(
        r#"{"a": true}"#,
        r#"the value of "a" is a boolean, not a string (put it in quotes)"#
    )]
    #[case::null_within(r#"{"a": null}"#, r#"the value of "a" is null, not a string (write a value)"#)]
    #[case::object_within(r#"{"a": {"b": "c"}}"#, r#"the value of "a" is an object, not a string"#)]
    #[case::match_labels(
        r#"{"matchLabels": {"a": "b"}}"#,
        r#"the value of "matchLabels" is an object, not a string"#
    )]
    fn any_other_value_is_malformed(#[case] value: &str, #[case] expected: &str) {
        let CredentialLabel::Malformed(malformed) = with_value(value) else { panic!("{value}") };
        assert_eq!(malformed.to_string(), expected);
    }

    #[rstest]
    #[case(r#"{"Bad Key!": "b"}"#, LabelError::Key)]
    #[case(r#"{"": "b"}"#, LabelError::Key)]
    #[case(r#"{"a": "b c"}"#, LabelError::Value)]
    fn a_label_that_no_secret_can_have_is_malformed(#[case] value: &str, #[case] expected: LabelError) {
        assert!(
            matches!(with_value(value), CredentialLabel::Malformed(Malformed::NoLabel { error, .. }) if error == expected)
        );
    }

    #[rstest]
    #[case::an_object(r#"{"oci-registry-cred": {"a": "b"}}"#, Type::Object)]
    #[case::text(r#""oci-registry-cred""#, Type::String)]
    fn labels_that_are_no_list_are_malformed_for_nothing_can_be_added_to_them(
        #[case] labels: &str,
        #[case] expected: Type,
    ) {
        assert_eq!(of(labels), CredentialLabel::Malformed(Malformed::NotAList(expected)));
    }

    #[test]
    fn an_entry_without_a_value_is_malformed() {
        assert_eq!(of(r#"[{"name": "oci-registry-cred"}]"#), CredentialLabel::Malformed(Malformed::NoValue));
    }

    #[test]
    fn the_first_entry_of_the_name_counts_and_other_fields_of_it_do_not() {
        let labels = r#"[
            {"name": "oci-registry-cred", "version": "v1", "signing": true, "value": {"a": "b"}},
            {"name": "oci-registry-cred", "value": {}}
        ]"#;
        let CredentialLabel::Selects(selector) = of(labels) else { panic!() };
        assert_eq!(selector.to_string(), "a=b");
    }

    #[rstest]
    #[case("[]")]
    #[case("null")]
    #[case(r#"["oci-registry-cred", 1, null]"#)]
    #[case(r#"[{"name": "operator.kyma-project.io/oci-registry-cred", "value": {"a": "b"}}]"#)]
    fn labels_without_an_entry_of_the_name_say_nothing(#[case] labels: &str) {
        assert_eq!(of(labels), CredentialLabel::Absent);
        assert_eq!(CredentialLabel::of(None), CredentialLabel::Absent);
    }

    #[test]
    fn a_secret_is_selected_by_all_labels_together() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let selector = Selector::new(labels(&[("a", "b"), ("c", "")])).unwrap();
        assert!(selector.selects(&labels(&[("a", "b"), ("c", ""), ("d", "e")])));
        assert!(!selector.selects(&labels(&[("a", "b")])));
        assert!(!selector.selects(&labels(&[("a", "x"), ("c", "")])));
    }
}
