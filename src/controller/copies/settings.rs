//! The pauses of the controller as arguments.

use std::time::Duration;

use clap::Args;

use super::Graces;
use crate::duration;

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

    /// After which time a pod that the API server has admitted is stored or never will be: at least twice its
    /// --request-timeout (60s unless changed). A copy that no pod needs is marked first and deleted that much later
    #[arg(long, env = "REGCRED_SETTLE_TIME", value_name = "DURATION", default_value = "2m", value_parser = duration::parse)]
    settle_time: Duration,
}

impl CopySettings {
    /// The pauses between seeing and acting.
    pub fn graces(&self) -> Graces {
        Graces { unneeded: self.unneeded_grace, source_missing: self.source_grace, settle: self.settle_time }
    }
}
