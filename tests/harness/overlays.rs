//! Overlays of `manifests/`, as users write them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::certificates::{Authority, Leaf};
use super::control_plane::ControlPlane;
use super::installation::NAMESPACE;
use super::replica::server_binary;

/// The base.
pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

/// One with the certificate's Secret and the `caBundle` of each webhook.
pub async fn with_files(control_plane: &ControlPlane, authority: &Authority, leaf: &Leaf) -> PathBuf {
    let base = manifests();
    let overlay = control_plane.folder().join("overlay");
    std::fs::create_dir(&overlay).expect("a folder");
    let encode = |pem: &str| BASE64_STANDARD.encode(pem);
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "regcred-tls", "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": encode(&leaf.certificate), "tls.key": encode(&leaf.key)},
    });
    std::fs::write(overlay.join("tls.yaml"), secret.to_string()).expect("a file");
    let rendered = control_plane.kubectl(&["kustomize", base.to_str().expect("UTF-8")]).await.succeeded();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("the YAML that kustomize prints");
    let patches: Vec<Value> =
        objects.iter().filter_map(|object| patch(object, &encode(&authority.pem()))).collect();
    assert!(!patches.is_empty(), "no webhook configuration in {}", base.display());
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(&overlay, &base), "tls.yaml"],
        "components": [relative(&overlay, &base.join("../certs/files"))],
        "patches": patches,
    });
    std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).expect("a file");
    overlay
}

/// The patch that lets the API server trust the servers, if this is a webhook configuration.
fn patch(object: &Value, bundle: &str) -> Option<Value> {
    let webhooks = object.get("webhooks")?.as_array()?;
    let operation = |number| json!({"op": "add", "path": format!("/webhooks/{number}/clientConfig/caBundle"), "value": bundle});
    let operations: Vec<Value> = (0..webhooks.len()).map(operation).collect();
    let target = json!({"kind": object["kind"], "name": object["metadata"]["name"]});
    Some(json!({"target": target, "patch": Value::from(operations).to_string()}))
}

/// The way from one folder to another; kustomize takes no absolute paths.
fn relative(from: &Path, to: &Path) -> String {
    let from = from.canonicalize().expect("a folder");
    let to = to.canonicalize().expect("a folder");
    let up = "../".repeat(from.components().count() - 1);
    format!("{up}{}", to.strip_prefix("/").expect("absolute").display())
}

/// One whose webhooks call a regcred outside of the cluster, by the component and what is generated for this address.
pub fn garden(control_plane: &ControlPlane, address: SocketAddr) -> PathBuf {
    let folder = control_plane.folder();
    let (overlay, component) = (folder.join("garden-overlay"), folder.join("garden"));
    std::fs::create_dir(&overlay).expect("a folder");
    std::fs::create_dir(&component).expect("a folder");
    let from = manifests().join("garden/kustomization.yaml");
    std::fs::copy(from, component.join("kustomization.yaml")).expect("the component");
    let host = format!("--host={address}");
    let output =
        Command::new(server_binary()).args(["manifests", "garden", &host]).output().expect("regcred");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(component.join("webhooks.yaml"), output.stdout).expect("a file");
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(&overlay, &manifests())],
        "components": ["../garden"],
    });
    std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).expect("a file");
    overlay
}

/// The Deployment of the base, which says how a server is run.
pub fn deployment() -> Value {
    let text = std::fs::read_to_string(manifests().join("deployment.yaml")).expect("the Deployment");
    serde_saphyr::from_str(&text).expect("YAML")
}

/// One that limits regcred to these namespaces, by the component and what is generated for them.
pub fn namespaced(control_plane: &ControlPlane, namespaces: &[&str]) -> PathBuf {
    let folder = control_plane.folder();
    let (overlay, component) = (folder.join("namespaced-overlay"), folder.join("namespaced"));
    std::fs::create_dir(&overlay).expect("a folder");
    std::fs::create_dir(&component).expect("a folder");
    for file in ["kustomization.yaml", "cluster-role.yaml"] {
        let from = manifests().join("namespaced").join(file);
        std::fs::copy(from, component.join(file)).expect("a file of the component");
    }
    for (part, file) in [("rbac", "roles.yaml"), ("limits", "limits.yaml")] {
        let list = format!("--namespaces={}", namespaces.join(","));
        let output =
            Command::new(server_binary()).args(["manifests", part, &list]).output().expect("regcred");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(component.join(file), output.stdout).expect("a file");
    }
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(&overlay, &manifests())],
        "components": ["../namespaced"],
    });
    std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).expect("a file");
    overlay
}
