//! JSON that is read no deeper than a question goes.
//!
//! For objects in which anybody may have written anything: nothing is refused for what stands where nobody looks, however
//! deep it is, and what has another type than expected is simply not there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Text;

/// A value that has been found to be JSON, and not been read.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(&'a RawValue);

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Type {
    /// The word for people, with its article.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'a> Json<'a> {
    /// Its type, which its first character tells.
    pub fn json_type(self) -> Type {
        match self.0.get().bytes().next() {
            Some(b'{') => Type::Object,
            Some(b'[') => Type::List,
            Some(b'"') => Type::String,
            Some(b't' | b'f') => Type::Boolean,
            Some(b'n') | None => Type::Null,
            Some(_) => Type::Number,
        }
    }

    /// The fields of an object, in order; none of what is no object.
    pub fn fields(self) -> Fields<'a> {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }

    /// A field of an object.
    pub fn field(self, name: &str) -> Option<Json<'a>> {
        self.fields().get(name)
    }

    /// What a path of fields leads to.
    pub fn at(self, path: &[&str]) -> Option<Json<'a>> {
        path.iter().try_fold(self, |value, name| value.field(name))
    }

    /// The items of a list; none of what is no list.
    pub fn items(self) -> Vec<Json<'a>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0.get()).unwrap_or_default();
        items.into_iter().map(Json).collect()
    }

    /// The text of a string.
    pub fn text(self) -> Option<Text<'a>> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Whether it is an object of the API server's that is being deleted.
    pub fn is_terminating(self) -> bool {
        let deletion = self.at(&["metadata", "deletionTimestamp"]);
        deletion.is_some_and(|time| time.json_type() != Type::Null)
    }

    /// The JSON as it was written.
    pub fn raw(self) -> &'a str {
        self.0.get()
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(raw)
    }
}

/// The fields of an object.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// A field; of a repeated one the last counts, as in Go.
    pub fn get(&self, name: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|(field, _)| &**field == name).map(|(_, value)| Json(value))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text<'a>, Json<'a>)> {
        self.0.iter().map(|(name, value)| (name, Json(value)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, look: impl FnOnce(Json<'_>)) {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        look(raw.into());
    }

    #[test]
    fn of_a_repeated_field_the_last_counts() {
        read(r#"{"a": 1, "a": "b"}"#, |json| assert_eq!(&*json.field("a").unwrap().text().unwrap(), "b"));
    }

    #[test]
    fn what_has_another_type_is_not_there() {
        read(r#"{"a": [1, "b"], "n": null}"#, |json| {
            assert!(json.at(&["a", "b"]).is_none());
            assert!(json.items().is_empty());
            assert!(json.text().is_none());
            assert_eq!(json.field("a").unwrap().items().len(), 2);
            assert!(json.at(&["n", "b"]).is_none());
        });
    }

    #[test]
    fn what_is_as_deep_as_the_api_server_takes_it_is_no_obstacle_to_what_stands_beside_it() {
        let deep = 9_000; // Its limit is 10,000 (k8s.io/apimachinery/pkg/util/json).
        let text = format!(r#"{{"deep": {}{}, "a": "b"}}"#, "[".repeat(deep), "]".repeat(deep));
        read(&text, |json| assert_eq!(&*json.field("a").unwrap().text().unwrap(), "b"));
    }

    proptest! {
        #[test]
        fn a_type_is_what_the_value_is(number in any::<f64>(), text in ".*", boolean: bool) {
            for (value, expected) in [
                (serde_json::json!(number), if number.is_finite() { Type::Number } else { Type::Null }),
                (serde_json::json!(text), Type::String),
                (serde_json::json!(boolean), Type::Boolean),
                (serde_json::json!([text]), Type::List),
                (serde_json::json!({&text: number}), Type::Object),
            ] {
                read(&value.to_string(), |json| assert_eq!(json.json_type(), expected));
            }
        }
    }
}
