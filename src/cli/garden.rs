//! The webhook configurations of a regcred that runs outside of the cluster that it is for.

use http::uri::Authority;
use serde_json::{Value, json};

use crate::policy::Rule;

/// Patches: all entries call regcred by URLs of this host and port, and what keeps Secrets in use is asked only about the
/// namespaces of projects.
pub(super) fn webhooks(host: &Authority) -> Vec<Value> {
    let entry = |rule: &Rule| {
        let url = format!("https://{host}{}", rule.path());
        // Null: a service and a URL exclude each other.
        let client = json!({"service": null, "url": url});
        if rule.keeps_secrets_in_use() {
            // Beside the namespaces that the base keeps out.
            let projects = json!({"matchLabels": {"gardener.cloud/role": "project"}});
            json!({"name": rule.webhook(), "clientConfig": client, "namespaceSelector": projects})
        } else {
            json!({"name": rule.webhook(), "clientConfig": client})
        }
    };
    let of_kinds = Rule::ALL.chunk_by(|one, next| one.configuration_kind() == next.configuration_kind());
    let configurations = of_kinds.filter_map(|rules| {
        Some(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": rules.first()?.configuration_kind(),
            "metadata": {"name": "regcred"},
            "webhooks": rules.iter().map(entry).collect::<Vec<Value>>(),
        }))
    });
    configurations.collect()
}

/// A host with or without a port, as it stands in a URL; an IPv6 address in brackets.
pub(super) fn parse_host(text: &str) -> Result<Authority, String> {
    let host: Result<Authority, _> = text.parse();
    let host = host.ok().filter(|host| !host.host().is_empty() && !host.as_str().contains('@'));
    host.ok_or_else(|| {
        "name a host and, unless it is 443, its port, such as regcred.example.com:8443".to_owned()
    })
}
