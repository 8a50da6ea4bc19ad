//! The manifests of a regcred that is limited to some namespaces, as far as they differ by these.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::namespace::REGCRED_NAMESPACE;
use crate::model::reference::ReferrerKind;
use crate::policy::Rule;

/// The name of everything that belongs to regcred.
const NAME: &str = "regcred";
/// The namespaces whose pods wait for nobody; as in `manifests/webhooks.yaml`.
const SYSTEM_NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", REGCRED_NAMESPACE];

/// A role and its binding in each namespace: what the cluster role of the base gives in all of them, and the component
/// `evict-failing-pods` if that is wanted.
pub(super) fn roles(namespaces: &[Arc<str>], evicts: bool) -> Vec<Value> {
    let mut rules = vec![
        json!({
            "apiGroups": [""],
            "resources": ["secrets"],
            "verbs": ["list", "watch", "get", "create", "patch", "delete"],
        }),
        json!({"apiGroups": [""], "resources": ["pods", "serviceaccounts"], "verbs": ["list", "watch"]}),
    ];
    rules.extend(ReferrerKind::ALL.map(|kind| {
        json!({"apiGroups": [kind.group()], "resources": [kind.resource()], "verbs": ["get", "list", "watch"]})
    }));
    if evicts {
        rules.push(json!({"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}));
    }
    let metadata = |namespace: &str| json!({"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/name": NAME}});
    let group = "rbac.authorization.k8s.io";
    let of_namespace = |namespace: &Arc<str>| {
        let role = json!({
            "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata(namespace), "rules": rules,
        });
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata(namespace),
            "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": REGCRED_NAMESPACE}],
        });
        [role, binding]
    };
    namespaces.iter().flat_map(of_namespace).collect()
}

/// Patches: the server looks at these namespaces alone, and is asked about pods and Secrets of no others.
pub(super) fn limits(namespaces: &[Arc<str>], evicts: bool) -> Vec<Value> {
    let names: Vec<&str> = namespaces.iter().map(AsRef::as_ref).collect();
    let entry = |rule: &Rule| {
        let mut expressions = vec![
            json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}),
            json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": SYSTEM_NAMESPACES}),
        ];
        if rule.is_about_pods() {
            expressions
                .push(json!({"key": "regcred.dev/inject", "operator": "NotIn", "values": ["disabled"]}));
        }
        json!({"name": rule.webhook(), "namespaceSelector": {"matchExpressions": expressions}})
    };
    let mut variables = vec![json!({"name": "REGCRED_NAMESPACES", "value": names.join(",")})];
    if evicts {
        variables.push(json!({"name": "REGCRED_EVICT_FAILING_PODS", "value": "true"}));
    }
    let container = json!({"name": NAME, "env": variables});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": REGCRED_NAMESPACE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    });
    let rules: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| rule.keeps_to_scope()).collect();
    let of_kinds = rules.chunk_by(|one, next| one.configuration_kind() == next.configuration_kind());
    let configurations = of_kinds.filter_map(|rules| {
        Some(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": rules.first()?.configuration_kind(),
            "metadata": {"name": NAME},
            "webhooks": rules.iter().map(entry).collect::<Vec<Value>>(),
        }))
    });
    std::iter::once(deployment).chain(configurations).collect()
}
