//! The extension shoot-rsyslog-relp: the Secret with its client's certificate
//! (gardener/gardener-extension-shoot-rsyslog-relp, `pkg/admission/validator/shoot.go`).

use k8s_openapi::api::core::v1::Secret;

use super::field_error::{FieldError, FieldPath};
use super::referenced_secret::{ReferencedSecret, key};

/// Its type in `spec.extensions` of a Shoot.
pub(super) const EXTENSION_TYPE: &str = "shoot-rsyslog-relp";

/// What a Secret for TLS must hold, and nothing else: the authority's certificate, the client's, and the client's key.
const KEYS: [&str; 3] = ["ca", "crt", "key"];

/// What is wrong with a Secret for TLS, in upstream's words.
///
/// `reference` is what stands in the field at `path`: the name of an entry of `spec.resources`.
pub fn tls_errors(secret: &Secret, reference: &str, path: &FieldPath) -> Vec<FieldError> {
    let referenced = ReferencedSecret::new(secret, reference, path);
    let key = key(secret);
    let missing = KEYS.into_iter().filter(|name| referenced.data(name).is_none());
    let mut faults: Vec<String> =
        missing.map(|name| format!("secret {key} is missing {name} value")).collect();
    let has_all = faults.is_empty();
    if !referenced.is_immutable() {
        faults.push(format!("secret {key} must be immutable"));
    }
    // While one is missing, that there are not three says nothing more.
    if has_all && referenced.len() != KEYS.len() {
        faults.push(format!("secret {key} should have only three data entries"));
    }
    faults.into_iter().map(|fault| referenced.error(&fault)).collect()
}
