//! What people are told about a `ModuleTemplate`.

use super::Finding;
use super::layers::Layer;
use super::secrets::SecretFinding;
use crate::configuration::FindingKind;
use crate::model::module::{Component, Location, Selector};
use crate::policy::shown::{listed, shown, shown_at_length};

/// What can be done without a label where it is known which registry the layers are in.
const OTHERWISE: &str = " If the registry is public, list it in modules.publicRegistries of regcred's configuration; or let \
    regcred add the label, by moduleLabels of the RegistryCredential for the registry.";

/// The words about one module.
pub(super) struct Words<'a> {
    component: &'a Component,
}

impl<'a> Words<'a> {
    pub(super) fn of(component: &'a Component) -> Self {
        Self { component }
    }

    pub(super) fn missing(&self, layers: &[Layer<'_>], may_refuse: bool) -> Finding {
        let names = listed(layers.iter().map(|layer| shown(&layer.called)));
        let (module, path) = (self.module(), self.component.path_of_labels());
        let otherwise = match &self.component.location {
            Location::Repository(_) => OTHERWISE,
            Location::Nowhere | Location::Unknown => "",
        };
        Finding {
            kind: FindingKind::MissingLabel,
            may_refuse,
            sentence: format!(
                "These layers of {module} have no label oci-registry-cred, by which Lifecycle Manager finds the Secret to pull \
                 them with: {names}. Add to each, in {path}: {{name: oci-registry-cred, value: \
                 {{operator.kyma-project.io/oci-registry-cred: NAME}}}}, and give the Secret the label \
                 operator.kyma-project.io/oci-registry-cred=NAME.{otherwise}"
            ),
            warning: format!("these layers have no label oci-registry-cred: {names}"),
        }
    }

    pub(super) fn malformed(&self, layers: &[Layer<'_>], may_refuse: bool) -> Finding {
        let each = listed(layers.iter().map(|layer| {
            let why = layer.malformed.map(ToString::to_string).unwrap_or_default();
            format!("{} ({})", shown(&layer.called), shown_at_length(&why))
        }));
        Finding {
            kind: FindingKind::MalformedLabel,
            may_refuse,
            sentence: format!(
                "The label oci-registry-cred of these layers of {} cannot be used: {each}. Write it, in {}, as {{name: \
                 oci-registry-cred, value: {{operator.kyma-project.io/oci-registry-cred: NAME}}}}: its value is an object of the \
                 labels that the Secret has, all strings.",
                self.module(),
                self.component.path_of_labels()
            ),
            warning: format!("the label oci-registry-cred cannot be used: {each}"),
        }
    }

    pub(super) fn of_secrets(
        &self,
        finding: SecretFinding,
        selector: &Selector,
        may_refuse: bool,
    ) -> Finding {
        let SecretFinding { kind, text, remedy, is_certain } = finding;
        Finding {
            kind,
            may_refuse: may_refuse && is_certain,
            sentence: format!(
                "The Secrets that the label oci-registry-cred selects for {} ({}): {text}. {remedy}",
                self.module(),
                shown_at_length(selector)
            ),
            warning: text,
        }
    }

    fn module(&self) -> String {
        let name = shown(&self.component.name);
        match &self.component.location {
            Location::Repository(repository) => {
                format!("module {name} in {}", shown_at_length(repository.base()))
            }
            Location::Nowhere | Location::Unknown => format!("module {name}"),
        }
    }
}
