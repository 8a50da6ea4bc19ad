//! The server's metrics. There is no global registry: who starts the program makes one and hands it on.
//!
//! No label takes a value from outside: paths are the configured ones or `other`, reasons are ours.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// Fine where reviews are answered (about a millisecond), coarse up to the longest time a webhook may have.
const SECONDS: [f64; 15] =
    [0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 3.0, 10.0];

/// What the server counts. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    /// Open connections to the webhook.
    pub(crate) connections: IntGauge,
    pub(crate) connections_refused: IntCounter,
    connections_ended: IntCounterVec,
    handshake_failures: IntCounterVec,
    requests: HistogramVec,
    pub(crate) requests_in_flight: IntGauge,
    shed: IntCounterVec,
    bodies_refused: IntCounterVec,
    pub(crate) handler_panics: IntCounter,
    pub(crate) certificate_not_after: IntGauge,
    pub(crate) certificate_loaded: IntGauge,
    certificate_reloads: IntCounterVec,
}

impl ServerMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker(registry);
        Ok(Self {
            connections: make.gauge("regcred_server_connections", "Open connections to the webhook.")?,
            connections_refused: make.counter(
                "regcred_server_connections_refused_total",
                "Connections closed at once because too many were open, in all or of one address.",
            )?,
            connections_ended: make.counters(
                "regcred_server_connections_broken_total",
                "Connections that ended otherwise than by agreement, by reason.",
                "reason",
                &["idle", "header_timeout", "write_stall", "bad_request", "connection"],
            )?,
            handshake_failures: make.counters(
                "regcred_server_handshake_failures_total",
                "TLS handshakes that failed, by reason; certificate_rejected means that a client does not \
                 trust the certificate served (a caBundle that does not fit it).",
                "reason",
                &["timeout", "closed", "certificate_rejected", "no_common_protocol", "not_tls", "other"],
            )?,
            requests: make.request_histogram(
                "regcred_server_request_duration_seconds",
                "Seconds from a review's header to its answer, by path and HTTP status code.",
            )?,
            requests_in_flight: make
                .gauge("regcred_server_requests_in_flight", "Reviews being answered now.")?,
            shed: make.counters(
                "regcred_server_requests_shed_total",
                "Reviews answered 429 because too many were under way, or too many bytes of bodies held.",
                "reason",
                &["requests", "body_memory"],
            )?,
            bodies_refused: make.counters(
                "regcred_server_bodies_refused_total",
                "Requests refused for their body, by reason.",
                "reason",
                &["too_large", "too_slow", "broken"],
            )?,
            handler_panics: make.counter(
                "regcred_server_handler_panics_total",
                "Reviews whose handling panicked; each is a defect.",
            )?,
            certificate_not_after: make.gauge(
                "regcred_server_certificate_not_after_timestamp_seconds",
                "When the certificate served expires, in seconds since 1970.",
            )?,
            certificate_loaded: make.gauge(
                "regcred_server_certificate_loaded_timestamp_seconds",
                "When the certificate served was loaded, in seconds since 1970.",
            )?,
            certificate_reloads: make.counters(
                "regcred_server_certificate_reloads_total",
                "Changes of the certificate's files, by result; failure keeps the certificate before it.",
                "result",
                &["success", "failure"],
            )?,
        })
    }

    pub(crate) fn connection_broken(&self, reason: &'static str) {
        self.connections_ended.with_label_values(&[reason]).inc();
    }

    pub(crate) fn handshake_failed(&self, reason: &'static str) {
        self.handshake_failures.with_label_values(&[reason]).inc();
    }

    pub(crate) fn request(&self, path: &'static str, status: http::StatusCode) -> Histogram {
        self.requests.with_label_values(&[path, status.as_str()])
    }

    pub(crate) fn shed(&self, reason: &'static str) {
        self.shed.with_label_values(&[reason]).inc();
    }

    pub(crate) fn body_refused(&self, reason: &'static str) {
        self.bodies_refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn certificate_reloaded(&self, success: bool) {
        self.certificate_reloads.with_label_values(&[if success { "success" } else { "failure" }]).inc();
    }
}

/// A time, as metrics tell it.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    let seconds = time.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    /// A counter per value of one label, each there from the start, so that its first increase is seen as one.
    fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
        for value in values {
            counters.with_label_values(&[value]);
        }
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn request_histogram(&self, name: &str, help: &str) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let histogram = HistogramVec::new(options, &["path", "code"])?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_our_prefix_and_help_and_a_unit() {
        let registry = Registry::new();
        let metrics = ServerMetrics::register(&registry).unwrap();
        metrics.request("/mutate/pods", http::StatusCode::OK).observe(0.001);
        let families = registry.gather();
        assert!(families.len() >= 12);
        for family in families {
            let name = family.name();
            assert!(name.starts_with("regcred_server_"), "{name}");
            assert!(!family.help().is_empty(), "{name}");
            let counts = ["_total", "_seconds", "_connections", "_in_flight"];
            assert!(counts.iter().any(|end| name.ends_with(end)), "{name} has no unit");
        }
    }

    #[test]
    fn a_second_registration_is_an_error_and_no_panic() {
        let registry = Registry::new();
        ServerMetrics::register(&registry).unwrap();
        assert!(ServerMetrics::register(&registry).is_err());
    }
}
