//! Kyma's kind of modules, and modules as they are written.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::control_plane::{ControlPlane, unique};
use super::users::User;

/// The kind, as small as it can be.
const CRD: &str = include_str!("module_templates.yaml");

/// The label key that Secrets have by convention.
pub const KEY: &str = "operator.kyma-project.io/oci-registry-cred";

/// Lets the cluster know the kind.
pub async fn know_modules(control_plane: &ControlPlane) {
    // JSON, because kubectl knows no anchors.
    let crd: Value = serde_saphyr::from_str(CRD).unwrap();
    know_modules_by(control_plane, &control_plane.manifest(&crd.to_string())).await;
}

/// The same by the file of a `CustomResourceDefinition`.
pub async fn know_modules_by(control_plane: &ControlPlane, crd: &str) {
    control_plane.kubectl(&["apply", "--server-side", "-f", crd]).await.succeeded();
    let wait = [
        "wait",
        "--for=condition=Established",
        "crd/moduletemplates.operator.kyma-project.io",
        "--timeout=60s",
    ];
    control_plane.kubectl(&wait).await.succeeded();
    control_plane.kubectl(&["create", "namespace", "kyma-system"]).await.succeeded();
}

/// Lets the cluster know what comes of modules, too: a kind that is alike in everything that matters.
pub async fn know_manifests(control_plane: &ControlPlane) {
    let mut crd: Value = serde_saphyr::from_str(CRD).unwrap();
    let name = "manifests.operator.kyma-project.io";
    crd["metadata"]["name"] = name.into();
    crd["spec"]["names"] = json!({"kind": "Manifest", "listKind": "ManifestList", "plural": "manifests", "singular": "manifest"});
    let file = control_plane.manifest(&crd.to_string());
    control_plane.kubectl(&["apply", "--server-side", "-f", &file]).await.succeeded();
    let wait = ["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=60s"];
    control_plane.kubectl(&wait).await.succeeded();
}

/// A Manifest of a module that is pulled with the Secret that has this value of the conventional label.
pub fn manifest(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "operator.kyma-project.io/v1beta2", "kind": "Manifest",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"install": {"name": "raw-manifest", "source": {
            "repo": "ghcr.io/org/component-descriptors", "name": "example.io/module/sample", "ref": "sha256:1",
            "type": "oci-ref", "credSecretSelector": {"matchLabels": {KEY: value}},
        }}},
    })
}

/// The API server asks a webhook of which it did not know the kind a moment ago.
pub async fn registered(control_plane: &ControlPlane) {
    for _ in 0..100 {
        let object = template(&unique("probe"), &v2(json!([layer("raw-manifest", json!([]))])));
        if control_plane.apply_as(User::Admin, &object.to_string()).await.code != 0 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("ModuleTemplates are not asked about");
}

/// A resource of a module, with labels.
pub fn layer(name: &str, labels: Value) -> Value {
    json!({
        "name": name, "type": "directoryTree", "relation": "local", "version": "1.0.0",
        "access": {"type": "localBlob", "localReference": "sha256:1"}, "labels": labels,
    })
}

/// The label that selects a Secret by the conventional key.
pub fn label(value: &str) -> Value {
    json!({"name": "oci-registry-cred", "value": {KEY: value}})
}

/// A descriptor of schema v2.
pub fn v2(resources: Value) -> Value {
    json!({
        "meta": {"schemaVersion": "v2"},
        "component": {
            "name": "example.io/module/sample", "version": "1.0.0",
            "repositoryContexts": [{"type": "OCIRegistry", "baseUrl": "ghcr.io/org"}], "resources": resources,
        },
    })
}

/// A `ModuleTemplate`.
pub fn template(name: &str, descriptor: &Value) -> Value {
    template_of("v1beta2", name, descriptor)
}

/// A `ModuleTemplate` of a version.
pub fn template_of(version: &str, name: &str, descriptor: &Value) -> Value {
    json!({
        "apiVersion": format!("operator.kyma-project.io/{version}"), "kind": "ModuleTemplate",
        "metadata": {"name": name, "namespace": "kyma-system"},
        "spec": {"channel": "regular", "descriptor": descriptor},
    })
}

/// The Secret, labelled as one that modules are pulled with; its name is also the value of its label.
pub fn labelled(mut secret: Value) -> Value {
    let name = secret["metadata"]["name"].clone();
    secret["metadata"]["labels"] =
        json!({KEY: name, "operator.kyma-project.io/managed-by": "lifecycle-manager"});
    secret
}
