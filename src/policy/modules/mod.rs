//! Requires of Kyma's `ModuleTemplates` that their layers can be pulled, and labels them where it is known how.
//!
//! Lifecycle Manager finds out when it installs the module, and says so in the state of every Kyma that has it. Here it is
//! said to whoever writes the `ModuleTemplate`.

mod claim;
mod concern;
pub(super) mod label;
mod layers;
pub(super) mod secret;
mod secrets;
pub(super) mod words;

#[cfg(test)]
mod tests;

use super::needs::{Answers, Need, SecretsAnswer};
use super::{Decision, Outcome, Reason, Step};
use crate::configuration::{Action, FindingKind, Modules};
use crate::model::module::{Component, Location, Repository, Selector};
use crate::review::Request;
use concern::Concern;
use words::Words;

/// Something that is wrong with a `ModuleTemplate`.
struct Finding {
    kind: FindingKind,
    /// Whether it was so before.
    is_old: bool,
    /// In a refusal, with what to do.
    sentence: String,
    /// In a warning.
    warning: String,
}

pub(super) fn decide(request: &Request<'_>, rules: &Modules, answers: &Answers) -> Step {
    match Concern::of(request, rules) {
        Concern::Nothing => Step::Decided(Decision::allow(Reason::NotConcerned)),
        Concern::Unrecognised(reason) => {
            let mut decision = Decision::allow(Reason::Unreadable);
            decision
                .warnings
                .add(format!("regcred cannot judge the descriptor of this ModuleTemplate: {reason}"));
            Step::Decided(decision)
        }
        Concern::Module { component, old } => judge(&component, old.as_ref(), rules, answers),
    }
}

fn judge(component: &Component, old: Option<&Component>, rules: &Modules, answers: &Answers) -> Step {
    let words = Words::of(component);
    let mut decision = Decision::allow(Reason::Accepted);
    let wrong_before = old.map(layers::wrong).unwrap_or_default();
    let (new, known) = layers::part(layers::wrong(component), &wrong_before);
    let mut findings: Vec<Finding> = Vec::new();
    for (layers, is_old) in [(new, false), (known, true)] {
        let (malformed, missing): (Vec<_>, Vec<_>) =
            layers.into_iter().partition(|layer| layer.malformed.is_some());
        findings.extend((!missing.is_empty()).then(|| words.missing(&missing, is_old)));
        findings.extend((!malformed.is_empty()).then(|| words.malformed(&malformed, is_old)));
    }
    let refuses = |finding: &Finding| !finding.is_old && rules.action(finding.kind) == Action::Deny;
    // Whoever has to write it again anyway is told about the Secrets then.
    if !findings.iter().any(refuses)
        && let Some(selector) = layers::effective_selector(component)
        && let Location::Repository(repository) = &component.location
    {
        let Some(answer) = &answers.secrets else {
            return Step::Needs(vec![Need::Secrets(selector.clone())]);
        };
        match answer {
            SecretsAnswer::Found(found) => {
                let target = repository.target(&component.name);
                let is_old = old.is_some_and(|old| asks_for(old) == asks_for(component));
                let about = secrets::judge(found, rules, &target, repository.base());
                findings.extend(about.into_iter().map(|finding| words.of_secrets(finding, selector, is_old)));
            }
            SecretsAnswer::Unknown(reason) => {
                decision
                    .warnings
                    .add(format!("regcred could not look for the Secrets with {selector}: {reason}"));
            }
        }
    }
    if component.is_labelled && findings.iter().any(|finding| finding.kind == FindingKind::MissingLabel) {
        decision.warnings.add(
            "the label oci-registry-cred of the component itself is read by nobody: it belongs to each layer",
        );
    }
    if layers::disagree(component) {
        decision.warnings.add(
            "the layers ask for different Secrets; Lifecycle Manager takes those of raw-manifest for all",
        );
    }
    answer(decision, &findings, rules)
}

/// What decides about which Secrets are of use.
fn asks_for(component: &Component) -> (Option<&Selector>, Option<(&Repository, &str)>) {
    let repository = match &component.location {
        Location::Repository(repository) => Some((repository, component.name.as_str())),
        Location::Nowhere | Location::Unknown => None,
    };
    (layers::effective_selector(component), repository)
}

fn answer(mut decision: Decision, findings: &[Finding], rules: &Modules) -> Step {
    let mut refusals: Vec<&str> = Vec::new();
    for finding in findings {
        let action = match rules.action(finding.kind) {
            Action::Deny if finding.is_old => Action::Warn,
            other => other,
        };
        match action {
            Action::Ignore => continue,
            Action::Warn => decision.warnings.add(&finding.warning),
            Action::Deny => refusals.push(&finding.sentence),
        }
        if !decision.findings.contains(&finding.kind) {
            decision.findings.push(finding.kind);
        }
    }
    if !refusals.is_empty() {
        decision.reason = Reason::Refused;
        decision.outcome = Outcome::Denied(refusals.join(" "));
    } else if !decision.warnings.texts().is_empty() {
        decision.reason = Reason::Warned;
    }
    Step::Decided(decision)
}
