//! The extension shoot-rsyslog-relp: the Secret with its client's certificate
//! (gardener/gardener-extension-shoot-rsyslog-relp, `pkg/admission/validator`).

use k8s_openapi::api::core::v1::Secret;

use super::field_error::{FieldError, FieldPath};
use super::referenced_secret::{ReferencedSecret, key};

/// Its type in `spec.extensions` of a Shoot.
pub(super) const EXTENSION_TYPE: &str = "shoot-rsyslog-relp";

/// What is wrong with a Secret for TLS: it must be immutable. Which keys it has, is left to the extension.
///
/// `reference` is what stands in the field at `path`: the name of an entry of `spec.resources`.
pub fn tls_errors(secret: &Secret, reference: &str, path: &FieldPath) -> Vec<FieldError> {
    let referenced = ReferencedSecret::new(secret, reference, path);
    if referenced.is_immutable() {
        return Vec::new();
    }
    vec![referenced.error(&format!("secret {} must be immutable", key(secret)))]
}
