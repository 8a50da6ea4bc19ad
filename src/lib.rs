//! regcred: a Kubernetes admission webhook that makes private registry credentials simply be there.

pub mod api;
pub mod cluster;
pub mod model;
pub mod policy;
pub mod review;
