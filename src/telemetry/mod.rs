//! Logs and metrics.

pub mod admission_metrics;
pub mod certificate_metrics;
pub mod copy_metrics;
pub mod log;
pub mod metrics;
