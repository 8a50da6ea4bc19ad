//! What people are told about a `ModuleTemplate`.

use super::Finding;
use super::layers::Layer;
use super::secrets::SecretFinding;
use crate::configuration::FindingKind;
use crate::model::module::{Component, Location, Selector};

/// How many layers are named; of the others there is a count.
const NAMED: usize = 5;
/// The longest name that is shown, in characters: what a Kubernetes label can have. Names of layers have no limit.
const LONGEST_NAME: usize = 63;

/// The words about one module.
pub(super) struct Words<'a> {
    component: &'a Component,
}

impl<'a> Words<'a> {
    pub(super) fn of(component: &'a Component) -> Self {
        Self { component }
    }

    pub(super) fn missing(&self, layers: &[Layer<'_>], is_old: bool) -> Finding {
        let names = listed(layers.iter().map(|layer| shown(&layer.name)));
        let (module, path) = (self.module(), self.component.path_of_labels());
        Finding {
            kind: FindingKind::MissingLabel,
            is_old,
            sentence: format!(
                "These layers of {module} have no label oci-registry-cred, by which Lifecycle Manager finds the Secret to pull \
                 them with: {names}. Add to each, in {path}: {{name: oci-registry-cred, value: \
                 {{operator.kyma-project.io/oci-registry-cred: NAME}}}}, and give the Secret the label \
                 operator.kyma-project.io/oci-registry-cred=NAME. If the registry is public, list it in modules.publicRegistries of \
                 regcred's configuration; or let regcred add the label, by moduleLabels of the RegistryCredential for the registry."
            ),
            warning: format!(
                "layers without the label oci-registry-cred are pulled without a Secret: {names}"
            ),
        }
    }

    pub(super) fn malformed(&self, layers: &[Layer<'_>], is_old: bool) -> Finding {
        let each = listed(layers.iter().map(|layer| {
            let why = layer.malformed.map(ToString::to_string).unwrap_or_default();
            format!("{} ({})", shown(&layer.name), visible(&why, LONGEST_REASON))
        }));
        Finding {
            kind: FindingKind::MalformedLabel,
            is_old,
            sentence: format!(
                "The label oci-registry-cred of these layers of {} cannot be used: {each}. Its value is an object of the \
                 labels that the Secret has, all strings, such as {{operator.kyma-project.io/oci-registry-cred: NAME}}.",
                self.module()
            ),
            warning: format!("the label oci-registry-cred cannot be used: {each}"),
        }
    }

    pub(super) fn of_secrets(&self, finding: SecretFinding, selector: &Selector, is_old: bool) -> Finding {
        let SecretFinding { kind, text } = finding;
        let selector = selecting(selector);
        Finding {
            kind,
            is_old,
            sentence: format!("The label oci-registry-cred of {} ({selector}) {text}.", self.module()),
            warning: format!("{selector} {text}"),
        }
    }

    fn module(&self) -> String {
        let name = shown(&self.component.name);
        match &self.component.location {
            Location::Repository(repository) => {
                format!("module {name} in {}", visible(repository.base(), LONGEST_REASON))
            }
            Location::Nowhere | Location::Unknown => format!("module {name}"),
        }
    }
}

/// The longest reason or address that is shown, in characters: five of them must fit in a message that a terminal shows
/// without scrolling.
const LONGEST_REASON: usize = 200;

/// The first of them, and how many more there are.
pub(in crate::policy) fn listed(mut names: impl ExactSizeIterator<Item = String>) -> String {
    let all = names.len();
    let first: Vec<String> = names.by_ref().take(NAMED).collect();
    match all - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A name, as it may be shown.
pub(in crate::policy) fn shown(name: &str) -> String {
    visible(name, LONGEST_NAME)
}

/// Labels by which Secrets are found, as they may be shown.
pub(in crate::policy) fn selecting(selector: &Selector) -> String {
    visible(&selector.to_string(), LONGEST_REASON)
}

/// On one line, and not longer than that.
fn visible(text: &str, longest: usize) -> String {
    let cut = text.chars().count() > longest;
    let characters =
        text.chars().take(longest).map(|character| if character.is_control() { ' ' } else { character });
    characters.chain(cut.then_some('…')).collect()
}
