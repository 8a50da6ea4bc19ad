//! What a Secret with the credentials for an upstream must be (`ValidateUpstreamRegistrySecret`).

use k8s_openapi::api::core::v1::Secret;

use super::service_account;
use crate::model::gardener::field_error::{FieldError, FieldPath};
use crate::model::gardener::go_quote::quote;
use crate::model::gardener::referenced_secret::ReferencedSecret;

/// The key of the user's name.
pub(super) const USERNAME: &str = "username";
/// The key of the password.
pub(super) const PASSWORD: &str = "password";
/// The user whose password is the JSON of a Google service account.
pub(super) const JSON_KEY: &[u8] = b"_json_key";

/// What is wrong with a Secret with the credentials for an upstream, in the words and the order of upstream. No part of the
/// password is in it but the names of fields that a service account does not have.
///
/// `reference` is what stands in the field at `path`: the name of an entry of `spec.resources` of a Shoot, or that of the
/// Secret itself in Kyma's `RegistryCacheConfig`, for which the same rules hold.
pub fn credential_errors(secret: &Secret, reference: &str, path: &FieldPath) -> Vec<FieldError> {
    let secret = ReferencedSecret::new(secret, reference, path);
    let key = secret.quoted_key();
    let mut details = Vec::new();
    if !secret.is_immutable() {
        details.push(format!("the referenced secret {key} should be immutable"));
    }
    if secret.len() != 2 {
        details.push(format!("the referenced secret {key} should have only two data entries"));
    }
    for name in [USERNAME, PASSWORD] {
        let quoted = quote(name);
        match secret.data(name).map(String::from_utf8_lossy) {
            None => details.push(format!("missing {quoted} data entry in the referenced secret {key}")),
            Some(value) => {
                let entry = format!("the data entry {quoted} in the referenced secret {key}");
                if value.trim().is_empty() {
                    details.push(format!("{entry} is empty"));
                }
                if name == USERNAME && value.contains(char::is_whitespace) {
                    details.push(format!("{entry} contains whitespace"));
                }
            }
        }
    }
    if secret.data(USERNAME) == Some(JSON_KEY)
        && let Some(password) = secret.data(PASSWORD)
    {
        details.extend(service_account::faults(password, &key));
    }
    details.iter().map(|detail| secret.error(detail)).collect()
}
