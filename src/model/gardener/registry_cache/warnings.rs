//! What passes upstream and breaks the cache.
//!
//! The extension writes both values into the registry's YAML: the user's name as it is, the password in single quotes.

use k8s_openapi::api::core::v1::Secret;

use super::credentials::{JSON_KEY, PASSWORD, USERNAME};
use crate::model::gardener::go_quote::quote;
use crate::model::gardener::referenced_secret::{data, key};

/// What a plain text of YAML cannot begin with.
const INDICATORS: &[char] =
    &['*', '&', '!', '@', '%', '#', '[', ']', '{', '}', ',', '\'', '"', '|', '>', '`'];
/// Plain texts of YAML that mean nothing at all.
const NULLS: [&str; 4] = ["~", "null", "Null", "NULL"];

/// What would keep the cache from pulling with a Secret although upstream takes it. Nothing of the password is shown.
pub fn credential_warnings(secret: &Secret) -> Vec<String> {
    let username = data(secret, USERNAME).map(String::from_utf8_lossy).unwrap_or_default();
    let password = data(secret, PASSWORD).map(String::from_utf8_lossy).unwrap_or_default();
    let secret_key = quote(&key(secret));
    let mut warnings = Vec::new();
    let of_username =
        |fault: &str| format!("username in secret {secret_key} {fault}: the cache fails, or is nobody");
    if username.starts_with(INDICATORS) {
        warnings.push(of_username("begins with a sign of YAML's"));
    }
    if username.ends_with(':') {
        warnings.push(of_username("ends with a colon"));
    }
    if NULLS.contains(&&*username) {
        warnings.push(of_username("means nothing in YAML"));
    }
    // White space, which also is no name, has been refused.
    if username.contains(|character: char| character.is_control() && !character.is_whitespace()) {
        warnings.push(of_username("holds a control character"));
    }
    // Between the fields of JSON, line breaks that become spaces do no harm; within its strings, they have been refused.
    if username.as_bytes() == JSON_KEY {
        return warnings;
    }
    let line = password.trim_end_matches(['\n', '\r']);
    if line.len() < password.len() {
        warnings.push(format!(
            "password in secret {secret_key} ends with a line break: the cache cannot log in; use echo -n"
        ));
    }
    if line.contains(char::is_control) {
        warnings.push(format!(
            "password in secret {secret_key} holds a control character: the cache cannot log in"
        ));
    }
    warnings
}
