//! What a request has to do with the layers of a module.

use crate::configuration::Modules;
use crate::model::module::{Component, Descriptor, Location, ModuleTemplate, Unrecognised};
use crate::review::Request;

/// What a request writes.
pub(super) enum Concern {
    /// Nothing that is pulled with credentials, or nothing of it that changes.
    Nothing,
    /// Something that cannot be judged.
    Unrecognised(Unrecognised),
    /// A module whose layers need credentials.
    Module {
        /// As it is to be.
        component: Box<Component>,
        /// As it is, if that needs credentials already.
        old: Option<Box<Component>>,
    },
}

impl Concern {
    pub(super) fn of(request: &Request<'_>, rules: &Modules) -> Self {
        let Some(template) = request.object.map(ModuleTemplate::read) else {
            return Self::Nothing;
        };
        let old = request.old_object.map(ModuleTemplate::read);
        if template.is_terminating || old.as_ref().is_some_and(|old| old.has_spec_of(&template)) {
            return Self::Nothing;
        }
        let component = match template.descriptor() {
            Descriptor::Empty => return Self::Nothing,
            Descriptor::Unrecognised(reason) => return Self::Unrecognised(reason),
            Descriptor::Component(component) => component,
        };
        if !needs_credentials(&component, rules) {
            return Self::Nothing;
        }
        let old = old.and_then(|old| match old.descriptor() {
            Descriptor::Component(component) => Some(component),
            Descriptor::Empty | Descriptor::Unrecognised(_) => None,
        });
        let old = old.filter(|old| needs_credentials(old, rules)).map(Box::new);
        Self::Module { component: Box::new(component), old }
    }
}

/// Whether anything of a module is pulled from a registry that is not public.
fn needs_credentials(component: &Component, rules: &Modules) -> bool {
    let is_public = match &component.location {
        Location::Nowhere => return false,
        Location::Unknown => false,
        Location::Repository(repository) => rules.is_public(&repository.image_target(&component.name)),
    };
    !is_public && component.local_blobs().next().is_some()
}
