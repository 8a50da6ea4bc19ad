//! Component descriptors (`ocm.software`), in the two schemas that Lifecycle Manager reads.
//!
//! Read by structure, without a schema: what is not understood is Lifecycle Manager's to report, and no reason to refuse
//! anything, but for labels of a layer that no label could be found in or added to.

use thiserror::Error;

use super::credential_label::{CredentialLabel, Malformed};
use super::repository::Repository;
use crate::model::json::{Json, Type};

/// The layer that Lifecycle Manager installs, since version 1.1.4; before, it took the last one that is not [`CONFIG`].
const INSTALLED: &str = "raw-manifest";
/// The layers that it reads other things from.
const CONFIG: [&str; 2] = ["config", "crds"];

/// What is read of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Descriptor {
    /// There is none, as in every `ModuleTemplate` of a Lifecycle Manager that reads it from the registry (1.8.0 on).
    Empty,
    /// It says nothing that could be judged.
    Unrecognised(Unrecognised),
    /// A component.
    Component(Component),
}

/// Why a descriptor says nothing that could be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unrecognised {
    /// The marks or the structures of both schemas.
    #[error("it looks like both schemas, v2 and v3alpha1")]
    BothSchemas,
    /// The structure of neither schema.
    #[error("it has neither component nor spec")]
    NoSchema,
}

/// A module's component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its schema.
    pub schema: Schema,
    /// Its name.
    pub name: String,
    /// Where its layers are; without a repository context nothing is pulled.
    pub location: Location,
    /// Its resources, in order.
    pub resources: Vec<Resource>,
    /// Whether the label stands where nothing reads it: on the component.
    pub is_labelled: bool,
}

/// The schema of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `meta.schemaVersion: v2`
    V2,
    /// `apiVersion: ocm.software/v3alpha1`
    V3Alpha1,
}

/// Where layers are, by the last repository context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// There is no repository context.
    Nowhere,
    /// The context names no repository that could be understood.
    Unknown,
    /// There.
    Repository(Repository),
}

/// A resource of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name; empty if it has none.
    pub name: String,
    /// How it is got.
    pub access: Access,
    /// Which Secrets it is pulled with.
    pub label: CredentialLabel,
    /// Whether it has a list of labels.
    pub has_labels: bool,
}

/// How a resource is got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// As a layer of the module, with the Secrets that its label selects.
    LocalBlob,
    /// As an image of its own, which Lifecycle Manager does not pull.
    Artifact,
    /// By what Lifecycle Manager does not support.
    Other,
}

impl Access {
    fn of(access_type: &str) -> Self {
        match access_type {
            "localBlob" | "localBlob/v1" | "localOciBlob" | "localOciBlob/v1" => Self::LocalBlob,
            "ociArtifact" | "ociArtifact/v1" | "ociRegistry" | "ociRegistry/v1" => Self::Artifact,
            _ => Self::Other,
        }
    }
}

impl Schema {
    /// The path of the resources within a descriptor.
    pub fn resources(self) -> &'static [&'static str] {
        match self {
            Self::V2 => &["component", "resources"],
            Self::V3Alpha1 => &["spec", "resources"],
        }
    }

    fn contexts(self) -> &'static [&'static str] {
        match self {
            Self::V2 => &["component", "repositoryContexts"],
            Self::V3Alpha1 => &["repositoryContexts"],
        }
    }

    /// Where name and labels of the component are.
    fn component(self) -> &'static str {
        match self {
            Self::V2 => "component",
            Self::V3Alpha1 => "metadata",
        }
    }

    /// By structure, for older templates have no `meta`; where both structures are there, by the mark.
    fn of(descriptor: Json<'_>) -> Result<Self, Unrecognised> {
        let has_object =
            |path: &[&str]| descriptor.at(path).is_some_and(|value| value.json_type() == Type::Object);
        let is_marked =
            |path: &[&str]| descriptor.at(path).and_then(Json::text).is_some_and(|text| !text.is_empty());
        let structure = (has_object(&["component"]), has_object(&["spec"]));
        match (structure, is_marked(&["meta", "schemaVersion"]), is_marked(&["apiVersion"])) {
            (_, true, true) | ((true, true), false, false) => Err(Unrecognised::BothSchemas),
            ((true, false), ..) | ((true, true), true, false) => Ok(Self::V2),
            ((false, true), ..) | ((true, true), false, true) => Ok(Self::V3Alpha1),
            ((false, false), ..) => Err(Unrecognised::NoSchema),
        }
    }
}

