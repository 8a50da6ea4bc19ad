//! What Kubernetes and the kubelet mean by the things we read: images, Docker configurations, pods.
//!
//! Nothing here does I/O, and every rule names the upstream code it restates.

pub mod docker_config;
pub mod image;
pub mod keyring;
pub mod pod;
mod text;

pub use text::Text;
