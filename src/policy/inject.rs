//! Adds the pull Secrets that a new pod needs, after seeing to it that they are there.

use std::time::Instant;

use super::needs::{Answers, Need};
use super::offers::{self, Candidate, Images, Place};
use super::{Decision, Effect, Patch, Reason, Step};
use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::copy::{CopyAnswer, Obstacle, Wanted};
use crate::model::credential::Offer;
use crate::model::pod::Pod;
use crate::model::source::SourceState;
use crate::review::Request;

pub(super) fn decide(request: &Request<'_>, known: &Snapshot, answers: &Answers, now: Instant) -> Step {
    let namespace = request.namespace();
    let pod = match request.object.map(|object| Pod::parse(object.get())).transpose() {
        Ok(pod) => pod.unwrap_or_default(),
        Err(error) => return Step::Decided(Decision::unreadable("pod", &error)),
    };
    if let Some(reason) = reason_to_keep_out(&pod, request, known) {
        return Step::Decided(Decision::allow(reason));
    }
    let mut candidates = offers::needed(&Images::read(pod.images()), known);
    candidates.retain(|candidate| !Place::Unread.offers(namespace, candidate, known).is_no());
    if candidates.is_empty() {
        return Step::Decided(Decision::allow(Reason::NoCredential));
    }
    let place = Place::of(namespace, known, answers);
    let mut decision = Decision::allow(Reason::NothingToAdd);
    match &place {
        Place::Unread => return Step::Needs(vec![Need::Namespace(namespace.into())]),
        // The API server refuses a pod in a namespace that is absent or going, whatever we say.
        Place::Absent => return Step::Decided(Decision::allow(Reason::NothingToAdd)),
        Place::Known(seen) if seen.terminating => {
            return Step::Decided(Decision::allow(Reason::NothingToAdd));
        }
        Place::Known(seen) if seen.opts_out() => return Step::Decided(Decision::allow(Reason::OptedOut)),
        Place::Known(_) => {}
        Place::Unreadable(reason) => {
            decision.warnings.add(format!(
                "regcred could not read namespace {namespace}, so its labels were not considered: {reason}"
            ));
        }
    }
    candidates.retain(|candidate| place.offers(namespace, candidate, known) == Offer::Yes);
    if candidates.is_empty() {
        decision.reason = Reason::NoCredential;
        return Step::Decided(decision);
    }
    Injection { request, known, answers, now, pod: &pod, decision, names: Vec::new(), needs: Vec::new() }
        .of(&candidates)
}

fn reason_to_keep_out(pod: &Pod<'_>, request: &Request<'_>, known: &Snapshot) -> Option<Reason> {
    if known.keeps_out_of(request.namespace()) {
        Some(Reason::SystemNamespace)
    } else if pod.is_annotated_as_mirror() && request.user_info.is_node() {
        // Whoever else writes the annotation is told why nothing is added.
        Some(Reason::MirrorPod)
    } else if pod.opts_out() {
        Some(Reason::OptedOut)
    } else {
        None
    }
}

/// The decision about one pod in the making.
struct Injection<'a> {
    request: &'a Request<'a>,
    known: &'a Snapshot,
    answers: &'a Answers,
    now: Instant,
    pod: &'a Pod<'a>,
    decision: Decision,
    /// Pull Secrets to append.
    names: Vec<String>,
    needs: Vec<Need>,
}

