//! Gardener's kinds, and objects of them.

use serde_json::{Value, json};

use super::control_plane::ControlPlane;

const CRDS: &str = include_str!("gardener.yaml");

/// Lets the cluster know Shoots and bindings.
pub async fn know_shoots(control_plane: &ControlPlane) {
    // JSON, because kubectl knows no anchors.
    let crds: Value = serde_saphyr::from_str(CRDS).unwrap();
    let file = control_plane.manifest(&crds.to_string());
    control_plane.kubectl(&["apply", "--server-side", "-f", &file]).await.succeeded();
    let wait = ["wait", "--for=condition=Established", "-f", &file, "--timeout=60s"];
    control_plane.kubectl(&wait).await.succeeded();
}

/// A Shoot whose resources are these Secrets.
pub fn shoot(namespace: &str, name: &str, secrets: &[&str]) -> Value {
    let resources = secrets.iter().map(|secret| {
        json!({"name": secret, "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": secret}})
    });
    json!({
        "apiVersion": "core.gardener.cloud/v1beta1", "kind": "Shoot", "metadata": {"namespace": namespace, "name": name},
        "spec": {"resources": resources.collect::<Vec<_>>()},
    })
}

/// A `SecretBinding` to a Secret of any namespace.
pub fn secret_binding(namespace: &str, name: &str, secret: (&str, &str)) -> Value {
    json!({
        "apiVersion": "core.gardener.cloud/v1beta1", "kind": "SecretBinding",
        "metadata": {"namespace": namespace, "name": name},
        "provider": {"type": "local"}, "secretRef": {"namespace": secret.0, "name": secret.1},
    })
}

/// A `CredentialsBinding` to a Secret of any namespace.
pub fn credentials_binding(namespace: &str, name: &str, secret: (&str, &str)) -> Value {
    json!({
        "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "CredentialsBinding",
        "metadata": {"namespace": namespace, "name": name}, "provider": {"type": "local"},
        "credentialsRef": {"apiVersion": "v1", "kind": "Secret", "namespace": secret.0, "name": secret.1},
    })
}
