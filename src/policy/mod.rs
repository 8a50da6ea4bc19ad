//! Decisions: pure functions of a request and of what is known. No clock, no runtime, no client.
//!
//! A decision that lacks something says what it needs; the caller gets it under one deadline and asks again. The
//! server, `regcred check` and the tests call the same functions.

mod decision;
mod ephemeral;
pub mod explain;
mod inject;
mod lacking;
mod modules;
mod needs;
mod offers;
mod patch;
mod protect;
mod shown;
mod standing;
mod warning;

#[cfg(test)]
pub(crate) mod tests;

use std::time::Instant;

use crate::configuration::Configuration;
use crate::knowledge::Snapshot;
use crate::model::module;
use crate::model::reference::ReferrerKind;
use crate::review::Request;

pub use decision::{Decision, Effect, Outcome, Reason};
pub use lacking::{Lacking, lacking};
pub use needs::{Answers, MOST_SECRETS, NamespaceAnswer, Need, SecretQuery, SecretsAnswer};
pub use patch::{ModuleLabels, Patch, PullSecrets, SecretMarks};
pub use warning::Warnings;

/// A step of deciding.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time for each request, and none is kept")]
pub enum Step {
    /// Decided.
    Decided(Decision),
    /// These must be carried out first, and their answers given to the next step.
    Needs(Vec<Need>),
}

/// The rules, one for each entry of the webhook configurations. Several may look at one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Adds pull Secrets to a pod that is being created.
    Inject,
    /// Labels the layers of a module, where a credential says how.
    ModuleLabels,
    /// Warns when an ephemeral container needs a pull Secret that its pod does not name.
    Ephemeral,
    /// Requires that the layers of a module can be pulled.
    Modules,
    /// Warns when a Secret that modules are pulled with is of no use for that, and when the last one goes.
    ModuleSecrets,
    /// Keeps on Secrets that are in use the marks by which they are known.
    SecretMarks,
    /// Requires that what an object is about to point to is there, stays there, and is of use.
    SecretReferences,
    /// Keeps Secrets that are marked as in use from being deleted or let go.
    SecretsInUse,
    /// Keeps Secrets that are in use without being marked from being deleted.
    SecretDeletions,
}

