//! Warns of an ephemeral container (`kubectl debug`) whose image needs a pull Secret that its pod does not name.
//!
//! Pull Secrets cannot be added to a pod that exists, so all that can be done is to say so at once.

use super::needs::{Answers, Need};
use super::offers::{self, Candidate, Images, Place};
use super::{Decision, Reason, Step};
use crate::api::Mode;
use crate::knowledge::{Certainty, Snapshot};
use crate::model::credential::{Credential, Offer};
use crate::model::pod::Pod;
use crate::review::Request;

pub(super) fn decide(request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    let (pod, before) = match (read(request.object), read(request.old_object)) {
        (Ok(pod), Ok(before)) => (pod, before),
        (Err(error), _) | (_, Err(error)) => return Step::Decided(Decision::unreadable("pod", &error)),
    };
    let namespace = request.namespace();
    if known.keeps_out_of(namespace) {
        return Step::Decided(Decision::allow(Reason::SystemNamespace));
    }
    if pod.opts_out() {
        return Step::Decided(Decision::allow(Reason::OptedOut));
    }
    let added =
        pod.ephemeral_images().filter(|image| !before.ephemeral_images().any(|existing| existing == *image));
    let mut candidates = offers::needed(&Images::read(added), known);
    candidates.retain(|candidate| {
        candidate.certainty == Certainty::Yes
            && !pod.names_pull_secret(&candidate.credential.copy_name)
            && !Place::Unread.offers(namespace, candidate.credential, known).is_no()
    });
    if candidates.is_empty() {
        return Step::Decided(Decision::allow(Reason::NothingToAdd));
    }
    let place = Place::of(namespace, known, answers);
    match &place {
        Place::Unread => return Step::Needs(vec![Need::Namespace(namespace.into())]),
        Place::Known(seen) if seen.opts_out() => return Step::Decided(Decision::allow(Reason::OptedOut)),
        Place::Known(_) | Place::Absent | Place::Unreadable(_) => {}
    }
    let mut decision = Decision::allow(Reason::NothingToAdd);
    let is_offered =
        |candidate: &&Candidate<'_>| place.offers(namespace, candidate.credential, known) == Offer::Yes;
    for candidate in candidates.iter().filter(is_offered) {
        let Credential { copy_name, mode, .. } = &**candidate.credential;
        let before = if *mode == Mode::Audit { "audit: " } else { "" };
        if *mode == Mode::Enforce {
            decision.reason = Reason::NotInjected;
        } else if decision.reason == Reason::NothingToAdd {
            decision.reason = Reason::Audited;
        }
        decision.warnings.add(format!(
            "{before}this image needs pull Secret {copy_name}, which pod {} does not name and cannot be given any more",
            request.name(),
        ));
    }
    Step::Decided(decision)
}

fn read(object: Option<&serde_json::value::RawValue>) -> Result<Pod<'_>, serde_json::Error> {
    Ok(object.map(|object| Pod::parse(object.get())).transpose()?.unwrap_or_default())
}
