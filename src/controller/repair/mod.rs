//! Finds pods that were admitted without a pull Secret that they need, because nobody answered their review, and mends
//! what can be mended.
//!
//! Nothing can be added to a pod that exists. So such pods are counted, apart by how they fare; their images count as
//! needs, so a copy that is missing is made like any other (see [`crate::knowledge::pods`]); and, if the operator wants
//! it, those that fail are evicted, for their replacement is asked about again. Everything else is told in Events.

mod census;
mod evict;
mod settings;
mod telling;
mod turns;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;

use census::Census;
use evict::Outcome;
use telling::Told;
use turns::Turns;

use crate::cluster::changes::{Change, Changes, Subscription};
use crate::events::Recorder;
use crate::knowledge::{Index, Pods};
use crate::leadership::Leadership;
use crate::telemetry::pod_metrics::PodMetrics;

pub use settings::{PodSettings, PodSettingsError};

/// How often is looked whether anything has changed. What changes meanwhile is judged together, and one thing is told, so
/// that other Events find room beside a thousand of ours.
const TURN: Duration = Duration::from_secs(1);
/// How often everything is judged anew, for what no change tells of: an account that limits its pods, a write that was
/// refused. As long as the longest pause between two attempts at a copy.
const EVERYTHING: Duration = Duration::from_mins(5);

/// What is needed for repair.
pub struct Repair {
    /// To evict with.
    pub client: Client,
    /// What is known of the cluster.
    pub index: Arc<Index>,
    /// What is known of pods.
    pub pods: Pods,
    /// Where changes are told.
    pub changes: Changes,
    /// Whether this replica leads.
    pub leadership: Leadership,
    /// Where Events go.
    pub recorder: Recorder,
    /// Where pods are counted.
    pub metrics: PodMetrics,
    /// What the operator wants.
    pub settings: PodSettings,
}

/// What is remembered during one term of leadership.
struct Term {
    changes: Subscription,
    census: Census,
    turns: Turns,
    told: Told,
    /// When everything is to be judged again.
    everything_at: Instant,
}

/// The results of evictions that are counted.
pub fn eviction_results() -> Vec<&'static str> {
    Outcome::ALL.into_iter().map(Outcome::as_str).collect()
}

impl Repair {
    /// Runs for ever, and works while this replica leads.
    pub async fn run(self) {
        loop {
            self.leadership.while_leading(|| self.work()).await;
            self.metrics.set(0, [0; 3]);
        }
    }

    async fn work(&self) {
        let mut term = Term {
            changes: self.changes.subscribe(),
            census: Census::default(),
            turns: Turns::new(self.settings.eviction_interval),
            told: Told::default(),
            everything_at: Instant::now(),
        };
        let turn =
            if self.settings.evict_failing_pods { TURN.min(self.settings.eviction_interval) } else { TURN };
        loop {
            // Before that a pod that is not seen means nothing, and one that is seen will be looked at again.
            if self.pods.is_complete() {
                self.judge(&mut term).await;
                self.evict_next(&mut term).await;
                self.tell_next(&mut term);
            }
            tokio::time::sleep(turn).await;
        }
    }

    async fn judge(&self, term: &mut Term) {
        // Taken before the snapshot is: what changes in between is judged again.
        let (touched, changes) = (self.pods.take_touched(), term.changes.take());
        let (known, now) = (self.index.snapshot(), Instant::now());
        let some = concerned(&changes).filter(|_| now < term.everything_at);
        let mut namespaces = some.unwrap_or_else(|| {
            term.everything_at = now + EVERYTHING;
            self.pods.namespaces().into_iter().chain(term.census.namespaces()).collect()
        });
        namespaces.extend(touched);
        if namespaces.is_empty() {
            return;
        }
        for namespace in &namespaces {
            term.census.judge(namespace, &self.pods, &known, now);
            // Judging everything takes a good part of a second in a large cluster.
            tokio::task::yield_now().await;
        }
        term.told.forget_past(&term.census);
        let total = term.census.total();
        self.metrics.set(self.pods.len(), [total.running, total.failing, total.other]);
    }

    async fn evict_next(&self, term: &mut Term) {
        if !self.settings.evict_failing_pods || !self.leadership.may_write() {
            return;
        }
        let Some((pod, owner)) = term.turns.take(term.census.failing(), Instant::now()) else {
            return;
        };
        let result = evict::evict(&self.client, pod).await;
        self.metrics.eviction(result.as_str());
        match result {
            Outcome::Done => {
                let (namespace, name) = (&pod.namespace, &pod.name);
                tracing::info!(%namespace, %name, owner = %owner.name, "evicted a failing pod that lacks a pull Secret");
                self.recorder.record(telling::evicted(pod));
            }
            Outcome::Refused => {
                self.recorder.record(telling::refused(pod));
                term.turns.give_back(owner, Instant::now());
            }
            Outcome::Outdated | Outcome::Failed => term.turns.give_back(owner, Instant::now()),
            // It counts as done: a second pod of one controller must not go in its hour.
            Outcome::Unanswered => {}
        }
    }

    fn tell_next(&self, term: &mut Term) {
        let evicts = self.settings.evict_failing_pods;
        let next = term.told.next(&term.census, |pod| evicts && turns::may_have_a_turn(pod));
        if let Some(occurrence) = next {
            self.recorder.record(occurrence);
        }
    }
}

/// The namespaces whose pods may be judged otherwise now; `None` for all.
fn concerned(changes: &HashSet<Change>) -> Option<HashSet<Arc<str>>> {
    let namespaces = changes.iter().filter_map(|change| match change {
        Change::Namespace(namespace) | Change::Pods(namespace) => Some(Some(Arc::clone(namespace))),
        Change::Copy(place) => Some(Some(Arc::clone(&place.namespace))),
        Change::Credential { .. } | Change::Source(_) | Change::Everything => Some(None),
        Change::Status(_) | Change::References(_) | Change::MarkedSecret(_) => None,
    });
    namespaces.collect()
}
