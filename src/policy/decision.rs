//! What has been decided.

use std::sync::Arc;

use super::{Patch, Warnings};
use crate::configuration::FindingKind;
use crate::model::ObjectKey;
use crate::model::copy::Wanted;

/// The answer to a request, and what goes with it.
#[derive(Debug)]
pub struct Decision {
    /// Allowed or denied.
    pub outcome: Outcome,
    /// Why, as a stable word for metrics and logs.
    pub reason: Reason,
    /// What the person at the keyboard is told.
    pub warnings: Warnings,
    /// The change to the object.
    pub patch: Option<Patch>,
    /// The change that would have been made, were the credentials that it comes from not in mode Audit.
    pub audited: Option<Patch>,
    /// What was found about a `ModuleTemplate` and told.
    pub findings: Vec<FindingKind>,
    /// What has been written to the cluster, or would be were this no dry run.
    pub effects: Vec<Effect>,
    /// Copies that a pod now waits for and that are to be created later.
    pub awaited: Vec<Wanted>,
    /// Copies that are there as far as is known, and that the pod counts on.
    pub relied_on: Vec<Wanted>,
}

/// Allowed or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The request may pass.
    Allowed,
    /// The request is refused with a sentence.
    Denied(String),
    /// The request is refused with a sentence, and the same one may pass later: it could not be decided yet.
    Postponed(String),
}

/// Why a decision was made. The words are part of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Pull Secrets were added.
    Injected,
    /// Nothing was to be added.
    NothingToAdd,
    /// No image needs a credential that is offered here, or none says how layers are labelled.
    NoCredential,
    /// A needed pull Secret could not be added.
    NotInjected,
    /// Layers of a module were labelled.
    Labelled,
    /// Layers of a module could not be labelled.
    NotLabelled,
    /// Nothing was added, but would have been, were the credential not in mode Audit.
    Audited,
    /// The pod or its namespace opted out.
    OptedOut,
    /// A static pod's mirror, which its node would delete if it were changed.
    MirrorPod,
    /// A namespace that regcred keeps out of, or is kept out of.
    SystemNamespace,
    /// Nothing of the object is what the rule is about.
    NotConcerned,
    /// Nothing was found.
    Accepted,
    /// Something was found and told.
    Warned,
    /// Something was found for which the object is refused.
    Refused,
    /// The object could not be read.
    Unreadable,
    /// The Secret is in use.
    InUse,
    /// The Secret is about to be in use.
    BeingTakenUp,
    /// Nothing points to the Secret.
    NotInUse,
    /// The Secret is in use, and somebody who may let it go did.
    Bypassed,
    /// The marks by which a Secret in use is known were put on it, or put back.
    Marked,
    /// The API server could not be asked.
    Unknown,
    /// No rule looks at such requests.
    NoRule,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 22] = [
        Self::Injected,
        Self::NothingToAdd,
        Self::NoCredential,
        Self::NotInjected,
        Self::Labelled,
        Self::NotLabelled,
        Self::Audited,
        Self::OptedOut,
        Self::MirrorPod,
        Self::SystemNamespace,
        Self::NotConcerned,
        Self::Accepted,
        Self::Warned,
        Self::Refused,
        Self::Unreadable,
        Self::InUse,
        Self::BeingTakenUp,
        Self::NotInUse,
        Self::Bypassed,
        Self::Marked,
        Self::Unknown,
        Self::NoRule,
    ];

    /// The word in metrics, logs and audit annotations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::NothingToAdd => "nothing_to_add",
            Self::NoCredential => "no_credential",
            Self::NotInjected => "not_injected",
            Self::Labelled => "labelled",
            Self::NotLabelled => "not_labelled",
            Self::Audited => "audited",
            Self::OptedOut => "opted_out",
            Self::MirrorPod => "mirror_pod",
            Self::SystemNamespace => "system_namespace",
            Self::NotConcerned => "not_concerned",
            Self::Accepted => "accepted",
            Self::Warned => "warned",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::InUse => "in_use",
            Self::BeingTakenUp => "being_taken_up",
            Self::NotInUse => "not_in_use",
            Self::Bypassed => "bypassed",
            Self::Marked => "marked",
            Self::Unknown => "unknown",
            Self::NoRule => "no_rule",
        }
    }
}

/// A write that goes with a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The Secret that is created.
    pub creates: ObjectKey,
    /// The credential that it is a copy for.
    pub credential: Arc<str>,
}

impl Decision {
    /// Allows the request unchanged.
    pub fn allow(reason: Reason) -> Self {
        Self {
            outcome: Outcome::Allowed,
            reason,
            warnings: Warnings::default(),
            patch: None,
            audited: None,
            findings: Vec::new(),
            effects: Vec::new(),
            awaited: Vec::new(),
            relied_on: Vec::new(),
        }
    }

    /// Allows an object that could not be read, unchanged, and says so: a change to what is not understood
    /// could not be shown to apply.
    pub fn unreadable(kind: &str, error: &serde_json::Error) -> Self {
        let mut decision = Self::allow(Reason::Unreadable);
        // The error's own text may quote the object, so only its place is told.
        let (line, column) = (error.line(), error.column());
        decision.warnings.add(format!(
            "regcred could not read this {kind} (line {line}, column {column}) and left it as it is"
        ));
        decision
    }

    /// A request that could not be read beyond its uid: allowed, unless it may let go of a Secret that is in use.
    pub fn unreadable_request(may_concern_secrets_in_use: bool) -> Self {
        let mut decision = Self::allow(Reason::Unreadable);
        if may_concern_secrets_in_use {
            let sentence = "regcred could not read this request, and a Secret in use may be concerned";
            decision.outcome = Outcome::Postponed(sentence.to_owned());
            return decision;
        }
        decision.warnings.add("regcred could not read this request and left it as it is");
        decision
    }
}
