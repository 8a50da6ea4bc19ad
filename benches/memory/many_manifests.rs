//! What is kept of very many Manifests that select Secrets, without the rest of the server: how much larger this process gets by
//! them.

use regcred::knowledge::References;
use regcred::model::ObjectKey;
use regcred::model::reference::{Pointers, Referrer, ReferrerKind};
use serde_json::json;
use serde_json::value::to_raw_value;

/// A control plane of 2,500 clusters.
const MANIFESTS: usize = 50_000;
/// Modules of each cluster, all of which are pulled with one Secret.
const MODULES: usize = 20;

/// Bytes for each Manifest.
pub(crate) fn bytes_each() -> f64 {
    let mut references = References::default();
    let before = super::resident("self")[0];
    for number in 0..MANIFESTS {
        let source = json!({
            "repo": "registry.example.com/modules/component-descriptors", "ref": format!("sha256:{number:064}"),
            "name": format!("kyma-project.io/module/number-{}", number % MODULES), "type": "oci-ref",
            "credSecretSelector": {"matchLabels": {"operator.kyma-project.io/oci-registry-cred": "modules"}},
        });
        let manifest =
            to_raw_value(&json!({"spec": {"install": {"name": "raw-manifest", "source": source}}}));
        let name = format!("00000000-0000-4000-9000-{number:012}-number-{}", number % MODULES);
        let referrer = Referrer { kind: ReferrerKind::Manifest, key: ObjectKey::new("kcp-system", &name) };
        let pointers = Pointers::of(&referrer, &manifest.expect("a Manifest"));
        references.apply(referrer, pointers);
    }
    assert_eq!(references.len(), MANIFESTS);
    let bytes = (super::resident("self")[0] - before) * 1024.0 * 1024.0;
    // What were freed would be taken for what is measured next, which would look smaller by it.
    std::mem::forget(references);
    bytes / f64::from(u32::try_from(MANIFESTS).expect("fits"))
}
