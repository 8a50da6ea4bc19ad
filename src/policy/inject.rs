//! Adds the pull Secrets that a new pod needs, after seeing to it that they are there.

use std::time::Instant;

use super::needs::{Answers, Need};
use super::offers::{self, Candidate, Images, Place};
use super::standing::{Ground, Standing};
use super::{Decision, Effect, Patch, PullSecrets, Reason, Step, Warnings};
use crate::api::Mode;
use crate::knowledge::Snapshot;
use crate::model::copy::{Obstacle, Wanted};
use crate::model::credential::Offer;
use crate::model::pod::Pod;
use crate::model::source::Defect;
use crate::review::Request;

pub(super) fn decide(request: &Request<'_>, known: &Snapshot, answers: &Answers, now: Instant) -> Step {
    let creation = Creation::of(request);
    match request.object.map(|object| Pod::parse(object.get())).transpose() {
        Ok(pod) => decide_creation(&creation, &pod.unwrap_or_default(), known, answers, now),
        Err(error) => Step::Decided(Decision::unreadable("pod", &error)),
    }
}

/// How a pod comes to be created.
pub(super) struct Creation<'a> {
    pub(super) namespace: &'a str,
    /// Whether a node creates it, as the mirror of a static pod.
    pub(super) is_by_node: bool,
    pub(super) is_dry_run: bool,
}

impl<'a> Creation<'a> {
    pub(super) fn of(request: &'a Request<'_>) -> Self {
        Self {
            namespace: request.namespace(),
            is_by_node: request.user_info.is_node(),
            is_dry_run: request.is_dry_run(),
        }
    }
}

/// Decides about a pod, whether it is being created or only thought of.
pub(super) fn decide_creation(
    creation: &Creation<'_>,
    pod: &Pod<'_>,
    known: &Snapshot,
    answers: &Answers,
    now: Instant,
) -> Step {
    let namespace = creation.namespace;
    if let Some(reason) = reason_to_keep_out(pod, creation, known) {
        return Step::Decided(Decision::allow(reason));
    }
    let mut candidates = offers::needed(&Images::read(pod.images()), known);
    candidates.retain(|candidate| !Place::Unread.offers(namespace, candidate.credential, known).is_no());
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
    candidates.retain(|candidate| place.offers(namespace, candidate.credential, known) == Offer::Yes);
    if candidates.is_empty() {
        decision.reason = Reason::NoCredential;
        return Step::Decided(decision);
    }
    let ground = Ground { known, answers, now, pod, namespace, seen: place.seen() };
    let effects = if creation.is_dry_run { Effects::DryRun } else { Effects::Real };
    let (audited, enforced): (Vec<_>, Vec<_>) =
        candidates.iter().partition(|candidate| candidate.credential.mode == Mode::Audit);
    let enforced = Injection::of(&ground, &enforced, effects, &[]);
    let audited = Injection::of(&ground, &audited, Effects::Audited, &enforced.names);
    let needs = [enforced.needs.as_slice(), &audited.needs].concat();
    if !needs.is_empty() {
        return Step::Needs(needs);
    }
    enforced
        .warnings
        .texts()
        .iter()
        .chain(audited.warnings.texts())
        .for_each(|text| decision.warnings.add(text));
    let append = |names| PullSecrets::append(names, pod.pull_secrets().is_some()).map(Patch::PullSecrets);
    decision.audited = append(audited.names);
    decision.patch = append(enforced.names);
    decision.reason = if decision.patch.is_some() {
        Reason::Injected
    } else if enforced.is_left_out {
        Reason::NotInjected
    } else if decision.audited.is_some() {
        Reason::Audited
    } else {
        Reason::NothingToAdd
    };
    (decision.effects, decision.awaited, decision.relied_on) =
        (enforced.written, enforced.awaited, enforced.relied_on);
    Step::Decided(decision)
}

pub(super) fn reason_to_keep_out(pod: &Pod<'_>, creation: &Creation<'_>, known: &Snapshot) -> Option<Reason> {
    if known.keeps_out_of(creation.namespace) {
        Some(Reason::SystemNamespace)
    } else if pod.is_annotated_as_mirror() && creation.is_by_node {
        // Whoever else writes the annotation is told why nothing is added.
        Some(Reason::MirrorPod)
    } else if pod.opts_out() {
        Some(Reason::OptedOut)
    } else {
        None
    }
}

/// What comes of the decision besides the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effects {
    /// Pods are changed and copies created.
    Real,
    /// The answer tells what would be.
    DryRun,
    /// The credentials are in mode Audit: even the answer changes nothing.
    Audited,
}

/// What some of the credentials that a pod needs come to.
struct Injection<'a> {
    ground: &'a Ground<'a>,
    effects: Effects,
    /// Pull Secrets that others have added.
    taken: &'a [String],
    /// Pull Secrets to append.
    names: Vec<String>,
    needs: Vec<Need>,
    warnings: Warnings,
    /// Whether one could not be added.
    is_left_out: bool,
    written: Vec<Effect>,
    awaited: Vec<Wanted>,
    relied_on: Vec<Wanted>,
}

