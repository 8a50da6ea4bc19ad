//! regcred: a Kubernetes admission webhook that makes private registry credentials simply be there.

pub mod admission;
pub mod api;
pub mod app;
pub mod certificates;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod configuration;
pub mod controller;
mod directory;
pub mod duration;
pub mod events;
pub mod explain;
pub mod knowledge;
pub mod leadership;
pub mod model;
pub mod policy;
pub mod refs;
pub mod review;
pub mod server;
pub mod status;
pub mod telemetry;