/// Where a copy stands.
enum Standing<'a> {
    Present,
    Created,
    /// It would be created, were this no dry run.
    WouldBeCreated,
    /// It must be created first, or looked for on a dry run.
    ToBeCreated,
    SourceMissing,
    SourceUndecodable(&'a str),
    Blocked(&'a Obstacle),
}

impl<'a> Injection<'a> {
    fn of(mut self, candidates: &[Candidate<'a>]) -> Step {
        let service_account = ObjectKey::new(self.request.namespace(), self.pod.service_account());
        let is_guarded = self.known.guarded_service_accounts.contains(&service_account);
        for candidate in candidates {
            if self.pod.is_annotated_as_mirror() {
                self.warn_of_mirror(candidate);
            } else if is_guarded && !self.pod.names_pull_secret(&candidate.credential.copy_name) {
                self.warn_of_guard(&service_account, candidate);
            } else {
                self.consider(candidate);
            }
        }
        if !self.needs.is_empty() {
            return Step::Needs(self.needs);
        }
        let list_exists = self.pod.pull_secrets().is_some();
        self.decision.patch = Patch::append_pull_secrets(self.names, list_exists);
        if self.decision.patch.is_some() {
            self.decision.reason = Reason::Injected;
        }
        Step::Decided(self.decision)
    }

    fn standing(&self, wanted: &Wanted) -> Standing<'a> {
        let Wanted { credential, place } = wanted;
        if self.known.has_copy(place, credential) {
            return Standing::Present;
        }
        match self.known.sources.get(&credential.source).map(|source| &source.state) {
            None | Some(SourceState::Missing) => return Standing::SourceMissing,
            Some(SourceState::Undecodable { reason, .. }) => return Standing::SourceUndecodable(reason),
            // A credential whose copy would be its source needs none.
            Some(SourceState::Good(_)) if *place == credential.source => return Standing::Present,
            Some(SourceState::Good(_)) => {}
        }
        match self.answers.copies.get(&credential.name) {
            Some(CopyAnswer::Present) => Standing::Present,
            Some(CopyAnswer::Created) => Standing::Created,
            Some(CopyAnswer::Absent) => Standing::WouldBeCreated,
            Some(CopyAnswer::Blocked(obstacle)) => Standing::Blocked(obstacle),
            None => match self.known.setback(&wanted.key(), self.now) {
                Some(setback) => Standing::Blocked(&setback.obstacle),
                None => Standing::ToBeCreated,
            },
        }
    }

    /// The outcome of a pod that needs a credential. The name is added whenever its copy is there or will come;
    /// never one that stands for a foreign Secret, nor for one that would fail every pull of the pod.
    fn consider(&mut self, candidate: &Candidate<'a>) {
        let wanted = Wanted::new(candidate.credential, self.request.namespace());
        let Wanted { credential, place } = &wanted;
        let name = &place.name;
        let source = &credential.source;
        let effect = || Effect { creates: place.clone(), credential: credential.name.clone() };
        match self.standing(&wanted) {
            Standing::Present => self.rely_on(wanted),
            Standing::Created => {
                self.decision.effects.push(effect());
                self.rely_on(wanted);
            }
            Standing::WouldBeCreated => {
                self.decision.effects.push(effect());
                self.decision.warnings.add(format!("dry run: regcred would create Secret {place} for this pod"));
                self.add(name);
            }
            Standing::ToBeCreated => {
                let is_dry_run = self.request.is_dry_run();
                self.needs.push(Need::Copy { wanted, is_dry_run });
            }
            Standing::SourceMissing => {
                self.decision.warnings.add(format!(
                    "pull Secret {name} waits for its source {source}, which is missing or no registry Secret"
                ));
                self.await_copy(wanted);
            }
            Standing::SourceUndecodable(reason) => {
                self.leave_out(name, &format!("pull Secret {name} not added: {source} is broken: {reason}"));
            }
            Standing::Blocked(Obstacle::Foreign) => self.leave_out(
                name,
                &format!("Secret {place} is not regcred's and not added to the pod: delete it, or set another copyName"),
            ),
            Standing::Blocked(Obstacle::Rival(rival)) => {
                // Told even when the pod names the Secret, which it may do for the other credential.
                self.decision.reason = Reason::NotInjected;
                self.decision.warnings.add(format!(
                    "Secret {place} has no keys of regcred {}, but of regcred {rival}: set another copyName in one",
                    credential.name
                ));
            }
            Standing::Blocked(Obstacle::NamespaceGone) => {}
            Standing::Blocked(Obstacle::Lasting(reason)) => {
                self.leave_out(name, &format!("pull Secret {name} not added: it cannot be created: {reason}"));
            }
            Standing::Blocked(Obstacle::Passing(reason)) => {
                self.decision.warnings.add(format!("pull Secret {name} will be created later: {reason}"));
                self.await_copy(wanted);
            }
        }
    }

    fn add(&mut self, name: &str) {
        if !self.pod.names_pull_secret(name) && !self.names.iter().any(|added| added == name) {
            self.names.push(name.to_owned());
        }
    }

    fn rely_on(&mut self, wanted: Wanted) {
        self.add(&wanted.place.name);
        // A source that is its own copy is nothing that could be created again.
        if !self.request.is_dry_run() && wanted.place != wanted.credential.source {
            self.decision.relied_on.push(wanted);
        }
    }

    fn await_copy(&mut self, wanted: Wanted) {
        self.add(&wanted.place.name);
        if !self.request.is_dry_run() && wanted.place != wanted.credential.source {
            self.decision.awaited.push(wanted);
        }
    }

    /// A pod that names the Secret by itself has made its choice, and is not told.
    fn leave_out(&mut self, name: &str, warning: &str) {
        if !self.pod.names_pull_secret(name) {
            self.decision.reason = Reason::NotInjected;
            self.decision.warnings.add(warning);
        }
    }

    fn warn_of_guard(&mut self, service_account: &ObjectKey, candidate: &Candidate<'_>) {
        self.decision.reason = Reason::NotInjected;
        self.decision.warnings.add(format!(
            "pull Secret {} not added: ServiceAccount {} allows only those in its imagePullSecrets",
            candidate.credential.copy_name, service_account.name,
        ));
    }

    /// The annotation is not a node's, and the API server refuses whatever has it and names a Secret.
    fn warn_of_mirror(&mut self, candidate: &Candidate<'_>) {
        let name = &candidate.credential.copy_name;
        self.leave_out(
            name,
            &format!(
                "pull Secret {name} not added: pods annotated kubernetes.io/config.mirror may name no Secrets"
            ),
        );
    }
}