impl Descriptor {
    /// Reads `spec.descriptor`.
    pub fn read(descriptor: Option<Json<'_>>) -> Self {
        let Some(descriptor) = descriptor.filter(|value| value.json_type() != Type::Null) else {
            return Self::Empty;
        };
        if descriptor.json_type() == Type::Object && descriptor.fields().is_empty() {
            return Self::Empty;
        }
        match Schema::of(descriptor) {
            Ok(schema) => Self::Component(Component::read(descriptor, schema)),
            Err(unrecognised) => Self::Unrecognised(unrecognised),
        }
    }
}

impl Component {
    fn read(descriptor: Json<'_>, schema: Schema) -> Self {
        let items = |path: &[&str]| descriptor.at(path).map(Json::items).unwrap_or_default();
        let component = descriptor.field(schema.component());
        let name = component.and_then(|component| component.field("name")).and_then(Json::text);
        let labels = component.and_then(|component| component.field("labels"));
        let location = match items(schema.contexts()).last() {
            None => Location::Nowhere,
            Some(context) => Repository::read(*context).map_or(Location::Unknown, Location::Repository),
        };
        Self {
            schema,
            name: name.as_deref().unwrap_or_default().to_owned(),
            location,
            resources: items(schema.resources()).into_iter().map(Resource::read).collect(),
            is_labelled: !matches!(
                CredentialLabel::of(labels),
                CredentialLabel::Absent | CredentialLabel::Malformed(Malformed::NotAList(_))
            ),
        }
    }

    /// The resources whose label counts, with their places in the list.
    pub fn local_blobs(&self) -> impl Iterator<Item = (usize, &Resource)> {
        let pulled = self.location != Location::Nowhere;
        let resources = self.resources.iter().enumerate();
        resources.filter(move |(_, resource)| pulled && resource.access == Access::LocalBlob)
    }

    /// The layer that Lifecycle Manager installs, with whose Secrets it pulls all, and its place in the list.
    pub fn installed(&self) -> Option<(usize, &Resource)> {
        let layers: Vec<(usize, &Resource)> = self.local_blobs().collect();
        // Of several of a name the last one stays.
        let installed = layers.iter().rev().find(|(_, layer)| layer.name == INSTALLED);
        let former = || layers.iter().rev().find(|(_, layer)| !CONFIG.contains(&&*layer.name));
        installed.or_else(former).or(layers.last()).copied()
    }

    /// The resources that need a label once they are pulled and have none, with their places in the list.
    pub fn unlabelled(&self) -> impl Iterator<Item = (usize, &Resource)> {
        let resources = self.resources.iter().enumerate();
        resources.filter(|(_, resource)| {
            resource.access == Access::LocalBlob && resource.label == CredentialLabel::Absent
        })
    }

    /// Where labels of a resource stand, for people.
    pub fn path_of_labels(&self) -> String {
        format!("spec.descriptor.{}[].labels", self.schema.resources().join("."))
    }

    /// The same of one resource, by its place in the list.
    pub fn path_of_labels_of(&self, place: usize) -> String {
        format!("spec.descriptor.{}[{place}].labels", self.schema.resources().join("."))
    }
}

impl Resource {
    /// What it is called: its name, or its place in the list for one that has none.
    pub fn called(&self, place: usize) -> String {
        if self.name.is_empty() { format!("resources[{place}]") } else { self.name.clone() }
    }

    fn read(resource: Json<'_>) -> Self {
        let fields = resource.fields();
        let name = fields.get("name").and_then(Json::text);
        let access_type = fields.get("access").and_then(|access| access.field("type")).and_then(Json::text);
        let labels = fields.get("labels");
        Self {
            name: name.as_deref().unwrap_or_default().to_owned(),
            access: Access::of(access_type.as_deref().unwrap_or_default()),
            label: CredentialLabel::of(labels),
            has_labels: labels.is_some_and(|labels| labels.json_type() == Type::List),
        }
    }
}
