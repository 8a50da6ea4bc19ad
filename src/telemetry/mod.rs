//! Logs and metrics.

pub mod admission_metrics;
pub mod api_metrics;
mod api_request;
pub mod certificate_metrics;
pub mod configuration_metrics;
pub mod copy_metrics;
pub mod event_metrics;
pub mod leader_metrics;
pub mod log;
pub mod metrics;
pub mod pod_metrics;
pub mod protection_metrics;
pub mod reconcile_metrics;
pub mod status_metrics;
