//! What a large cluster holds, of the usual size.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::harness::credentials::registry_secret;

/// Where the source is.
pub(crate) const SOURCES: &str = "sources";
/// The registry that it is for.
pub(crate) const REGISTRY: &str = "registry.example";
/// Every so many foreign Secrets one is as large as a chart's release gets, and stands beside the source.
const LARGE_ONE_IN: usize = 150;
/// The size of these: just below what a Secret can hold, of which base64 leaves three quarters.
const LARGE: usize = 700_000;
/// The size of the others.
const USUAL: usize = 700;
/// How many registry Secrets that nobody names stand beside the source.
const BESIDE_SOURCE: usize = 1_000;

fn team(number: usize) -> String {
    format!("team-{number:05}")
}

/// A namespace.
pub(crate) fn namespace(number: usize) -> (String, Value) {
    let metadata = json!({
        "name": team(number),
        "labels": {"team": number.to_string(), "tier": "usual", "cost-centre": format!("{}", number % 100)},
        "annotations": {"owner": format!("team-{number}@example.com")},
    });
    ("/api/v1/namespaces".to_owned(), json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
}

/// A Secret that concerns nobody.
pub(crate) fn secret(number: usize, namespaces: usize) -> (String, Value) {
    let name = format!("foreign-{number}");
    let opaque = |namespace: String, size: usize| {
        let data = BASE64_STANDARD.encode(vec![b'x'; size]);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"namespace": namespace, "name": name, "labels": {"app": "foreign"}},
            "data": {"value": data},
        });
        (namespace, secret)
    };
    let registry = |namespace: String| {
        let secret = registry_secret(&namespace, &name, &["foreign.example"]);
        (namespace, secret)
    };
    let (namespace, secret) = if number.is_multiple_of(LARGE_ONE_IN) {
        opaque(SOURCES.to_owned(), LARGE)
    } else if number <= BESIDE_SOURCE {
        registry(SOURCES.to_owned())
    } else if number.is_multiple_of(3) {
        registry(team(number % namespaces))
    } else {
        opaque(team(number % namespaces), USUAL)
    };
    (format!("/api/v1/namespaces/{namespace}/secrets"), secret)
}

/// A pod as a Deployment makes it: about 7 KB once the API server has added its part.
pub(crate) fn pod(number: usize, namespaces: usize) -> (String, Value) {
    let namespace = team(number % namespaces);
    // Five pods of each owner, spread over as many namespaces as there are.
    let owner = format!("web-{}-6b7f9c5d4", number % namespaces);
    let name = format!("{owner}-{number:05}");
    let variables: Vec<Value> = (0..20)
        .map(|index| json!({"name": format!("SETTING_NUMBER_{index}"), "value": format!("a value of the usual length {index}")}))
        .collect();
    let container = |name: &str| {
        json!({
            "name": name,
            "image": format!("{REGISTRY}/team-{}/{name}:1.{}", number % namespaces, number % 7),
            "env": variables,
            "ports": [{"containerPort": 8080, "name": "http"}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
            "volumeMounts": [{"name": "cache", "mountPath": "/var/cache"}],
        })
    };
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": owner, "pod-template-hash": "6b7f9c5d4"},
            "annotations": {"checksum/config": "0".repeat(64), "prometheus.io/scrape": "true"},
            "ownerReferences": [{
                "apiVersion": "apps.example/v1", "kind": "WebSet", "name": owner,
                "uid": format!("00000000-0000-4000-8000-{:012}", number % namespaces), "controller": true,
            }],
        },
        "spec": {
            "containers": [container("app"), container("sidecar")],
            "imagePullSecrets": [{"name": "regcred-pull"}],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    });
    (format!("/api/v1/namespaces/{namespace}/pods"), pod)
}
