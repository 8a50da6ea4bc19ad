mod properties;
mod secrets;
mod static_rules;
mod update_rules;
mod warnings;

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::*;
use crate::model::gardener::field_error::FieldPath;
use crate::model::gardener::tests::{secret, texts};

/// Where the `providerConfig` is in these tables.
fn path() -> FieldPath {
    FieldPath::new("providerConfig")
}

/// A configuration of the latest version, with these caches.
fn config(caches: &Value) -> RegistryConfig {
    in_version("v1alpha3", caches)
}

/// A configuration with these caches.
fn in_version(version: &str, caches: &Value) -> RegistryConfig {
    let config = json!({
        "apiVersion": format!("registry.extensions.gardener.cloud/{version}"),
        "kind": "RegistryConfig",
        "caches": caches,
    });
    read(&config).unwrap()
}

fn read(config: &Value) -> Option<RegistryConfig> {
    let raw = serde_json::value::to_raw_value(config).unwrap();
    RegistryConfig::read((&*raw).into())
}

fn credentials(username: &str, password: &str) -> Secret {
    secret(&[("username", username), ("password", password)])
}
