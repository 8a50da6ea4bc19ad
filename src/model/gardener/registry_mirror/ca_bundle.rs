//! What a Secret with the authorities of a mirror must be (`ValidateMirrorHostCABundleSecret`).

use k8s_openapi::api::core::v1::Secret;
use x509_parser::pem::parse_x509_pem;

use crate::model::gardener::field_error::{FieldError, FieldPath};
use crate::model::gardener::go_quote::quote;
use crate::model::gardener::referenced_secret::ReferencedSecret;

/// The key of the certificates.
const BUNDLE: &str = "bundle.crt";

/// What is wrong with a Secret with the authorities of a mirror, in the words and the order of upstream.
///
/// `reference` is what stands in the field at `path`: the name of an entry of `spec.resources`.
pub fn ca_bundle_errors(secret: &Secret, reference: &str, path: &FieldPath) -> Vec<FieldError> {
    let secret = ReferencedSecret::new(secret, reference, path);
    let (key, bundle) = (secret.quoted_key(), quote(BUNDLE));
    let mut errors = Vec::new();
    if !secret.is_immutable() {
        errors.push(secret.error(&format!("the referenced CA bundle secret {key} should be immutable")));
    }
    match secret.data(BUNDLE) {
        None => {
            let detail = format!("missing {bundle} data entry in the referenced CA bundle secret {key}");
            errors.push(secret.error(&detail));
        }
        Some(certificates) if !begins_with_certificate(certificates) => {
            errors.push(secret.error("the CA bundle is not a valid PEM-encoded certificate"));
        }
        Some(_) => {}
    }
    if secret.len() > 1 {
        let detail = format!(
            "the referenced CA bundle secret {key} should only have a single data entry with key {bundle}"
        );
        errors.push(secret.error(&detail));
    }
    errors
}

/// Whether the first block of a PEM is a certificate, whatever follows (`DecodeCertificate` of gardener's `pkg/utils`).
fn begins_with_certificate(pem: &[u8]) -> bool {
    parse_x509_pem(pem).is_ok_and(|(_, block)| {
        block.label == "CERTIFICATE"
            && x509_parser::parse_x509_certificate(&block.contents).is_ok_and(|(rest, _)| rest.is_empty())
    })
}
