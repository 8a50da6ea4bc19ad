/// Structured logs on standard error.
pub mod log;
/// The server's metrics, in a registry of our own.
pub mod metrics;
