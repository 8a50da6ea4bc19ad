//! An installation in a cluster that knows `ModuleTemplates`.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::credentials::{pod, registry_credential};
pub(crate) use crate::harness::modules::{
    KEY, know_modules, know_modules_by, label, layer, registered, template, template_of, v2,
};
use crate::harness::{Installation, reviews};

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

/// Tells a figure to whoever reads the test's output.
pub(crate) fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "modules: {text}");
}
