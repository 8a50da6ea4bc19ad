//! regcred: a Kubernetes admission webhook that makes private registry credentials simply be there.

pub mod model;
