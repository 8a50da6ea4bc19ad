//! The uid of an object in half the room: the API server makes UUIDs.

use std::fmt;

/// The uid of an object. Of 150,000 pods these alone would be 10 MB as texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uid {
    /// A UUID in the form that the API server writes.
    Uuid([u8; 16]),
    /// Anything else, as it came.
    Text(Box<str>),
}

impl Uid {
    /// Reads a uid.
    pub fn new(text: &str) -> Self {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        let uuid = u128::from_str_radix(&digits, 16).map(|number| Self::Uuid(number.to_be_bytes()));
        // What does not come back as it was is kept as it is.
        uuid.ok().filter(|uuid| uuid.to_string() == text).unwrap_or_else(|| Self::Text(text.into()))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(bytes) => {
                for (position, byte) in bytes.iter().enumerate() {
                    if matches!(position, 4 | 6 | 8 | 10) {
                        formatter.write_str("-")?;
                    }
                    write!(formatter, "{byte:02x}")?;
                }
                Ok(())
            }
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::uuid("0f8c7a52-7d0e-4e59-9d4a-3a0a3a8a4a11", true)]
    #[case::upper_case("0F8C7A52-7D0E-4E59-9D4A-3A0A3A8A4A11", false)]
    #[case::other_hyphens("0f8c7a527d0e-4e59-9d4a-3a0a3a8a4a11", false)]
    #[case::signed("+f8c7a52-7d0e-4e59-9d4a-3a0a3a8a4a11", false)]
    #[case::word("uid-of-a-test", false)]
    #[case::empty("", false)]
    fn a_uid_reads_as_it_was_written(#[case] text: &str, #[case] is_uuid: bool) {
        let uid = Uid::new(text);
        assert_eq!(uid.to_string(), text);
        assert_eq!(matches!(uid, Uid::Uuid(_)), is_uuid);
    }
}
