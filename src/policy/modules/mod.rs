//! Requires of Kyma's `ModuleTemplates` that their layers can be pulled, and labels them where it is known how.
//!
//! Lifecycle Manager finds out when it installs the module, and says so in the state of every Kyma that has it. Here it is
//! said to whoever writes the `ModuleTemplate`.

mod claim;
mod concern;
pub(super) mod labelling;
mod last_secret;
mod layers;
pub(super) mod secret;
mod secrets;
mod words;
mod written_secret;

#[cfg(test)]
mod tests;

use super::needs::{Answers, Need, SecretQuery, SecretsAnswer};
use super::{Decision, Outcome, Reason, Step};
use crate::configuration::{Action, FindingKind, Modules};
use crate::model::module::{Component, Location, Repository, Selector};
use crate::model::scope::Scope;
use crate::policy::shown::{shown, shown_at_length};
use crate::review::Request;
use concern::Concern;
use secrets::Purpose;
use words::Words;

/// Something that is wrong with a `ModuleTemplate`.
struct Finding {
    kind: FindingKind,
    /// Whether it is certain, and was not so before; a warning is given in any case.
    may_refuse: bool,
    /// In a refusal, with what to do.
    sentence: String,
    /// In a warning.
    warning: String,
}

pub(super) fn decide(request: &Request<'_>, scope: &Scope, rules: &Modules, answers: &Answers) -> Step {
    match Concern::of(request, rules) {
        Concern::Nothing => Step::Decided(Decision::allow(Reason::NotConcerned)),
        Concern::Unrecognised(reason) => {
            let mut decision = Decision::allow(Reason::Unreadable);
            decision
                .warnings
                .add(format!("regcred cannot judge the descriptor of this ModuleTemplate: {reason}"));
            Step::Decided(decision)
        }
        Concern::Module { component, old } => judge(&component, old.as_deref(), scope, rules, answers),
    }
}

fn judge(
    component: &Component,
    old: Option<&Component>,
    scope: &Scope,
    rules: &Modules,
    answers: &Answers,
) -> Step {
    let words = Words::of(component);
    let mut decision = Decision::allow(Reason::Accepted);
    let wrong_before = old.map(layers::wrong).unwrap_or_default();
    let (new, known) = layers::part(layers::wrong(component), &wrong_before);
    let mut findings: Vec<Finding> = Vec::new();
    for (layers, may_refuse) in [(new, true), (known, false)] {
        let (malformed, missing): (Vec<_>, Vec<_>) =
            layers.into_iter().partition(|layer| layer.malformed.is_some());
        findings.extend((!missing.is_empty()).then(|| words.missing(&missing, may_refuse)));
        findings.extend((!malformed.is_empty()).then(|| words.malformed(&malformed, may_refuse)));
    }
    let refuses = |finding: &Finding| finding.may_refuse && rules.action(finding.kind) == Action::Deny;
    let is_refused = findings.iter().any(refuses);
    let installed = component.installed();
    // Whoever has to write it again anyway is told about the Secrets then.
    if !is_refused
        && rules.asks_for_secrets()
        && let Some(selector) = installed.and_then(|(_, layer)| layer.label.selector())
        && let Location::Repository(repository) = &component.location
    {
        let Some(answer) = answers.secrets.get(selector) else {
            return Step::Needs(vec![Need::Secrets(query(selector, rules))]);
        };
        match answer {
            SecretsAnswer::Found(found) => {
                let purpose = Purpose { selector, repository, component: &component.name };
                let before = old.map(asks_for);
                let about = secrets::judge(found, &purpose, rules, scope).into_iter();
                findings.extend(about.map(|finding| {
                    let may_refuse = before.is_none_or(|old| is_new(finding.kind, old, asks_for(component)));
                    words.of_secrets(finding, selector, may_refuse)
                }));
            }
            SecretsAnswer::Unknown(reason) => {
                let selector = shown_at_length(selector);
                decision.warnings.add(format!("could not look for Secrets ({reason}) with {selector}"));
            }
        }
    }
    let is_missed = |finding: &Finding| finding.kind == FindingKind::MissingLabel;
    if component.is_labelled
        && findings.iter().any(is_missed)
        && rules.action(FindingKind::MissingLabel) != Action::Ignore
    {
        decision.warnings.add(
            "the label oci-registry-cred of the component itself is read by nobody: it belongs to each layer",
        );
    }
    if let Some((place, layer)) = installed
        && rules.asks_for_secrets()
        && layers::disagree(component)
    {
        decision.warnings.add(format!(
            "the layers ask for different Secrets; Lifecycle Manager takes those of {} for all",
            shown(&layer.called(place))
        ));
    }
    answer(decision, &findings, rules)
}

/// What is asked for to find the Secrets that Lifecycle Manager finds by a selector.
fn query(selector: &Selector, rules: &Modules) -> SecretQuery {
    SecretQuery { selector: selector.clone(), namespaces: rules.secret_namespaces().clone() }
}

/// Whether what is found was not so before. What asked for no Secrets was pulled without any: with the label it is no worse, and
/// it may be regcred that has added it.
fn is_new(found: FindingKind, before: Asked<'_>, now: Asked<'_>) -> bool {
    before.0.is_some()
        && match found {
            FindingKind::UncoveredRegistry | FindingKind::AmbiguousSecrets => before != now,
            // What the Secrets are for does not matter.
            _ => before.0 != now.0,
        }
}

/// What decides about which Secrets are of use.
type Asked<'a> = (Option<&'a Selector>, Option<(&'a Repository, &'a str)>);

fn asks_for(component: &Component) -> Asked<'_> {
    let repository = match &component.location {
        Location::Repository(repository) => Some((repository, component.name.as_str())),
        Location::Nowhere | Location::Unknown => None,
    };
    (component.installed().and_then(|(_, layer)| layer.label.selector()), repository)
}

fn answer(mut decision: Decision, findings: &[Finding], rules: &Modules) -> Step {
    let mut refusals: Vec<&str> = Vec::new();
    for finding in findings {
        let action = match rules.action(finding.kind) {
            Action::Deny if !finding.may_refuse => Action::Warn,
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
