//! The objects that people write for regcred.

pub mod registry_credential;

pub use registry_credential::{Conflict, Distribution, Mode, RegistryCredential, RegistryCredentialSpec};
