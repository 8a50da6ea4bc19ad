//! Writes Events.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use tokio::sync::mpsc;

use super::ledger::{Ledger, Repetition, Verdict};
use super::limits::Limits;
use super::object::{INSTANCE_LENGTH, cut, event_of, namespace_of, repetition_patch};
use super::{Occurrence, Regarding};
use crate::cluster::FIELD_MANAGER;
use crate::cluster::error::told;
use crate::telemetry::event_metrics::{EventMetrics, Fate};

/// The longest a write takes. Events are written one after the other; the queue holds what comes meanwhile.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the publisher sleeps when no count is to be written; an occurrence wakes it.
const IDLE: Duration = Duration::from_hours(1);

/// Writes what recorders take.
pub struct Publisher {
    client: Client,
    instance: String,
    metrics: EventMetrics,
    recorded: mpsc::Receiver<Occurrence>,
    ledger: Ledger,
    /// Whether the last write failed: one failure in a row is told, not every one.
    failing: bool,
}

impl Publisher {
    pub(super) fn new(
        client: Client,
        instance: &str,
        limits: Limits,
        metrics: EventMetrics,
        recorded: mpsc::Receiver<Occurrence>,
    ) -> Self {
        let ledger = Ledger::new(limits, Instant::now());
        let instance = cut(instance, INSTANCE_LENGTH).to_owned();
        Self { client, instance, metrics, recorded, ledger, failing: false }
    }

    /// Runs until no recorder is left. What is not written when the process ends is lost: Events are told as well as
    /// can be, not for sure.
    pub async fn run(mut self) {
        loop {
            let until_due =
                self.ledger.next_due().map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                recorded = self.recorded.recv() => match recorded {
                    Some(occurrence) => self.occurred(occurrence).await,
                    None => return,
                },
                () = tokio::time::sleep(until_due) => {}
            }
            for repetition in self.ledger.take_due(Instant::now()) {
                self.update(repetition).await;
            }
        }
    }

    async fn occurred(&mut self, occurrence: Occurrence) {
        let wall_clock = Timestamp::now();
        match self.ledger.occurred(&occurrence, Instant::now(), wall_clock) {
            Verdict::Write => self.create(occurrence, wall_clock).await,
            Verdict::Counted => self.metrics.count(Fate::Repeated),
            Verdict::LimitedObject => self.metrics.count(Fate::LimitedObject),
            Verdict::LimitedOverall => self.metrics.count(Fate::LimitedOverall),
        }
    }

    async fn create(&mut self, occurrence: Occurrence, wall_clock: Timestamp) {
        let event = event_of(&occurrence, &self.instance, fastrand::u64(..), wall_clock);
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let api = self.api(&occurrence.regarding);
        let answer = tokio::time::timeout(WRITE_TIMEOUT, api.create(&parameters, &event)).await;
        match answer {
            Ok(Ok(written)) => {
                self.succeeded(Fate::Created);
                let name = written.metadata.name.unwrap_or_default();
                self.ledger.written(occurrence, name, Instant::now(), wall_clock);
            }
            Ok(Err(error)) => self.failed(&occurrence, told(&error)),
            Err(_) => self.failed(&occurrence, "the API server did not answer in time"),
        }
    }

    async fn update(&mut self, repetition: Repetition) {
        let patch = Patch::Merge(repetition_patch(&repetition));
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let Repetition { occurrence, event, .. } = repetition;
        let api = self.api(&occurrence.regarding);
        let answer = tokio::time::timeout(WRITE_TIMEOUT, api.patch(&event, &parameters, &patch)).await;
        match answer {
            Ok(Ok(_)) => self.succeeded(Fate::Updated),
            Ok(Err(error)) => {
                if matches!(&error, kube::Error::Api(status) if status.is_not_found()) {
                    // Deleted, or older than the API server keeps Events.
                    self.ledger.forget(&occurrence);
                }
                self.failed(&occurrence, told(&error));
            }
            Err(_) => self.failed(&occurrence, "the API server did not answer in time"),
        }
    }

    fn api(&self, regarding: &Regarding) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace_of(regarding))
    }

    fn succeeded(&mut self, fate: Fate) {
        self.failing = false;
        self.metrics.count(fate);
    }

    fn failed(&mut self, occurrence: &Occurrence, error: &str) {
        if !self.failing {
            let (name, reason) = (&occurrence.regarding.name, occurrence.reason);
            tracing::warn!(name, reason, error, "an Event could not be written");
        }
        self.failing = true;
        self.metrics.count(Fate::Failed);
    }
}
