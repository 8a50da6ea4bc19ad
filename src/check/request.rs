//! The review of an object, as the API server would send it.

use std::collections::HashMap;

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::Operation;
use super::objects::{ApiObject, Identity};
use super::problem::Reason;
use crate::configuration::Configuration;

/// The uid of the reviews that are made here; nobody sees it.
const UID: &str = "offline";

/// Objects as they are before an update.
pub(crate) type OldObjects = HashMap<Identity, ApiObject>;

/// Makes reviews of objects.
pub(crate) struct Requests {
    pub(crate) operation: Operation,
    /// The namespace of pods, Secrets and what points to Secrets, where they name none.
    pub(crate) namespace: String,
    pub(crate) old: OldObjects,
}

impl Requests {
    /// The review of an object, as JSON: the server's decoder reads it, as it reads those of the API server.
    pub(crate) fn review(&self, mut object: ApiObject) -> Result<String, Reason> {
        let identity = object.identity(&self.namespace);
        let is_in_a_namespace = object.is("", "Pod")
            || object.is("", "Secret")
            || object.referrer(&self.namespace, &Configuration::default()).is_some();
        if is_in_a_namespace && object.metadata("namespace").is_empty() {
            // The API server fills it in before it asks.
            if let Some(Value::Object(metadata)) = object.value.get_mut("metadata") {
                metadata.insert("namespace".to_owned(), self.namespace.as_str().into());
            }
        }
        let has_namespace = is_in_a_namespace || !object.metadata("namespace").is_empty();
        let kind = GroupVersionKind::gvk(&object.group, &object.version, &object.kind);
        let resource = ApiResource::from_gvk(&kind);
        let mut request = json!({
            "uid": UID,
            "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "name": object.metadata("name"),
            "namespace": if has_namespace { identity.2.as_str() } else { "" },
            "operation": self.operation.in_review(),
            "userInfo": {},
            "object": Value::Null,
            "oldObject": Value::Null,
            "dryRun": false,
        });
        let mut set = |field: &str, value: Value| {
            if let Value::Object(request) = &mut request {
                request.insert(field.to_owned(), value);
            }
        };
        match self.operation {
            Operation::Create => set("object", object.value),
            Operation::Delete => set("oldObject", object.value),
            Operation::Update => {
                let old = self.old.get(&identity).ok_or_else(|| Reason::NoOldObject(object.description()))?;
                // Nothing else may change them: whoever does, writes that subresource.
                if object.is("", "Pod") && ephemeral_containers(&object) != ephemeral_containers(old) {
                    set("subResource", "ephemeralcontainers".into());
                }
                set("oldObject", old.value.clone());
                set("object", object.value);
            }
        }
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        Ok(review.to_string())
    }
}

fn ephemeral_containers(pod: &ApiObject) -> &[Value] {
    let containers = pod.value.pointer("/spec/ephemeralContainers").and_then(Value::as_array);
    containers.map(Vec::as_slice).unwrap_or_default()
}
