//! Answers reviews.

use std::sync::Arc;
use std::time::Instant;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tracing::{Instrument, debug, info, info_span};

use super::needs::Needs;
use super::telling;
use crate::cluster::pending::Pending;
use crate::configuration;
use crate::events::Recorder;
use crate::knowledge::Index;
use crate::policy::{Answers, Decision, Outcome, Patch, Rule, Step};
use crate::review::{self, Request, ReviewError};
use crate::server::{Deadline, Readiness};
use crate::telemetry::admission_metrics::AdmissionMetrics;

/// Answers reviews for all rules. Clones share everything.
#[derive(Clone)]
pub struct Reviewer {
    index: Arc<Index>,
    configuration: configuration::Current,
    needs: Needs,
    pending: Pending,
    readiness: Readiness,
    metrics: AdmissionMetrics,
    recorder: Recorder,
}

impl Reviewer {
    /// A reviewer that decides by what `index` knows.
    pub fn new(
        index: Arc<Index>,
        configuration: configuration::Current,
        needs: Needs,
        pending: Pending,
        readiness: Readiness,
        metrics: AdmissionMetrics,
        recorder: Recorder,
    ) -> Self {
        Self { index, configuration, needs, pending, readiness, metrics, recorder }
    }

    /// Answers one review by a rule.
    pub async fn answer(&self, rule: Rule, body: Bytes, deadline: Deadline) -> Response {
        // Before everything is known a pod that needs a credential would be let through without it. The API server
        // asks again, and its next call may reach a replica that knows.
        if self.readiness.is_incomplete() {
            return retry_later();
        }
        match review::decode(&body) {
            Ok(request) => {
                let span = info_span!(
                    "review",
                    uid = &*request.uid,
                    namespace = request.namespace(),
                    name = request.name(),
                    operation = &*request.operation
                );
                let decision = self.decide(rule, &request, &deadline).instrument(span.clone()).await;
                self.metrics.decided(rule, &decision);
                if !request.is_dry_run() {
                    self.metrics.audited(&decision);
                }
                if let Some(occurrence) = telling::of(&decision, &request) {
                    self.recorder.record(occurrence);
                }
                span.in_scope(|| log(rule, &decision));
                respond(&request.uid, &decision)
            }
            Err(ReviewError::UnreadableRequest { uid }) => {
                let may_let_go = matches!(rule, Rule::SecretsInUse | Rule::SecretReferences);
                let decision = Decision::unreadable_request(may_let_go);
                self.metrics.decided(rule, &decision);
                respond(&uid, &decision)
            }
            Err(error @ (ReviewError::NotJson { .. } | ReviewError::NotAReview)) => {
                (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
            }
        }
    }

    async fn decide(&self, rule: Rule, request: &Request<'_>, deadline: &Deadline) -> Decision {
        if !rule.looks_at(request) {
            return Decision::allow(crate::policy::Reason::NoRule);
        }
        let mut answers = Answers::default();
        let configuration = self.configuration.get();
        loop {
            match rule.decide(request, &self.index.snapshot(), &configuration, &answers, Instant::now()) {
                Step::Decided(decision) => {
                    self.follow_up(&decision);
                    return decision;
                }
                Step::Needs(needs) => self.needs.carry_out(needs, &mut answers, deadline).await,
            }
        }
    }

    /// Sees to it that copies come which the pod waits for, and come back which it counts on and which turn out to be
    /// gone: the watches may be late.
    fn follow_up(&self, decision: &Decision) {
        for wanted in &decision.awaited {
            self.pending.look_soon(wanted.clone());
        }
        for wanted in &decision.relied_on {
            if let Some(copy) = self.index.snapshot().copies.get(&wanted.place) {
                copy.reliance.note(Instant::now());
            }
            // Its end may have been seen before the note was there to be seen.
            if !self.index.snapshot().has_copy(&wanted.place, &wanted.credential) {
                self.pending.look_soon(wanted.clone());
            }
        }
    }
}

fn log(rule: Rule, decision: &Decision) {
    let added = decision.patch.as_ref().map(Patch::summary);
    let audited = decision.audited.as_ref().map(Patch::summary);
    let (rule, reason) = (rule.as_str(), decision.reason.as_str());
    let refusal = match &decision.outcome {
        Outcome::Allowed => None,
        Outcome::Denied(message) | Outcome::Postponed(message) => Some(message),
    };
    if added.is_some() || refusal.is_some() || !decision.warnings.texts().is_empty() {
        info!(rule, reason, added, audited, refusal, warnings = ?decision.warnings.texts(), "decided");
    } else {
        debug!(rule, reason, "decided");
    }
}

fn respond(uid: &str, decision: &Decision) -> Response {
    match review::encode(uid, decision) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer has no JSON form");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The API server's client retries a 503 that says when, within the time it has.
fn retry_later() -> Response {
    let sentence = "regcred does not know the cluster yet; its /readyz says what is missing\n";
    let mut answer = (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response();
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
