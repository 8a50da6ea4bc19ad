//! The objects that people write for regcred.

pub mod credential_status;
pub mod registry_credential;

pub use credential_status::RegistryCredentialStatus;
pub use registry_credential::{Conflict, Distribution, Mode, RegistryCredential, RegistryCredentialSpec};
