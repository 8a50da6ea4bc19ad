//! The pauses of the controller as arguments.

use std::time::Duration;

use clap::Args;
use thiserror::Error;

use super::Graces;
use crate::duration::{self, DurationError};

/// The arguments about copies.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Copies")]
pub struct CopySettings {
    /// How long a copy stays in a namespace in which no pod needs it any more (distribution `OnDemand`)
    #[arg(long, env = "REGCRED_UNNEEDED_GRACE", value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    unneeded_grace: Duration,

    /// How long copies stay whose source Secret has been deleted; one that comes back within this time changes nothing
    #[arg(long, env = "REGCRED_SOURCE_GRACE", value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    source_grace: Duration,

    /// After which time a pod, or what points to a Secret, that the API server has admitted is stored or never will be: at least
    /// twice its --request-timeout (60s unless changed). A copy that no pod needs is marked first and deleted that much later,
    /// and that long a Secret stays that was about to be used. That no Secret in use can vanish rests on it
    #[arg(long, env = "REGCRED_SETTLE_TIME", value_name = "DURATION", default_value = "2m", value_parser = parse_settle_time)]
    settle_time: Duration,
}

impl CopySettings {
    /// The pauses between seeing and acting.
    pub fn graces(&self) -> Graces {
        Graces { unneeded: self.unneeded_grace, source_missing: self.source_grace, settle: self.settle_time }
    }
}

/// Why a settle time cannot be used.
#[derive(Debug, Error)]
enum SettleTimeError {
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// Without it a copy goes while a pod that was admitted with it is still to be stored, and no replica makes again what its
    /// pods rely on.
    #[error(
        "\"{text}\" leaves no time between marking a copy that no pod needs and deleting it, and a pod that was admitted with \
         the copy may be stored after that; write at least twice the API server's --request-timeout, such as 2m"
    )]
    Zero {
        /// What was given.
        text: String,
    },
}

/// Reads a settle time. How long it must be only the operator knows, for it depends on how the API server is set.
fn parse_settle_time(text: &str) -> Result<Duration, SettleTimeError> {
    let settle_time = duration::parse(text)?;
    if settle_time.is_zero() {
        return Err(SettleTimeError::Zero { text: text.to_owned() });
    }
    Ok(settle_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settle_time_of_nothing_is_refused_with_what_it_should_be() {
        for text in ["0", "0s", "0ms"] {
            assert!(parse_settle_time(text).is_err(), "{text}");
        }
        let told = parse_settle_time("0s").unwrap_err().to_string();
        assert!(told.contains("\"0s\" leaves no time") && told.contains("at least twice"), "{told}");
        assert_eq!(parse_settle_time("10s").unwrap(), Duration::from_secs(10));
    }
}
