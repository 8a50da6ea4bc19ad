//! Judging: the server's own decoder and rules, with answers from the state.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use super::state::State;
use crate::api::RegistryCredential;
use crate::model::Text;
use crate::model::credential::Credential;
use crate::policy::{Answers, Decision, Outcome, Reason, Rule, Step};
use crate::review::{self, Request, ReviewError};

/// As long as what the API server appends to a `generateName` (`names.randomLength`).
const GENERATED_SUFFIX: &str = "xxxxx";

/// What a review is about, and what was decided.
pub(super) struct Judgement {
    pub(super) subject: Subject,
    pub(super) decision: Decision,
    /// Whether a rule looked at it that asks for credentials.
    pub(super) asked_for_credentials: bool,
}

/// What a review is about.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) kind: String,
    /// Empty for an object that is in none.
    pub(super) namespace: String,
    /// Of an object that is to be named by the API server, what its name will begin with, and a star.
    pub(super) name: String,
    /// In lower case.
    pub(super) operation: String,
}

/// Judges a review. `None` when it is none that the server would answer.
pub(super) fn judge(review: &str, state: &mut State, now: Instant) -> Option<Judgement> {
    let (subject, decision, rule) = match review::decode(review.as_bytes()) {
        Ok(request) => {
            let (decision, rule) = decide(&request, state, now);
            (Subject::of(&request), decision, rule)
        }
        Err(ReviewError::UnreadableRequest { .. }) => {
            (Subject::of_unreadable(review), Decision::unreadable_request(), None)
        }
        Err(ReviewError::NotJson { .. } | ReviewError::NotAReview) => return None,
    };
    Some(Judgement { subject, decision, asked_for_credentials: rule.is_some() })
}

fn decide(request: &Request<'_>, state: &mut State, now: Instant) -> (Decision, Option<Rule>) {
    if let Some(decision) = refusal_by_schema(request) {
        return (decision, None);
    }
    let Some(rule) = Rule::for_request(request) else {
        return (Decision::allow(Reason::NoRule), None);
    };
    let mut answers = Answers::default();
    loop {
        match rule.decide(request, &state.known, &state.configuration, &answers, now) {
            Step::Decided(decision) => return (decision, Some(rule)),
            Step::Needs(needs) => state.answer(needs, &mut answers),
        }
    }
}

/// A `RegistryCredential` that cannot be used is refused here, because the API server refuses most of them by the
/// schema of the `CustomResourceDefinition`, before it asks any webhook; offline there is no schema. What it lets
/// through the server logs and cannot use.
fn refusal_by_schema(request: &Request<'_>) -> Option<Decision> {
    let kind = (&*request.kind.group, &*request.kind.kind, request.sub_resource());
    if kind != ("regcred.dev", "RegistryCredential", "") {
        return None;
    }
    let reason = match serde_json::from_str::<RegistryCredential>(request.object?.get()) {
        Ok(mut credential) => {
            let metadata = &mut credential.metadata;
            if let (None, Some(begin)) = (&metadata.name, &metadata.generate_name) {
                metadata.name = Some(format!("{begin}{GENERATED_SUFFIX}"));
            }
            Credential::parse(&credential).err()?.to_string()
        }
        Err(error) => error.to_string(),
    };
    let message = format!("RegistryCredential {} is invalid: {reason}", request.name());
    Some(Decision { outcome: Outcome::Denied(message), ..Decision::allow(Reason::NoRule) })
}

/// The part of an object that names it.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Named<'a> {
    metadata: Option<Metadata<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    name: Option<Text<'a>>,
    generate_name: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
}

impl Subject {
    /// What the request says, else what the object says: a deletion of many names none.
    fn of(request: &Request<'_>) -> Self {
        let object = request.object.or(request.old_object);
        let named = object.and_then(|object| serde_json::from_str::<Named<'_>>(object.get()).ok());
        let metadata = named.and_then(|named| named.metadata).unwrap_or_default();
        let generated =
            metadata.generate_name.filter(|name| !name.is_empty()).map(|name| format!("{}*", &*name));
        Self {
            kind: request.kind.kind.to_string(),
            namespace: Some(request.namespace())
                .filter(|namespace| !namespace.is_empty())
                .or(metadata.namespace.as_deref())
                .unwrap_or_default()
                .to_owned(),
            name: Some(request.name())
                .filter(|name| !name.is_empty())
                .or(metadata.name.as_deref().filter(|name| !name.is_empty()))
                .map(str::to_owned)
                .or(generated)
                .unwrap_or_default(),
            operation: request.operation.to_lowercase(),
        }
    }

    /// Of a repeated field the last one, as in the answer to such a review.
    fn of_unreadable(review: &str) -> Self {
        let review: Value = serde_json::from_str(review).unwrap_or_default();
        let text =
            |pointer: &str| review.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            kind: text("/request/kind/kind"),
            namespace: text("/request/namespace"),
            name: text("/request/name"),
            operation: text("/request/operation").to_lowercase(),
        }
    }
}
