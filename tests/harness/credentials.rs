//! The objects that an administrator writes: registry Secrets and `RegistryCredentials`.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

/// A Secret of type `kubernetes.io/dockerconfigjson` with an entry for each of these registries.
pub fn registry_secret(namespace: &str, name: &str, registries: &[&str]) -> Value {
    let entry = |registry: &&str| {
        let auth = BASE64_STANDARD.encode(format!("user-of-{name}:password-of-{name}"));
        ((*registry).to_owned(), json!({"auth": auth}))
    };
    let auths: serde_json::Map<String, Value> = registries.iter().map(entry).collect();
    raw_secret(namespace, name, &json!({"auths": auths}).to_string())
}

/// The same with any content, also such that the kubelet cannot read.
pub fn raw_secret(namespace: &str, name: &str, configuration: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": BASE64_STANDARD.encode(configuration)},
    })
}

/// A `RegistryCredential` with any other members of its spec.
pub fn registry_credential(name: &str, (namespace, secret): (&str, &str), others: Value) -> Value {
    let mut spec = others;
    spec["secretRef"] = json!({"namespace": namespace, "name": secret});
    json!({
        "apiVersion": "regcred.dev/v1alpha1",
        "kind": "RegistryCredential",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// A pod with one container per image, and nothing else.
pub fn pod(namespace: &str, name: &str, images: &[&str]) -> Value {
    let container = |(number, image): (usize, &&str)| json!({"name": format!("c{number}"), "image": image});
    let containers: Vec<Value> = images.iter().enumerate().map(container).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"containers": containers},
    })
}
