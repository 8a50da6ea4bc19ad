//! What is counted of Events.

use prometheus::{IntCounterVec, Opts, Registry};

/// What became of something that was to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Created,
    Repeated,
    Updated,
    Failed,
    LimitedObject,
    LimitedOverall,
    QueueFull,
}

impl Fate {
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Repeated,
        Self::Updated,
        Self::Failed,
        Self::LimitedObject,
        Self::LimitedOverall,
        Self::QueueFull,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Repeated => "repeated",
            Self::Updated => "updated",
            Self::Failed => "failed",
            Self::LimitedObject => "limited_object",
            Self::LimitedOverall => "limited_overall",
            Self::QueueFull => "queue_full",
        }
    }
}

/// Counters of Events. Clones share the counts.
#[derive(Debug, Clone)]
pub struct EventMetrics {
    events: IntCounterVec,
}

impl EventMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_events_total",
            "What became of what was to be told as an Event: created, repeated (counted, and written with others), \
             updated (an Event's count was written), failed; or left out: limited_object (its object has had its \
             share), limited_overall (all together have), queue_full.",
        );
        let events = IntCounterVec::new(options, &["result"])?;
        for fate in Fate::ALL {
            events.with_label_values(&[fate.as_str()]);
        }
        registry.register(Box::new(events.clone()))?;
        Ok(Self { events })
    }

    pub(crate) fn count(&self, fate: Fate) {
        self.events.with_label_values(&[fate.as_str()]).inc();
    }
}
