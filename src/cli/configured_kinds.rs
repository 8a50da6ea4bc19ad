//! The rights on the kinds that the configuration describes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::namespace::REGCRED_NAMESPACE;
use crate::model::reference::ReferrerKind;

/// Whose rights they are.
const ACCOUNT: &str = "regcred";
/// The name of the roles and their bindings.
const NAME: &str = "regcred-configured-kinds";
const GROUP: &str = "rbac.authorization.k8s.io";

/// A role and its binding in each namespace, or in all if none is listed; nothing when no kind is described.
pub(super) fn roles(kinds: &[ReferrerKind], namespaces: &[Arc<str>]) -> Vec<Value> {
    let rules: Vec<Value> = kinds.iter().map(rule).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let of = |prefix: &str, namespace: Option<&Arc<str>>| {
        let mut metadata = json!({"name": NAME, "labels": {"app.kubernetes.io/name": ACCOUNT}});
        if let (Some(namespace), Some(fields)) = (namespace, metadata.as_object_mut()) {
            fields.insert("namespace".to_owned(), json!(namespace));
        }
        let (api_version, role) = (format!("{GROUP}/v1"), format!("{prefix}Role"));
        [
            json!({"apiVersion": api_version, "kind": role, "metadata": metadata, "rules": rules}),
            json!({
                "apiVersion": api_version, "kind": format!("{role}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": role, "name": NAME},
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": REGCRED_NAMESPACE}],
            }),
        ]
    };
    match namespaces {
        [] => of("Cluster", None).into(),
        namespaces => namespaces.iter().flat_map(|namespace| of("", Some(namespace))).collect(),
    }
}

/// Of one that is only listed nothing is read by name.
fn rule(kind: &ReferrerKind) -> Value {
    let verbs: &[&str] = if kind.is_watched() { &["get", "list", "watch"] } else { &["list"] };
    json!({"apiGroups": [kind.group()], "resources": [kind.resource()], "verbs": verbs})
}
