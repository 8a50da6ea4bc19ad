//! What Gardener's objects say about Secrets.
//!
//! Read as plain JSON, in whatever version they come: what is not understood is Gardener's to report.

mod binding;
mod registry_cache_config;
mod shoot;

pub use binding::{Binding, BindingKind};
pub use registry_cache_config::RegistryCacheConfig;
pub use shoot::{Shoot, ShootState};
