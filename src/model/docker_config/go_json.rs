//! Names and texts as Go's JSON decoder reads them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Folds a field name as Go's decoder does: Unicode simple folding, of which two characters lie outside ASCII.
pub(super) fn fold(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// A JSON string in which whatever is no Unicode text has been replaced, as Go does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GoString(pub(super) String);

impl<'de> Deserialize<'de> for GoString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringVisitor;

        impl Visitor<'_> for StringVisitor {
            type Value = GoString;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<GoString, E> {
                Ok(GoString(String::from_utf8_lossy(bytes).into_owned()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<GoString, E> {
                Ok(GoString(text.to_owned()))
            }
        }

        // Asked for bytes, serde_json accepts lone surrogates and invalid UTF-8 in a string.
        deserializer.deserialize_bytes(StringVisitor)
    }
}
