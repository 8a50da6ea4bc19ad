//! What Gardener's objects say about Secrets, and the rules of its registry extensions.
//!
//! Read as plain JSON, in whatever version they come: what is not understood is Gardener's to report. The rules are for the
//! admission of Shoots.

mod address;
mod binding;
mod dns_rule;
mod extension_reference;
mod field_error;
mod go_duration;
mod go_quote;
mod go_url;
mod quantity;
mod reading;
mod referenced_secret;
mod registry_cache;
mod registry_cache_config;
mod registry_mirror;
mod rsyslog_relp;
mod shoot;
#[cfg(test)]
mod tests;

pub use binding::{Binding, BindingKind};
pub use extension_reference::{Content, SecretReference, references};
pub use field_error::{FieldError, FieldPath, Parted, joined};
pub use registry_cache::{
    EXTENSION_TYPE as REGISTRY_CACHE, RegistryConfig, credential_errors, credential_warnings,
};
pub use registry_cache_config::RegistryCacheConfig;
pub use registry_mirror::{EXTENSION_TYPE as REGISTRY_MIRROR, MirrorConfig, ca_bundle_errors};
pub use rsyslog_relp::tls_errors;
pub use shoot::{Shoot, ShootState};
