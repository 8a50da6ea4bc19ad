//! `RegistryCredential`: which Secret is offered to which namespaces, for which images.

#![expect(unreachable_pub, reason = "deriving KubeSchema repeats each public struct inside a function")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::credential_status::RegistryCredentialStatus;

/// Offers the registry Secret of one namespace to the pods of others.
///
/// Whoever may write one can have the Secret copied; see `manifests/admission-policy.yaml`.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[kube(
    group = "regcred.dev",
    version = "v1alpha1",
    kind = "RegistryCredential",
    plural = "registrycredentials",
    shortname = "regcred",
    doc = "Offers a registry Secret to the pods of other namespaces, which get it as their pull Secret.",
    status = "RegistryCredentialStatus",
    printcolumn(name = "Registries", type_ = "string", json_path = ".status.summary.registries", description = "The hosts it has credentials for"),
    printcolumn(name = "Synced", type_ = "string", json_path = ".status.summary.synced", description = "Copies that hold what the source holds, of those wanted"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether nothing needs a person's hand"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is ready, or not"),
    printcolumn(name = "Last Rotation", type_ = "date", json_path = ".status.lastRotation.time", description = "How long ago the source got other content that reached all copies"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.secretRef.namespace", priority = 1, description = "Where the source Secret is"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".spec.secretRef.name", priority = 1, description = "The source Secret"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1, description = "Why it is ready or not, in a sentence"),
    validation = Rule::new("has(self.spec.copyName) || size(self.metadata.name) <= 245")
        .message("the copies' name, regcred-<name>, would be longer than 253 characters: set copyName or shorten the name")
)]
#[x_kube(validation = Rule::new("(has(self.namespaces) && size(self.namespaces) > 0) || has(self.namespaceSelector)")
    .message("name the namespaces: set namespaces (['*'] for all) or namespaceSelector ({} for all)"))]
#[serde(rename_all = "camelCase")]
pub struct RegistryCredentialSpec {
    /// The registry Secret, of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg, that is offered.
    pub secret_ref: SecretReference,

    /// Namespaces that it is offered to, as names or as globs with `*` and `?` that match whole names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9*?]([-a-z0-9*?]*[a-z0-9*?])?$"))
    )]
    pub namespaces: Vec<String>,

    /// Labels of the namespaces that it is offered to, besides those that `namespaces` names. `{}` selects all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,

    /// Namespaces that it is not offered to, whatever the other fields say; names or globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9*?]([-a-z0-9*?]*[a-z0-9*?])?$"))
    )]
    pub exclude_namespaces: Vec<String>,

    /// Narrows the images it is for: a host as in a registry Secret, and whole segments of the path. Empty means
    /// every registry in the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 255)))]
    #[x_kube(
        validation = Rule::new("self.all(image, !image.contains('://'))")
            .message("an image pattern has no scheme: write ghcr.io/org instead of https://ghcr.io/org"),
        validation = Rule::new("self.all(image, !image.matches('[A-Z]'))")
            .message("an image pattern has no upper-case letter: no image name has one, so it would never match"),
        validation = Rule::new("self.all(image, !image.matches('\\\\s'))")
            .message("an image pattern has no blank: no image name has one, so it would never match"),
        validation = Rule::new("self.all(image, !image.matches('/.*[^/][*]|/.*[*].'))")
            .message("in the path of an image pattern, * may stand only as a trailing /*: paths match by whole segments"),
        validation = Rule::new("self.all(image, !image.matches('@|/.*:'))")
            .message("an image pattern has no tag and no digest: it is for all versions of an image")
    )]
    pub images: Vec<String>,

    /// The labels of the Secret that Kyma's Lifecycle Manager is to pull modules with. Where a `ModuleTemplate` is in a registry
    /// that this credential is for, each layer without a label oci-registry-cred is given one that selects these. Nothing is
    /// added unless it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16, "additionalProperties" = label_value()))]
    #[x_kube(
        validation = Rule::new("self.all(key, key.matches('^([^/]{1,253}/)?[^/]{1,63}$'))").message(LABEL_KEY),
        validation = Rule::new("self.all(key, key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$'))").message(LABEL_KEY)
    )]
    pub module_labels: Option<BTreeMap<String, String>>,

    /// Name of the copies; regcred-<name> unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub copy_name: Option<String>,

    /// When a namespace gets its copy: once a pod there needs it, or at once.
    #[serde(default)]
    pub distribution: Distribution,

    /// What happens to a Secret that is there under the copy's name and is not ours.
    #[serde(default)]
    pub conflict: Conflict,

    /// Whether pods are changed and Secrets copied, or only told and counted what would be.
    #[serde(default)]
    pub mode: Mode,
}

/// What both rules on the keys of labels say; in the words of [`crate::model::label::LabelError::Key`].
const LABEL_KEY: &str = "a label key is a name of at most 63 letters, digits, '-', '_' and '.', that begins and ends with a \
     letter or digit, after an optional DNS name and '/'";

/// The schema of a label's value.
fn label_value() -> Value {
    json!({"type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"})
}

/// When a namespace gets its copy.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// When the first pod that needs it is admitted; it goes some time after the last such pod has gone.
    #[default]
    OnDemand,
    /// As soon as the namespace is there, and for as long as it is offered the credential.
    Eager,
}

/// What happens to a Secret that is there under the copy's name and is not ours. Neither way touches a Secret of another
/// type, another credential's copy, or a Secret that a controller owns; and what was taken over is given back, never
/// deleted.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflict {
    /// It is left as it is, and pods do not get its name.
    #[default]
    Refuse,
    /// It is taken over if it has the same type and the same bytes.
    Adopt,
    /// It is taken over if it has the same type, whatever its bytes, which are replaced.
    Overwrite,
}

/// Whether a credential has effects.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Pods get its pull Secret.
    #[default]
    Enforce,
    /// No pod is changed and no copy made; pods that would get it are warned about and counted. Copies from before follow
    /// their source for as long as pods need them.
    Audit,
}

/// A Secret by namespace and name.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Namespace of the Secret.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Name of the Secret.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// A label selector whose operators the schema checks.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements that must all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One requirement on a label.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[x_kube(validation = Rule::new("self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0")
    .message("In and NotIn need values, Exists and DoesNotExist have none"))]
#[serde(rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// Key of the label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label is compared.
    pub operator: SelectorOperator,
    /// Values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a requirement compares a label.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectorOperator {
    /// The label's value is one of the values.
    In,
    /// The label is absent, or its value is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl From<NamespaceSelector> for LabelSelector {
    fn from(selector: NamespaceSelector) -> Self {
        let match_expressions =
            selector.match_expressions.into_iter().map(|requirement| LabelSelectorRequirement {
                key: requirement.key,
                operator: format!("{:?}", requirement.operator),
                values: Some(requirement.values),
            });
        Self {
            match_labels: Some(selector.match_labels),
            match_expressions: Some(match_expressions.collect()),
        }
    }
}
