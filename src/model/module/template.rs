//! What is read of a `ModuleTemplate`, in any of its versions.

use serde_json::value::RawValue;

use super::descriptor::Descriptor;
use crate::model::json::Json;

/// The API group of `ModuleTemplates`.
pub const GROUP: &str = "operator.kyma-project.io";

/// A `ModuleTemplate` (`operator.kyma-project.io`: v1alpha1, v1beta1 and v1beta2 are alike in what is read).
#[derive(Debug)]
pub struct ModuleTemplate<'a> {
    spec: Option<Json<'a>>,
    /// Whether it is being deleted.
    pub is_terminating: bool,
}

impl<'a> ModuleTemplate<'a> {
    /// Reads an object, whatever it holds.
    pub fn read(object: &'a RawValue) -> Self {
        let object = Json::from(object);
        Self { spec: object.field("spec"), is_terminating: object.is_terminating() }
    }

    /// Whether both say the same in what counts. The API server writes equal objects in equal ways.
    pub fn has_spec_of(&self, other: &Self) -> bool {
        self.spec.map(Json::raw) == other.spec.map(Json::raw)
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::read(self.spec.and_then(|spec| spec.field("descriptor")))
    }
}
