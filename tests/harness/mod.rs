//! The bench that the integration tests stand on: a real control plane, the cluster's network, the server
//! under test as its Deployment would run it, and Kubernetes' own code as the judge.
//!
//! Each test binary says `mod harness;` and uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::missing_panics_doc)]

pub mod access;
pub mod api_server;
pub mod assets;
pub mod audit;
pub mod background;
pub mod certificates;
pub mod control_plane;
pub mod credentials;
pub mod dummy_webhook;
pub mod garden;
pub mod gardener;
pub mod installation;
pub mod kubectl;
pub mod load;
pub mod metrics;
pub mod modules;
pub mod network;
pub mod oracle;
pub mod overlays;
pub mod patches;
pub mod plain_http;
pub mod ports;
pub mod process;
pub mod projected_secret;
pub mod proxy;
pub mod random;
pub mod relay;
pub mod replica;
pub mod reviews;
pub mod stage;
pub mod trust;
pub mod users;
pub mod watchdog;

pub use control_plane::{ControlPlane, Options};
pub use garden::Garden;
pub use installation::Installation;
pub use users::User;
