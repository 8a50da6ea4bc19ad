//! What is counted of copies.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::model::copy::CopyAnswer;
use crate::model::copy::Obstacle;

/// Counters of copies. Clones share the counts.
#[derive(Debug, Clone)]
pub struct CopyMetrics {
    writes: IntCounterVec,
    pending: IntGauge,
}

impl CopyMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_copy_writes_total",
            "Attempts to create a copy, by result: created, present (it was there), foreign_secret (a Secret of that \
             name is not ours), other_credential (it is another credential's copy), write_failed (may succeed later), \
             namespace_gone, refused (never will).",
        );
        let writes = IntCounterVec::new(options, &["result"])?;
        for result in RESULTS {
            writes.with_label_values(&[result]);
        }
        let pending = IntGauge::new(
            "regcred_copies_pending",
            "Copies that pods wait for and that this replica goes on trying to create.",
        )?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(pending.clone()))?;
        Ok(Self { writes, pending })
    }

    pub(crate) fn pending(&self, count: usize) {
        self.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn write(&self, answer: &CopyAnswer) {
        if let Some(result) = result_of(answer) {
            self.writes.with_label_values(&[result]).inc();
        }
    }
}

/// Each [`result_of`] an attempt, so that its first increase is seen as one.
const RESULTS: [&str; 7] =
    ["created", "present", "foreign_secret", "other_credential", "write_failed", "namespace_gone", "refused"];

/// The word in metrics: that of the obstacle, in snake case. `None` for what no write brings.
fn result_of(answer: &CopyAnswer) -> Option<&'static str> {
    match answer {
        CopyAnswer::Created => Some("created"),
        CopyAnswer::Present => Some("present"),
        CopyAnswer::Absent | CopyAnswer::Blocked(Obstacle::Source) => None,
        CopyAnswer::Blocked(Obstacle::Foreign) => Some("foreign_secret"),
        CopyAnswer::Blocked(Obstacle::Rival(_)) => Some("other_credential"),
        CopyAnswer::Blocked(Obstacle::Passing(_)) => Some("write_failed"),
        CopyAnswer::Blocked(Obstacle::NamespaceGone) => Some("namespace_gone"),
        CopyAnswer::Blocked(Obstacle::Lasting(_)) => Some("refused"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Obstacle::Foreign)]
    #[case(Obstacle::Rival("acme".into()))]
    #[case(Obstacle::Passing("exceeded quota".into()))]
    #[case(Obstacle::NamespaceGone)]
    #[case(Obstacle::Lasting("too large".into()))]
    fn an_obstacle_is_counted_under_the_word_that_conditions_have_for_it(#[case] obstacle: Obstacle) {
        let result = result_of(&CopyAnswer::Blocked(obstacle.clone())).unwrap();
        let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
        assert_eq!(result.split('_').map(capital).collect::<String>(), obstacle.word());
        assert!(RESULTS.contains(&result));
    }
}
