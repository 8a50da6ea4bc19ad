//! What is counted of how credentials and their copies stand.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntGauge, IntGaugeVec, Opts, Registry};

use crate::status::Counts;

/// Fine up to the ten seconds in which new content is to reach a thousand namespaces; beyond that in the steps of the
/// pauses after failed writes, of which the longest has five minutes.
const PROPAGATION_SECONDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0];

/// Only the replica that leads tells anything but zero.
#[derive(Debug, Clone)]
pub struct StatusMetrics {
    copies: Copies,
    ready: IntGauge,
    not_ready: IntGauge,
    propagation: Histogram,
}

/// Gauges by state; there are no labels for credentials and namespaces, for there may be any number of them.
#[derive(Debug, Clone)]
struct Copies {
    synced: IntGauge,
    stale: IntGauge,
    missing: IntGauge,
    conflict: IntGauge,
    failed: IntGauge,
}

impl StatusMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let copies = gauges(
            registry,
            "regcred_copies",
            "Copies that namespaces should have, by state: synced, stale (the source holds other content, or cannot be \
             compared), missing, conflict (another's Secret is in the place), failed (the API server does not take it). \
             Told by the replica that leads.",
            "state",
        )?;
        let credentials = gauges(
            registry,
            "regcred_credentials",
            "RegistryCredentials, by whether they are ready. Told by the replica that leads.",
            "ready",
        )?;
        let propagation = Histogram::with_opts(
            HistogramOpts::new(
                "regcred_copy_propagation_seconds",
                "Seconds from when new content of a source is seen to when a copy is seen to hold it.",
            )
            .buckets(PROPAGATION_SECONDS.to_vec()),
        )?;
        registry.register(Box::new(propagation.clone()))?;
        let of = |state: &str| copies.with_label_values(&[state]);
        Ok(Self {
            copies: Copies {
                synced: of("synced"),
                stale: of("stale"),
                missing: of("missing"),
                conflict: of("conflict"),
                failed: of("failed"),
            },
            ready: credentials.with_label_values(&["true"]),
            not_ready: credentials.with_label_values(&["false"]),
            propagation,
        })
    }

    pub(crate) fn copies(&self, counts: &Counts) {
        set(&self.copies.synced, counts.synced);
        set(&self.copies.stale, counts.stale);
        set(&self.copies.missing, counts.missing);
        set(&self.copies.conflict, counts.conflict);
        set(&self.copies.failed, counts.failed);
    }

    pub(crate) fn credentials(&self, (ready, not_ready): (usize, usize)) {
        set(&self.ready, ready);
        set(&self.not_ready, not_ready);
    }

    pub(crate) fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// This replica does not lead any more.
    pub(crate) fn clear(&self) {
        self.copies(&Counts::default());
        self.credentials((0, 0));
    }
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
) -> Result<IntGaugeVec, prometheus::Error> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn set(gauge: &IntGauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}
