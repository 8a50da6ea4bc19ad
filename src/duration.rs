//! Durations on the command line and in the environment: `10s`, `1m 30s`, `250ms`.

use std::time::Duration;

use jiff::SignedDuration;

/// Why a text is no duration.
#[derive(Debug, thiserror::Error)]
pub enum DurationError {
    /// The text cannot be read as a duration at all.
    #[error("\"{text}\" is not a duration; write a number with its unit, such as 10s, 1m30s or 250ms")]
    Unreadable {
        /// What was given.
        text: String,
    },
    /// Durations here say how long to wait; that is never less than nothing.
    #[error("\"{text}\" is negative; write a duration of zero or more, such as 10s")]
    Negative {
        /// What was given.
        text: String,
    },
    /// An interval of nothing would be a loop without rest.
    #[error("\"{text}\" is no time between two events; write a longer duration, such as 10s")]
    Zero {
        /// What was given.
        text: String,
    },
}

/// Reads a duration, for clap's `value_parser`.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let signed: SignedDuration =
        text.trim().parse().map_err(|_| DurationError::Unreadable { text: text.to_owned() })?;
    Duration::try_from(signed).map_err(|_| DurationError::Negative { text: text.to_owned() })
}

/// Reads an interval, which is a duration longer than nothing.
pub fn parse_interval(text: &str) -> Result<Duration, DurationError> {
    let interval = parse(text)?;
    if interval.is_zero() { Err(DurationError::Zero { text: text.to_owned() }) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("10s", Duration::from_secs(10)),
            (" 10s ", Duration::from_secs(10)),
            ("1m 30s", Duration::from_secs(90)),
            ("1m30s", Duration::from_secs(90)),
            ("250ms", Duration::from_millis(250)),
            ("0s", Duration::ZERO),
            ("PT5S", Duration::from_secs(5)),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "10", "ten seconds", "-5s"] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains("such as 10s") || message.contains("such as 10s,"), "{text}: {message}");
        }
    }
}
