//! What an operator may set about pods.

use std::time::Duration;

use thiserror::Error;

/// Arguments about pods; flattened into the command that serves.
#[derive(Debug, Clone, clap::Args)]
pub struct PodSettings {
    /// Whether the leader watches pods. Without it (--watch-pods=false) the copies of credentials with distribution
    /// `OnDemand` are never removed from namespaces that need them no more, and pods that were admitted without their pull
    /// Secret while regcred was down are neither found nor mended; nothing else is lost. A watched pod takes 300 to
    /// 900 bytes of the leader's memory
    #[arg(
        long, env = "REGCRED_WATCH_PODS", value_name = "BOOL", default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub watch_pods: bool,

    /// Evict pods that were admitted without a pull Secret that they would get now and whose images cannot be pulled. Only
    /// pods with a controller, which replaces them; never one of which a container runs; through the eviction API, so
    /// disruption budgets hold; at most one of each controller in an hour. Needs the rights in
    /// manifests/components/evict-failing-pods
    #[arg(long, env = "REGCRED_EVICT_FAILING_PODS")]
    pub evict_failing_pods: bool,

    /// The shortest time between two evictions
    // One a second is slower than what a scheduler or a registry notices, and mends a thousand Deployments in a quarter of
    // an hour.
    #[arg(
        long, env = "REGCRED_EVICTION_INTERVAL", value_name = "DURATION", default_value = "1s",
        value_parser = crate::duration::parse_interval
    )]
    pub eviction_interval: Duration,
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
#[error("--evict-failing-pods needs the watch on pods, which finds them: leave --watch-pods=false out")]
pub struct PodSettingsError;

impl PodSettings {
    /// Whether they fit together.
    pub fn check(&self) -> Result<(), PodSettingsError> {
        if self.evict_failing_pods && !self.watch_pods { Err(PodSettingsError) } else { Ok(()) }
    }
}
