//! The rules' tables.

use std::sync::Arc;

use serde_json::json;

use crate::model::credential::Credential;

/// A credential of this name for all namespaces.
pub(crate) fn credential(name: &str) -> Arc<Credential> {
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}")},
        "spec": {"secretRef": {"namespace": "sources", "name": name}, "namespaces": ["*"]},
    });
    Arc::new(Credential::parse(&serde_json::from_value(object).unwrap()).unwrap())
}
