//! Labels the layers of a module, where a credential says how.

use super::claim::{Claim, Doubt};
use super::concern::Concern;
use crate::api::Mode;
use crate::configuration::Modules;
use crate::knowledge::Snapshot;
use crate::model::module::{Component, Location, Repository, Selector};
use crate::policy::shown::{shown, shown_at_length};
use crate::policy::{Decision, ModuleLabels, Patch, Reason, Step};
use crate::review::Request;

pub(in crate::policy) fn decide(request: &Request<'_>, known: &Snapshot, rules: &Modules) -> Step {
    let decision = match Concern::of(request, rules) {
        Concern::Nothing => Decision::allow(Reason::NotConcerned),
        // The rule that may refuse it tells why.
        Concern::Unrecognised(_) => Decision::allow(Reason::Unreadable),
        Concern::Module { component, .. } => match &component.location {
            Location::Repository(repository) => label(&component, repository, known),
            Location::Nowhere | Location::Unknown => Decision::allow(Reason::NoCredential),
        },
    };
    Step::Decided(decision)
}

fn label(component: &Component, repository: &Repository, known: &Snapshot) -> Decision {
    if component.unlabelled().next().is_none() {
        return Decision::allow(Reason::NothingToAdd);
    }
    let registry = repository.image_target(&component.name);
    let enforced = Claim::of(&registry, known, |credential| credential.mode == Mode::Enforce);
    let mut decision = Decision::allow(Reason::NoCredential);
    match enforced {
        Claim::Nobody => {}
        Claim::One { selector, .. } => {
            decision.reason = Reason::Labelled;
            decision.patch = labelling(component, selector);
        }
        Claim::Doubtful(doubt) => {
            decision.reason = Reason::NotLabelled;
            decision.warnings.add(not_labelled(doubt, repository));
        }
    }
    // What would be, were all of them enforced.
    match Claim::of(&registry, known, |_| true) {
        same if same == enforced => {}
        Claim::Nobody => {}
        Claim::One { selector, .. } if enforced.selector() == Some(selector) => {}
        Claim::One { credential, selector } => {
            if decision.reason == Reason::NoCredential {
                decision.reason = Reason::Audited;
            }
            decision.audited = labelling(component, selector);
            let (credential, selector) = (shown(credential), shown_at_length(selector));
            decision
                .warnings
                .add(format!("audit: RegistryCredential {credential} would label the layers {selector}"));
        }
        Claim::Doubtful(doubt) => {
            decision.warnings.add(format!("audit: {}", not_labelled(doubt, repository)));
        }
    }
    decision
}

fn labelling(component: &Component, selector: &Selector) -> Option<Patch> {
    ModuleLabels::add(component, selector).map(|added| Patch::ModuleLabels(Box::new(added)))
}

/// Why nothing is added, and first what to do about it: a long warning is cut at its end.
fn not_labelled(doubt: Doubt<'_>, repository: &Repository) -> String {
    let registry = shown(repository.base());
    match doubt {
        Doubt::Rivals(one, other) => format!(
            "no label added: narrow images of regcred {} or {}, which claim {registry} with different moduleLabels",
            shown(one),
            shown(other)
        ),
        Doubt::KeysUnknown(credential, source) => format!(
            "no label added: missing or broken is Secret {source} of regcred {}, which may be for {registry}",
            shown(credential)
        ),
    }
}
