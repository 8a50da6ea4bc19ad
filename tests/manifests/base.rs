//! The base as kustomize would read it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

pub(crate) fn documents(file: &str) -> Vec<Value> {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn listed() -> Vec<String> {
    let kustomization = documents("kustomization.yaml");
    let resources = kustomization[0]["resources"].as_array().unwrap();
    resources.iter().map(|resource| resource.as_str().unwrap().to_owned()).collect()
}

/// Every object that the base installs.
pub(crate) fn objects() -> Vec<Value> {
    listed().iter().flat_map(|file| documents(file)).collect()
}

pub(crate) fn of_kind(kind: &str) -> Vec<Value> {
    objects().into_iter().filter(|object| object["kind"] == kind).collect()
}

pub(crate) fn only(kind: &str) -> Value {
    let mut found = of_kind(kind);
    assert_eq!(found.len(), 1, "one {kind}");
    found.remove(0)
}

pub(crate) fn pod() -> Value {
    only("Deployment")["spec"]["template"]["spec"].clone()
}

pub(crate) fn container() -> Value {
    let containers = pod()["containers"].as_array().unwrap().clone();
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

/// The port that the Deployment's container gives this name.
pub(crate) fn container_port(name: &str) -> Value {
    let container = container();
    let ports = container["ports"].as_array().unwrap();
    ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].clone()
}

pub(crate) fn argument(flag: &str) -> Option<String> {
    let container = container();
    let arguments = container["args"].as_array().unwrap();
    let prefix = format!("{flag}=");
    arguments.iter().find_map(|argument| argument.as_str()?.strip_prefix(&prefix).map(str::to_owned))
}

/// The webhook entries of both configurations.
pub(crate) fn webhooks() -> Vec<Value> {
    ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
        .iter()
        .flat_map(|kind| only(kind)["webhooks"].as_array().unwrap().clone())
        .collect()
}

pub(crate) fn webhook(name: &str) -> Value {
    webhooks().into_iter().find(|webhook| webhook["name"] == name).unwrap()
}
