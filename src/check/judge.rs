//! Judging: the server's own decoder and rules, with answers from the state.

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::problem::Reason as Problem;
use super::state::{Note, State};
use crate::api::RegistryCredential;
use crate::knowledge::Snapshot;
use crate::model::credential::Credential;
use crate::model::protection::RESERVATION_PREFIX;
use crate::model::{ObjectKey, Text};
use crate::policy::{Answers, Decision, Outcome, Patch, Reason, Rule, Step};
use crate::review::{self, Request, ReviewError};

/// As long as what the API server appends to a `generateName` (`names.randomLength`).
const GENERATED_SUFFIX: &str = "xxxxx";
/// The namespaces that no webhook entry sees which keeps to a scope, beside our own; as in `manifests/webhooks.yaml`.
const OUT_OF_SIGHT: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What a review is about, and what was decided.
pub(super) struct Judgement {
    pub(super) subject: Subject,
    pub(super) decision: Decision,
    /// Whether a rule looked at it that gives pods what credentials offer.
    pub(super) is_about_pods: bool,
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

/// Judges a review.
///
/// # Errors
/// When it is none that the server would answer, or nests deeper than what is added to it can be seen in.
pub(super) fn judge(review: &str, state: &mut State, now: Instant) -> Result<Judgement, Problem> {
    match review::decode(review.as_bytes()) {
        Ok(request) => {
            let subject = Subject::of(&request);
            let [old, object] = [request.old_object, request.object].map(|object| at_rest(&request, object));
            if old.is_some() || object.is_some() {
                state.notes.insert(Note::Reservations(ObjectKey::new(&subject.namespace, &subject.name)));
            }
            let (old, object) = (old.as_deref().or(request.old_object), object.as_deref().or(request.object));
            Ok(Judgement {
                decision: decide_all(&request.between(old, object), state, now)?,
                is_about_pods: Rule::for_request(&request).any(Rule::is_about_pods),
                subject,
            })
        }
        Err(ReviewError::UnreadableRequest { .. }) => Ok(Judgement {
            subject: Subject::of_unreadable(review),
            // Which rule was asked is not known.
            decision: Decision::unreadable_request(false),
            is_about_pods: false,
        }),
        Err(ReviewError::NotJson { .. } | ReviewError::NotAReview) => Err(Problem::NotAReview),
    }
}

/// Decides by all rules that look at a request, as an API server asks: each about the object as the one before has left it,
/// until one refuses it.
fn decide_all(request: &Request<'_>, state: &mut State, now: Instant) -> Result<Decision, Problem> {
    if let Some(decision) = refusal_by_schema(request) {
        return Ok(decision);
    }
    let mut decisions: Option<Decision> = None;
    let mut changed: Option<Box<RawValue>> = None;
    let known = Arc::clone(&state.known);
    for rule in Rule::for_request(request).filter(|rule| is_asked(*rule, request.namespace(), &known)) {
        let unseen = decisions.as_ref().and_then(|decision| decision.patch.as_ref());
        if let (Some(patch), Some(object), None) = (unseen, request.object, &changed) {
            changed = Some(patched(object, patch).ok_or(Problem::TooDeep)?);
        }
        let decision = match &changed {
            Some(object) => decide(rule, &request.about(object), state, now),
            None => decide(rule, request, state, now),
        };
        let is_denied = decision.outcome != Outcome::Allowed;
        decisions = Some(match decisions {
            Some(former) => joined(former, decision),
            None => decision,
        });
        if is_denied {
            break;
        }
    }
    Ok(decisions.unwrap_or_else(|| Decision::allow(Reason::NoRule)))
}

/// Whether the API server asks about objects of a namespace, by the selectors of the entries. The rules about pods look at
/// namespaces themselves.
fn is_asked(rule: Rule, namespace: &str, known: &Snapshot) -> bool {
    let is_own = *namespace == *known.own_namespace;
    let is_in_scope = known.scope.covers(namespace) && !is_own && !OUT_OF_SIGHT.contains(&namespace);
    is_in_scope || !rule.keeps_to_scope() || rule.is_about_pods()
}

/// A Secret without the reservations that it has; `None` for another one.
///
/// A reservation stands for a write that is under way. Files do not show whether it has come; but nobody writes to them. What they
/// hold points to the Secret, and nothing else is about to.
fn at_rest(request: &Request<'_>, object: Option<&RawValue>) -> Option<Box<RawValue>> {
    if (&*request.resource.group, &*request.resource.resource) != ("", "secrets") {
        return None;
    }
    let mut secret: Value = serde_json::from_str(object?.get()).ok()?;
    let annotations = secret.pointer_mut("/metadata/annotations")?.as_object_mut()?;
    let before = annotations.len();
    annotations.retain(|name, _| !name.starts_with(RESERVATION_PREFIX));
    (annotations.len() < before).then(|| to_raw_value(&secret).ok())?
}

fn decide(rule: Rule, request: &Request<'_>, state: &mut State, now: Instant) -> Decision {
    let mut answers = Answers::default();
    loop {
        match rule.decide(request, &state.known, &state.configuration, &answers, now) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => state.answer(needs, &mut answers),
        }
    }
}

/// What two rules say together. No two of them change the same kind of object.
fn joined(former: Decision, mut decision: Decision) -> Decision {
    decision.warnings = former.warnings.followed_by(decision.warnings);
    decision.patch = former.patch.or(decision.patch);
    decision.audited = former.audited.or(decision.audited);
    decision.effects.splice(..0, former.effects);
    decision
}

/// An object as the API server makes it of a patch; `None` for one that nests too deep to be read as a whole.
pub(super) fn patched(object: &RawValue, patch: &Patch) -> Option<Box<RawValue>> {
    let mut object: Value = serde_json::from_str(object.get()).ok()?;
    let operations: json_patch::Patch = serde_json::from_value(serde_json::to_value(patch).ok()?).ok()?;
    json_patch::patch(&mut object, &operations).ok()?;
    to_raw_value(&object).ok()
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
