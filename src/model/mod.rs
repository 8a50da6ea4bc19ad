//! What Kubernetes and the kubelet mean by the things we read: images, Docker configurations, pods, credentials.
//!
//! Nothing here does I/O, and every rule names the upstream code it restates.

pub mod configured_kind;
pub mod consent;
pub mod copy;
pub mod credential;
pub mod digest;
pub(crate) mod dns_name;
pub mod docker_config;
pub mod gardener;
pub mod guarded_patch;
pub mod image;
pub mod json;
pub mod keyring;
pub mod label;
pub mod module;
pub mod namespace;
mod object_key;
pub mod pod;
pub mod protection;
pub mod pruned;
pub mod reference;
pub mod scope;
pub mod source;
mod text;

pub use object_key::ObjectKey;
pub use text::Text;
