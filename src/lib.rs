//! regcred

/// Durations as people write them.
pub mod duration;
/// Takes reviews over TLS, answers them within their time, and goes without losing one.
pub mod server;
/// Logs and metrics.
pub mod telemetry;
