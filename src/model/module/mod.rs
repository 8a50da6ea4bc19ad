//! Kyma's `ModuleTemplates`, and the Manifests that come of them, as far as it matters for the credentials that their layers need.
//!
//! The rules are those of Lifecycle Manager 1.3.10, the last version that read the label `oci-registry-cred`
//! (kyma-project/lifecycle-manager, `internal/manifest/parser`, `internal/manifest/img`).

mod credential_label;
mod descriptor;
mod repository;
mod selected_secret;
mod selection;
mod selector_text;
mod template;

pub use credential_label::{CredentialLabel, LABEL, Malformed, Selector};
pub use descriptor::{Access, Component, Descriptor, Location, Resource, Schema, Unrecognised};
pub use repository::Repository;
pub use selected_secret::{Content, SECRET_LABEL, SelectedSecret};
pub use selection::Selection;
pub use selector_text::SelectorTextError;
pub use template::{GROUP, ModuleTemplate};
