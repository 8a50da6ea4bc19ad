/// What is counted of decisions.
pub mod admission_metrics;
/// What is counted of copies.
pub mod copy_metrics;
/// Structured logs on standard error.
pub mod log;
/// The server's metrics, in a registry of our own.
pub mod metrics;
