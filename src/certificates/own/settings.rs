//! What an operator may set about our own certificates.

use std::time::Duration;

use thiserror::Error;

use super::address::parse_host;
use super::schedule::{Schedule, ScheduleError};
use crate::duration::{self, DurationError};

/// A certificate states its times in whole seconds, and everything about a leaf has to be done within a third of its
/// life: what is shorter is over before it is served.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);
/// Ten years. What is valid longer is never renewed, and nobody knows any more how.
const LONGEST_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// Arguments of the certificates that regcred makes itself; flattened into the command that serves.
#[derive(Debug, Clone, clap::Args)]
// Without a group: the server's settings have one of that name.
#[group(skip)]
#[command(next_help_heading = "Own certificates (without --tls-directory)")]
pub struct Settings {
    /// How long a server's certificate is valid; it is renewed after two thirds of that
    // A week: as long as a key that lives in memory only should be of use, and long enough that whoever is called at
    // a weekend mends what keeps it from being renewed on Monday.
    #[arg(
        long, env = "REGCRED_LEAF_LIFETIME", value_name = "DURATION", default_value = "168h",
        value_parser = parse_lifetime
    )]
    pub leaf_lifetime: Duration,

    /// How long the authority that signs them is valid; it is replaced after two thirds of that
    // A year: then the way of a replacement is gone often enough to be known to work.
    #[arg(
        long, env = "REGCRED_AUTHORITY_LIFETIME", value_name = "DURATION", default_value = "8760h",
        value_parser = parse_lifetime
    )]
    pub authority_lifetime: Duration,

    /// How long a new authority must have been in the webhook configurations before a certificate of it replaces
    /// another
    // API servers learn of the configurations by watch, usually within a second; ten times that for one that is busy.
    // Nothing waits for it: the certificate before it still works.
    #[arg(
        long, env = "REGCRED_BUNDLE_PROPAGATION", value_name = "DURATION", default_value = "10s",
        value_parser = duration::parse
    )]
    pub bundle_propagation: Duration,

    /// The hosts by whose URLs the webhook configurations call regcred, where it runs outside of the cluster: DNS names or
    /// IP addresses, without ports. The certificate is for these as well, and the caBundle of entries that call them is kept
    #[arg(
        long, env = "REGCRED_WEBHOOK_HOSTS", value_name = "HOSTS", value_delimiter = ',', value_parser = parse_host
    )]
    pub webhook_hosts: Vec<String>,
}

impl Settings {
    pub(super) fn schedule(&self) -> Result<Schedule, ScheduleError> {
        Schedule::new(self.leaf_lifetime, self.authority_lifetime, self.bundle_propagation)
    }
}

/// Why a text is no lifetime.
#[derive(Debug, Error)]
enum LifetimeError {
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error("\"{text}\" is no lifetime for a certificate; choose one from 10s to 87600h (ten years)")]
    OutOfRange { text: String },
}

fn parse_lifetime(text: &str) -> Result<Duration, LifetimeError> {
    let lifetime = duration::parse(text)?;
    let range = SHORTEST_LIFETIME..=LONGEST_LIFETIME;
    if range.contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err(LifetimeError::OutOfRange { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_neither_over_at_once_nor_for_ever() {
        for (text, accepted) in [
            ("9s", false),
            ("10s", true),
            ("168h", true),
            ("87600h", true),
            ("87601h", false),
            ("-1h", false),
        ] {
            let parsed = parse_lifetime(text);
            assert_eq!(parsed.is_ok(), accepted, "{text}: {parsed:?}");
        }
        assert!(parse_lifetime("1s").unwrap_err().to_string().contains("from 10s to 87600h"));
    }
}
