//! An installation in a cluster that knows `ModuleTemplates`.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::control_plane::{ControlPlane, unique};
use crate::harness::credentials::{pod, registry_credential};
use crate::harness::{Installation, User, reviews};

/// The kind, as small as it can be.
const CRD: &str = include_str!("fixtures/crd.yaml");

/// The label key that Secrets have by convention.
pub(crate) const KEY: &str = "operator.kyma-project.io/oci-registry-cred";

/// The installation that all tests share.
pub(crate) async fn installation() -> &'static Installation {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let installation = Installation::shared().await;
    INSTALLED
        .get_or_init(|| async {
            know_modules(installation.control_plane()).await;
            registered(installation.control_plane()).await;
        })
        .await;
    installation
}

/// Lets the cluster know the kind.
pub(crate) async fn know_modules(control_plane: &ControlPlane) {
    // JSON, because kubectl knows no anchors.
    let crd: Value = serde_saphyr::from_str(CRD).unwrap();
    know_modules_by(control_plane, &control_plane.manifest(&crd.to_string())).await;
}

/// The same by the file of a `CustomResourceDefinition`.
pub(crate) async fn know_modules_by(control_plane: &ControlPlane, crd: &str) {
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

/// The API server asks a webhook of which it did not know the kind a moment ago.
pub(crate) async fn registered(control_plane: &ControlPlane) {
    for _ in 0..100 {
        let object = template(&unique("probe"), &v2(json!([layer("raw-manifest", json!([]))])));
        if control_plane.apply_as(User::Admin, &object.to_string()).await.code != 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("ModuleTemplates are not asked about");
}

/// A resource of a module, with labels.
pub(crate) fn layer(name: &str, labels: Value) -> Value {
    json!({
        "name": name, "type": "directoryTree", "relation": "local", "version": "1.0.0",
        "access": {"type": "localBlob", "localReference": "sha256:1"}, "labels": labels,
    })
}

/// The label that selects a Secret by the conventional key.
pub(crate) fn label(value: &str) -> Value {
    json!({"name": "oci-registry-cred", "value": {KEY: value}})
}

/// A descriptor of schema v2.
pub(crate) fn v2(resources: Value) -> Value {
    json!({
        "meta": {"schemaVersion": "v2"},
        "component": {
            "name": "example.io/module/sample", "version": "1.0.0",
            "repositoryContexts": [{"type": "OCIRegistry", "baseUrl": "ghcr.io/org"}], "resources": resources,
        },
    })
}

/// A descriptor of schema v3alpha1.
pub(crate) fn v3(resources: Value) -> Value {
    json!({
        "apiVersion": "ocm.software/v3alpha1", "kind": "ComponentVersion",
        "metadata": {"name": "example.io/module/sample", "version": "1.0.0"},
        "repositoryContexts": [{"type": "OCIRegistry", "baseUrl": "ghcr.io/org"}],
        "spec": {"resources": resources},
    })
}

/// A descriptor of either schema for a module that is in another registry.
pub(crate) fn in_registry(mut descriptor: Value, base: &str) -> Value {
    let holder =
        if descriptor["component"].is_null() { &mut descriptor } else { &mut descriptor["component"] };
    holder["repositoryContexts"] = json!([{"type": "OCIRegistry", "baseUrl": base}]);
    descriptor
}

/// A credential for one registry that labels modules there.
pub(crate) fn labelling(name: &str, registry: &str, labels: Value) -> Value {
    let spec = json!({"namespaces": ["kyma-system"], "images": [registry], "moduleLabels": labels});
    registry_credential(name, ("kyma-system", name), spec)
}

/// Waits until every server knows the credentials for a registry: it would give their copies to pods. Where a source is missing
/// the pod would wait for it.
pub(crate) async fn known(
    installation: &Installation,
    registry: &str,
    credentials: usize,
    has_sources: bool,
) {
    let pod = pod("kyma-system", "asked", &[&format!("{registry}/app")]);
    for replica in installation.replicas() {
        let client = reviews::client_of(installation, &replica);
        let mut answer = Value::Null;
        for _ in 0..200 {
            let body = client.post(reviews::of_pod(&reviews::unique_uid(), &pod, true)).await.unwrap();
            answer = serde_json::from_slice(&body).unwrap();
            let warnings = answer["response"]["warnings"].to_string();
            let waiting = warnings.matches("waits for its source").count();
            let known = warnings.matches("would create Secret").count()
                + warnings.matches("would add pull Secret").count();
            if (has_sources && waiting == 0 && known == credentials)
                || (!has_sources && waiting == credentials)
            {
                break;
            }
            answer["response"]["late"] = true.into();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(answer["response"]["late"].is_null(), "{registry} is not known: {answer}");
    }
}

/// A `ModuleTemplate`.
pub(crate) fn template(name: &str, descriptor: &Value) -> Value {
    template_of("v1beta2", name, descriptor)
}

/// A `ModuleTemplate` of a version.
pub(crate) fn template_of(version: &str, name: &str, descriptor: &Value) -> Value {
    json!({
        "apiVersion": format!("operator.kyma-project.io/{version}"), "kind": "ModuleTemplate",
        "metadata": {"name": name, "namespace": "kyma-system"},
        "spec": {"channel": "regular", "descriptor": descriptor},
    })
}

/// Tells a figure to whoever reads the test's output.
pub(crate) fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "modules: {text}");
}