impl<'a> Injection<'a> {
    fn of(
        ground: &'a Ground<'a>,
        candidates: &[&Candidate<'_>],
        effects: Effects,
        taken: &'a [String],
    ) -> Self {
        let mut injection = Self {
            ground,
            effects,
            taken,
            names: Vec::new(),
            needs: Vec::new(),
            warnings: Warnings::default(),
            is_left_out: false,
            written: Vec::new(),
            awaited: Vec::new(),
            relied_on: Vec::new(),
        };
        for candidate in candidates {
            injection.consider(Wanted::new(candidate.credential, ground.namespace));
        }
        injection
    }

    /// The outcome of a pod that needs a credential.
    fn consider(&mut self, wanted: Wanted) {
        let Wanted { credential, place } = &wanted;
        let name = &place.name;
        let source = &credential.source;
        let standing = self.ground.standing(&wanted);
        if standing.is_added() {
            self.add(&wanted);
        }
        match standing {
            Standing::PodIsMirror => self.leave_out(
                name,
                &format!("pull Secret {name} not added: pods annotated kubernetes.io/config.mirror may name no Secrets"),
            ),
            Standing::AccountIsGuarded => {
                let account = self.ground.pod.service_account();
                self.leave_out(
                    name,
                    &format!("pull Secret {name} not added: ServiceAccount {account} allows only those in its imagePullSecrets"),
                );
            }
            Standing::Present => self.rely_on(wanted),
            Standing::Created => {
                self.write(&wanted);
                self.rely_on(wanted);
            }
            Standing::WouldBeCreated => self.write(&wanted),
            Standing::ToBeCreated => {
                self.needs.push(Need::Copy { wanted, is_dry_run: self.effects != Effects::Real });
            }
            Standing::SourceMissing => {
                self.warn(&format!(
                    "pull Secret {name} waits for its source {source}, which is missing or no registry Secret"
                ));
                self.await_copy(wanted);
            }
            Standing::SourceBroken(defect) => {
                let what = match defect {
                    Defect::Undecodable(reason) => format!("{source} is broken: {reason}"),
                    Defect::IsCopy => format!("its source {source} is itself a copy by regcred"),
                };
                self.leave_out(name, &format!("pull Secret {name} not added: {what}"));
            }
            Standing::Blocked(Obstacle::Foreign) => self.leave_out(
                name,
                &format!("Secret {place} is not regcred's and not added to the pod: delete it, or set another copyName"),
            ),
            Standing::GivesWay(rival) | Standing::Blocked(Obstacle::Rival(rival)) => {
                // Told even when the pod names the Secret, which it may do for the other credential.
                self.is_left_out = true;
                self.warn(&format!(
                    "Secret {place} is for regcred {rival}, so not for regcred {}: set another copyName in one",
                    credential.name
                ));
            }
            Standing::Blocked(Obstacle::Source) => self.leave_out(
                name,
                &format!("Secret {place} is for another credential's source and not added: set another copyName"),
            ),
            Standing::Blocked(Obstacle::NamespaceGone) => {}
            Standing::Blocked(Obstacle::Lasting(reason)) => {
                self.leave_out(name, &format!("pull Secret {name} not added: it cannot be created: {reason}"));
            }
            Standing::Blocked(Obstacle::Passing(reason)) => {
                self.warn(&format!("pull Secret {name} will be created later: {reason}"));
                self.await_copy(wanted);
            }
        }
    }

    /// Said of credentials in mode Audit as well, but never as if it had happened.
    fn warn(&mut self, text: &str) {
        let before = if self.effects == Effects::Audited { "audit: " } else { "" };
        self.warnings.add(format!("{before}{text}"));
    }

    fn add(&mut self, wanted: &Wanted) {
        let name = &*wanted.place.name;
        let mut added = self.names.iter().chain(self.taken);
        if self.ground.pod.names_pull_secret(name) || added.any(|added| added == name) {
            return;
        }
        self.names.push(name.to_owned());
        if self.effects == Effects::Audited {
            let credential = &wanted.credential.name;
            self.warn(&format!(
                "regcred would add pull Secret {name} (RegistryCredential {credential} is in mode Audit)"
            ));
        }
    }

    /// A write has been made, or would be were this no dry run.
    fn write(&mut self, wanted: &Wanted) {
        let Wanted { credential, place } = wanted;
        if self.effects == Effects::Audited {
            return;
        }
        if self.effects == Effects::DryRun {
            self.warn(&format!("dry run: regcred would create Secret {place} for this pod"));
        }
        self.written.push(Effect { creates: place.clone(), credential: credential.name.clone() });
    }

    /// A source that is its own copy is nothing that could be created again.
    fn rely_on(&mut self, wanted: Wanted) {
        if self.effects == Effects::Real && wanted.place != wanted.credential.source {
            self.relied_on.push(wanted);
        }
    }

    fn await_copy(&mut self, wanted: Wanted) {
        if self.effects == Effects::Real && wanted.place != wanted.credential.source {
            self.awaited.push(wanted);
        }
    }

    /// A pod that names the Secret by itself has made its choice, and is not told.
    fn leave_out(&mut self, name: &str, warning: &str) {
        if !self.ground.pod.names_pull_secret(name) {
            self.is_left_out = true;
            self.warn(warning);
        }
    }
}
