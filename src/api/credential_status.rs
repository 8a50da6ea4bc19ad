//! What regcred tells of a `RegistryCredential`.
//!
//! Every member may be missing and every number is wide: the status of an older or newer regcred must never keep the
//! credential itself from being read.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What regcred has seen and done. Written by the replica that leads, at most once in 5 seconds.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryCredentialStatus {
    /// The generation of the spec that all this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `SourceValid`, `Synced` and `Conflict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The hosts that it has credentials for; at most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// How many hosts more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_registries: i64,
    /// What is in every copy; missing while one holds something else, or is still to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// How many copies there should be, and are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<CopiesStatus>,
    /// The last time that the source got other content and every copy followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotation: Option<LastRotation>,
    /// The above in a few words, for the columns of `kubectl get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<StatusSummary>,
}

/// One aspect of the state; the members that Kubernetes' conditions have.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    /// Whether it holds.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// The generation of the spec that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when `status` has this value.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// The reason in one word, for programs.
    pub reason: String,
    /// The reason in a sentence, and what to do about it.
    pub message: String,
}

/// The source as every copy holds it.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct SourceStatus {
    /// The resourceVersion of the source Secret: its content is in every copy, also where no pod needs one any more.
    pub resource_version: String,
}

/// How many copies there should be, and are.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct CopiesStatus {
    /// Namespaces that should have a copy: with distribution `OnDemand` those of its namespaces in which a pod needs it,
    /// with `Eager` all of them.
    pub wanted: i64,
    /// Of these, those whose copy holds what the source holds now.
    pub synced: i64,
    /// Of these, those in which something stands in the way.
    pub failed: i64,
    /// What stands in the way, by namespace; at most the first 10.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace"]))]
    pub failures: Vec<CopyFailure>,
    /// How many failures more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_failures: i64,
}

/// What stands in the way of the copy in a namespace.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct CopyFailure {
    /// The namespace.
    pub namespace: String,
    /// The reason in one word.
    pub reason: String,
    /// The reason in a sentence.
    pub message: String,
}

/// One change of the source's content, and how it spread.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct LastRotation {
    /// When the new content was seen.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// How many seconds later the slowest copy held it.
    pub seconds: f64,
    /// How many copies followed.
    pub copies: i64,
}

/// The status in a few words.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_what_is_always_written)]
pub struct StatusSummary {
    /// The first registries, and how many more there are.
    pub registries: String,
    /// How many copies are synced of those wanted.
    pub synced: String,
}

/// Members that may be missing where we read are required where anybody writes: for the API server a default that its
/// own schema does not allow is a mistake, and so is a list's key that is neither required nor has one.
fn require_what_is_always_written(schema: &mut Schema) {
    let mut required = Vec::new();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            if property.as_object_mut().is_some_and(|property| property.remove("default").is_some()) {
                required.push(Value::from(name.as_str()));
            }
        }
    }
    schema.insert("required".to_owned(), required.into());
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl RegistryCredentialStatus {
    /// A condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }
}
