//! What an operator may set about leadership.

use std::time::Duration;

use super::judgement::Timing;

/// Arguments about leadership; flattened into the command that serves.
///
/// The defaults are those of Kubernetes' own controllers: five renewals fit into the deadline, so a few lost ones do
/// not cost the lead; and the five seconds between deadline and duration are for a write that was under way.
#[derive(Debug, Clone, clap::Args)]
pub struct LeaseSettings {
    /// How long a leader that is silent is waited for before another replica leads
    #[arg(
        long, env = "REGCRED_LEASE_DURATION", value_name = "DURATION", default_value = "15s",
        value_parser = crate::duration::parse_interval
    )]
    pub lease_duration: Duration,

    /// How long after its last renewal the leader may still write; shorter than the lease's duration
    #[arg(
        long, env = "REGCRED_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s",
        value_parser = crate::duration::parse_interval
    )]
    pub renew_deadline: Duration,

    /// How often the leader renews and the others look; shorter than the renew deadline
    #[arg(
        long, env = "REGCRED_RETRY_PERIOD", value_name = "DURATION", default_value = "2s",
        value_parser = crate::duration::parse_interval
    )]
    pub retry_period: Duration,

    /// Name of this replica in the Lease; Kubernetes sets HOSTNAME to the pod's name
    #[arg(long, env = "HOSTNAME", value_name = "NAME", default_value = "regcred")]
    pub pod_name: String,
}

/// Times that do not go together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The leader would go on writing when another leads already.
    #[error(
        "--lease-duration ({duration:?}) must be longer than --renew-deadline ({deadline:?}), or a silent leader \
         would still write when another replica leads already; the defaults are 15s and 10s"
    )]
    Duration {
        /// `--lease-duration`.
        duration: Duration,
        /// `--renew-deadline`.
        deadline: Duration,
    },
    /// The leader would lose the lead before it tried to keep it.
    #[error(
        "--renew-deadline ({deadline:?}) must be longer than --retry-period ({retry:?}), or the leader would step \
         down before it renews; the defaults are 10s and 2s"
    )]
    Retry {
        /// `--renew-deadline`.
        deadline: Duration,
        /// `--retry-period`.
        retry: Duration,
    },
}

impl LeaseSettings {
    /// The times, if they go together.
    pub(super) fn timing(&self) -> Result<Timing, SettingsError> {
        let (duration, deadline, retry) = (self.lease_duration, self.renew_deadline, self.retry_period);
        if duration <= deadline {
            return Err(SettingsError::Duration { duration, deadline });
        }
        if deadline <= retry {
            return Err(SettingsError::Retry { deadline, retry });
        }
        Ok(Timing { duration, renew_deadline: deadline, retry_period: retry })
    }

    /// A name that no other process has, nor this one after a restart: a restarted replica must not take the lease of
    /// its former self for its own, whose writes may still be under way.
    pub(super) fn identity(&self) -> String {
        format!("{}_{:016x}", self.pod_name, fastrand::u64(..))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: LeaseSettings,
    }

    fn settings(arguments: &[&str]) -> LeaseSettings {
        Command::parse_from(std::iter::once(&"serve").chain(arguments)).settings
    }

    #[test]
    fn the_defaults_go_together() {
        let timing = settings(&[]).timing().unwrap();
        assert_eq!(timing.duration, Duration::from_secs(15));
        assert_eq!(timing.renew_deadline, Duration::from_secs(10));
        assert_eq!(timing.retry_period, Duration::from_secs(2));
    }

    #[test]
    fn times_that_contradict_each_other_are_refused_with_the_flags_to_change() {
        for (arguments, flags) in [
            (["--lease-duration=10s", "--renew-deadline=10s"], ["--lease-duration", "--renew-deadline"]),
            (["--lease-duration=5s", "--renew-deadline=8s"], ["--lease-duration", "--renew-deadline"]),
            (["--renew-deadline=2s", "--retry-period=2s"], ["--renew-deadline", "--retry-period"]),
        ] {
            let message = settings(&arguments).timing().unwrap_err().to_string();
            assert!(flags.iter().all(|flag| message.contains(flag)), "{message}");
        }
    }

    #[test]
    fn two_processes_of_one_pod_have_two_identities() {
        let settings = settings(&["--pod-name=regcred-abc"]);
        assert!(settings.identity().starts_with("regcred-abc_"));
        assert_ne!(settings.identity(), settings.identity());
    }
}
