//! A real API server refuses a `RegistryCredential` just when the compiler does, which `regcred check` relies on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use harness::{ControlPlane, User, credentials};
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, CustomResourceExt};
use regcred::api::RegistryCredential;
use regcred::model::credential::Credential;
use serde_json::{Value, json};

const KYMA_LABEL: &str = "operator.kyma-project.io/oci-registry-cred";
const CREDENTIALS: &str = "crd/registrycredentials.regcred.dev";

/// Specs, and what both say of them; nothing where both accept. That the words are the same holds for the rules in CEL
/// alone: what the schema's own keywords refuse is told in the API server's words.
fn table() -> Vec<(Value, Option<&'static str>)> {
    let images = |pattern: &str| json!({"namespaces": ["*"], "images": ["ghcr.io", pattern]});
    let requires = |operator: &str, values: &[&str]| json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}});
    let source = |namespace: &str, name: &str| json!({"namespaces": ["*"], "secretRef": {"namespace": namespace, "name": name}});
    let labels = |labels: Value| json!({"namespaces": ["*"], "moduleLabels": labels});
    vec![
        (images("ghcr.io/org"), None),
        (images("ghcr.io/org/*"), None),
        (images("ghcr.io/*"), None),
        (images("*.azurecr.io:5000/a/b/"), None),
        (images("https://ghcr.io"), Some("has no scheme")),
        (images("ghcr.io/Org"), Some("has no upper-case letter")),
        (images("ghcr.io/a b"), Some("has no blank")),
        (images("ghcr.io/org*"), Some("* may stand only as a trailing /*")),
        (images("ghcr.io/*/app"), Some("* may stand only as a trailing /*")),
        (images("ghcr.io/org/**"), Some("* may stand only as a trailing /*")),
        (images("ghcr.io/app:1"), Some("no tag and no digest")),
        (images("ghcr.io/app@sha256:0"), Some("no tag and no digest")),
        (images(""), Some("")),
        (json!({}), Some("name")),
        (json!({"namespaces": []}), Some("name")),
        (json!({"namespaces": ["team-{a,b}"]}), Some("")),
        (json!({"namespaces": ["Team"]}), Some("")),
        (json!({"namespaces": ["*"], "excludeNamespaces": ["a b"]}), Some("")),
        (json!({"namespaces": ["*"], "copyName": "a.b-c"}), None),
        (json!({"namespaces": ["*"], "copyName": "A_b"}), Some("")),
        (labels(json!({KYMA_LABEL: "ghcr"})), None),
        (labels(json!({"a": "", "B-c_d.9": "X-y_z.0", "a.b-c.io/d": "e"})), None),
        (
            labels(
                json!({"a".repeat(63): "b".repeat(63), format!("{}/{}", "a".repeat(253), "b".repeat(63)): "c"}),
            ),
            None,
        ),
        (labels(Value::Null), None),
        (labels(json!({})), Some("")),
        (labels(json!({"a": "b c"})), Some("")),
        (labels(json!({"a": "-b"})), Some("")),
        (labels(json!({"a": "b".repeat(64)})), Some("")),
        (labels(json!({"Bad Key!": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"/a": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"a/": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"a/b/c": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"A.io/a": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"a..io/a": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"a_": "b"})), Some("a label key is a name of at most 63 letters")),
        (labels(json!({"a".repeat(64): "b"})), Some("a label key is a name of at most 63 letters")),
        (
            labels(json!({format!("{}/a", "a".repeat(254)): "b"})),
            Some("a label key is a name of at most 63 letters"),
        ),
        (source("team-a", "pull.v1"), None),
        (source("Team", "pull"), Some("spec.secretRef")),
        (source("a.b", "pull"), Some("spec.secretRef")),
        (source("a/../b", "pull"), Some("spec.secretRef")),
        (source("", "pull"), Some("spec.secretRef")),
        (source("team-a", "pull/x"), Some("spec.secretRef")),
        (requires("Exists", &[]), None),
        (requires("In", &["b"]), None),
        (requires("In", &[]), Some("In and NotIn need values")),
        (requires("Exists", &["b"]), Some("Exists and DoesNotExist have none")),
    ]
}

#[tokio::test]
async fn the_api_server_refuses_just_what_the_compiler_refuses() {
    let control_plane = ControlPlane::shared().await;
    control_plane.apply(&serde_json::to_string(&RegistryCredential::crd()).unwrap()).await;
    control_plane.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", CREDENTIALS]).await;
    let api: Api<DynamicObject> = Api::all_with(
        control_plane.client(User::Admin).await,
        &ApiResource::erase::<RegistryCredential>(&()),
    );
    let dry_run = PostParams { dry_run: true, field_manager: None };
    for (spec, says) in table() {
        let mut object = credentials::registry_credential("any", ("sources", "ghcr"), spec.clone());
        if let Some(source) = spec.get("secretRef") {
            object["spec"]["secretRef"] = source.clone();
        }
        let online = api.create(&dry_run, &serde_json::from_value(object.clone()).unwrap()).await;
        let offline = Credential::parse(&serde_json::from_value(object.clone()).unwrap());
        assert_eq!(
            (online.is_err(), offline.is_err()),
            (says.is_some(), says.is_some()),
            "{object}: {online:?}"
        );
        if let (Err(online), Err(offline), Some(says)) = (online, offline, says) {
            let (online, offline) = (online.to_string(), offline.to_string());
            assert!(online.contains(says) && offline.contains(says), "{object}:\n{online}\n{offline}");
        }
    }
}
