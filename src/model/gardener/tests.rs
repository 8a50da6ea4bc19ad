//! What the tables of several extensions are written with.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::FieldError;

/// The errors as they are printed.
pub(super) fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// An immutable Secret foo/bar.
pub(super) fn secret(data: &[(&str, &str)]) -> Secret {
    let mut secret = Secret { immutable: Some(true), ..Secret::default() };
    secret.metadata.namespace = Some("foo".into());
    secret.metadata.name = Some("bar".into());
    let value = |text: &str| ByteString(text.as_bytes().to_vec());
    secret.data = Some(data.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect());
    secret
}
