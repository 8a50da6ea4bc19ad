//! The shape whose regcred runs outside of the cluster.

use std::fs;
use std::process::Command;

use regcred::policy::Rule;
use serde_json::{Value, json};

use crate::base::{folder, objects, webhook};
use crate::rendering::rendered;

/// The host that the folder is shipped for.
const SHIPPED: &str = "regcred.example.com";

/// What is printed for a host, unless it is refused.
fn generated(host: &str) -> Option<String> {
    let host = format!("--host={host}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
    let output = command.args(["manifests", "garden", &host]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_is_shipped_is_what_is_generated() {
    let shipped = fs::read_to_string(folder().join("garden/webhooks.yaml")).unwrap();
    assert_eq!(shipped, generated(SHIPPED).unwrap(), "run `make garden HOST={SHIPPED}`");
}

#[test]
fn a_host_may_have_a_port_and_nothing_else() {
    for (host, url) in [
        ("192.0.2.1:8443", Some("https://192.0.2.1:8443/mutate/pods")),
        ("[2001:db8::1]:8443", Some("https://[2001:db8::1]:8443/mutate/pods")),
        ("https://regcred.example.com", None),
        ("regcred.example.com/path", None),
        ("user@regcred.example.com", None),
        ("", None),
    ] {
        let text = generated(host);
        assert_eq!(text.is_some(), url.is_some(), "{host}: {text:?}");
        let entries = text.map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap());
        let found = entries.map(|entries| entries[0]["webhooks"][0]["clientConfig"]["url"].clone());
        assert_eq!(found, url.map(Value::from), "{host}");
    }
}

/// What kustomize makes of the base and these components.
fn overlay(components: &str) -> Option<Vec<Value>> {
    let temporary = tempfile::tempdir_in(folder().join("..")).unwrap();
    let kustomization = format!("resources: [../manifests]\ncomponents: [{components}]\n");
    fs::write(temporary.path().join("kustomization.yaml"), kustomization).unwrap();
    Some(serde_saphyr::from_multiple(&rendered(temporary.path())?).unwrap())
}

fn entries(objects: &[Value]) -> Vec<Value> {
    objects.iter().filter_map(|object| object["webhooks"].as_array()).flatten().cloned().collect()
}

#[test]
fn every_entry_calls_by_url_and_is_otherwise_that_of_the_base_but_for_the_namespaces_of_projects() {
    let Some(overlay) = overlay("../manifests/garden") else {
        return;
    };
    let entries = entries(&overlay);
    assert_eq!(entries.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        let entry = entries.iter().find(|entry| entry["name"] == rule.webhook()).unwrap();
        let mut expected = webhook(rule.webhook());
        expected["clientConfig"] = json!({"url": format!("https://{SHIPPED}{}", rule.path())});
        let is_about_secrets_in_use = matches!(
            rule,
            Rule::SecretMarks | Rule::SecretReferences | Rule::SecretsInUse | Rule::SecretDeletions
        );
        if is_about_secrets_in_use {
            expected["namespaceSelector"]["matchLabels"] = json!({"gardener.cloud/role": "project"});
            let system = &expected["namespaceSelector"]["matchExpressions"][0]["values"];
            assert!(system.as_array().unwrap().contains(&json!("kube-system")), "{}", rule.webhook());
        }
        assert_eq!(*entry, expected, "{}", rule.webhook());
    }
}

#[test]
fn nothing_runs_in_the_cluster_and_everything_else_of_the_base_is_there() {
    let Some(overlay) = overlay("../manifests/garden") else {
        return;
    };
    let absent = ["ResourceQuota", "NetworkPolicy", "Service", "Deployment", "PodDisruptionBudget"];
    let left: Vec<Value> =
        objects().into_iter().filter(|object| !absent.contains(&object["kind"].as_str().unwrap())).collect();
    assert_eq!(left.len(), objects().len() - absent.len());
    assert_eq!(overlay.len(), left.len());
    for object in left.iter().filter(|object| object.get("webhooks").is_none()) {
        assert!(overlay.contains(object), "{} {}", object["kind"], object["metadata"]["name"]);
    }
}

#[test]
fn a_garden_can_be_limited_to_some_namespaces_as_well() {
    // In this order: the Deployment that the limits are also for goes last.
    let Some(overlay) = overlay("../manifests/namespaced, ../manifests/garden") else {
        return;
    };
    let entries = entries(&overlay);
    let entry = entries.iter().find(|entry| entry["name"] == Rule::SecretsInUse.webhook()).unwrap();
    assert_eq!(entry["namespaceSelector"]["matchLabels"], json!({"gardener.cloud/role": "project"}));
    let listed = &entry["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(*listed, json!(["registries", "team-a"]));
    assert!(entry["clientConfig"]["service"].is_null());
}