impl Rule {
    /// All rules, in the order in which the API server asks: those that change objects first.
    pub const ALL: [Self; 9] = [
        Self::Inject,
        Self::ModuleLabels,
        Self::SecretMarks,
        Self::Ephemeral,
        Self::Modules,
        Self::ModuleSecrets,
        Self::SecretReferences,
        Self::SecretsInUse,
        Self::SecretDeletions,
    ];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inject => "inject",
            Self::ModuleLabels => "module_labels",
            Self::Ephemeral => "ephemeral",
            Self::Modules => "modules",
            Self::ModuleSecrets => "module_secrets",
            Self::SecretMarks => "secret_marks",
            Self::SecretReferences => "secret_references",
            Self::SecretsInUse => "secrets_in_use",
            Self::SecretDeletions => "secret_deletions",
        }
    }

    /// The path under which the webhook configurations call it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Inject => "/mutate/pods",
            Self::ModuleLabels => "/mutate/module-templates",
            Self::Ephemeral => "/validate/ephemeral-containers",
            Self::Modules => "/validate/module-templates",
            Self::ModuleSecrets => "/validate/module-secrets",
            Self::SecretMarks => "/mutate/secrets",
            Self::SecretReferences => "/validate/secret-references",
            Self::SecretsInUse => "/validate/secrets-in-use",
            Self::SecretDeletions => "/validate/secret-deletions",
        }
    }

    /// The name of its entry.
    pub fn webhook(self) -> &'static str {
        match self {
            Self::Inject => "inject-pull-secrets.regcred.dev",
            Self::ModuleLabels => "module-labels.regcred.dev",
            Self::Ephemeral => "ephemeral-containers.regcred.dev",
            Self::Modules => "module-templates.regcred.dev",
            Self::ModuleSecrets => "module-secrets.regcred.dev",
            Self::SecretMarks => "secret-marks.regcred.dev",
            Self::SecretReferences => "secret-references.regcred.dev",
            Self::SecretsInUse => "secrets-in-use.regcred.dev",
            Self::SecretDeletions => "secret-deletions.regcred.dev",
        }
    }

    /// The kind of configuration that its entry is in.
    pub fn configuration_kind(self) -> &'static str {
        match self {
            Self::Inject | Self::ModuleLabels | Self::SecretMarks => "MutatingWebhookConfiguration",
            _ => "ValidatingWebhookConfiguration",
        }
    }

    /// Whether it is about pods, and thereby about the credentials that they are given.
    pub fn is_about_pods(self) -> bool {
        matches!(self, Self::Inject | Self::Ephemeral)
    }

    /// Whether it is asked only about namespaces that regcred is not kept out of, where it is limited to some: it is about
    /// pods, or about Secrets and what points to them.
    pub fn keeps_to_scope(self) -> bool {
        !matches!(self, Self::ModuleLabels | Self::Modules)
    }

    /// Whether it is one of those that together keep Secrets in use from vanishing.
    pub fn keeps_secrets_in_use(self) -> bool {
        matches!(
            self,
            Self::SecretMarks | Self::SecretReferences | Self::SecretsInUse | Self::SecretDeletions
        )
    }

    /// The rules that look at a request, in the order in which the API server asks; none for kinds and operations that no
    /// rule looks at.
    pub fn for_request(request: &Request<'_>) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|rule| rule.looks_at(request))
    }

    /// Whether it looks at requests of this kind and operation.
    pub fn looks_at(self, request: &Request<'_>) -> bool {
        let resource = &request.resource;
        let asked = (&*resource.group, &*resource.resource, request.sub_resource(), &*request.operation);
        match self {
            Self::Inject => asked == ("", "pods", "", "CREATE"),
            Self::Ephemeral => asked == ("", "pods", "ephemeralcontainers", "UPDATE"),
            Self::ModuleSecrets => matches!(asked, ("", "secrets", "", "CREATE" | "UPDATE" | "DELETE")),
            Self::SecretMarks => matches!(asked, ("", "secrets", "", "CREATE" | "UPDATE")),
            Self::SecretsInUse => matches!(asked, ("", "secrets", "", "UPDATE" | "DELETE")),
            Self::SecretDeletions => asked == ("", "secrets", "", "DELETE"),
            Self::SecretReferences => {
                asked.2.is_empty()
                    && matches!(asked.3, "CREATE" | "UPDATE")
                    && ReferrerKind::reserving()
                        .any(|kind| (kind.group(), kind.resource()) == (asked.0, asked.1))
            }
            Self::ModuleLabels | Self::Modules => {
                matches!(asked, (module::GROUP, "moduletemplates", "", "CREATE" | "UPDATE"))
            }
        }
    }

    /// Decides about a request, or says what is needed for that.
    pub fn decide(
        self,
        request: &Request<'_>,
        known: &Snapshot,
        configuration: &Configuration,
        answers: &Answers,
        now: Instant,
    ) -> Step {
        match self {
            Self::Inject => inject::decide(request, known, answers, now),
            Self::ModuleLabels => modules::labelling::decide(request, known, &configuration.modules),
            Self::Ephemeral => ephemeral::decide(request, known, answers),
            Self::Modules => modules::decide(request, &known.scope, &configuration.modules, answers),
            Self::ModuleSecrets => modules::secret::decide(request, known, &configuration.modules, answers),
            Self::SecretMarks => protect::marks::decide(request, known, answers),
            Self::SecretReferences => protect::references::decide(request, known, answers),
            Self::SecretsInUse => protect::secrets::decide_marked(request, known, answers),
            Self::SecretDeletions => protect::secrets::decide_unmarked(request, known, answers),
        }
    }
}
