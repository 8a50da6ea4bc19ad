//! Keeps copies right: the replica that leads creates what is missing, follows the sources, heals what was changed, and
//! removes what nobody may have or needs any more.
//!
//! It is driven by what the watches show: each change names places, each place is looked at by a pure function, and what
//! that says is done. At rest it asks the API server nothing.

#[cfg(test)]
mod cost;
mod places;
mod plan;
mod record;
mod settings;
mod writer;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use kube::Client;
use tokio::task::{JoinError, JoinSet};

use plan::{Plan, Planner};
pub use record::Graces;
use record::Records;
pub use settings::CopySettings;
use writer::{Outcome, Writer};

use super::queue::Queue;
use crate::cluster::carrier::Carrier;
use crate::cluster::changes::{Change, Changes};
use crate::knowledge::{Index, Pods, Snapshot};
use crate::leadership::Leadership;
use crate::model::ObjectKey;
use crate::telemetry::reconcile_metrics::ReconcileMetrics;

/// How many copies are written at once. A write takes a few milliseconds of an API server that has time, so this many bring a
/// new source to thousands of namespaces within seconds; it is a fraction of what an API server lets one client do.
const WRITES_AT_ONCE: usize = 24;
/// How long the loop sleeps when nothing waits; a change wakes it.
const IDLE: Duration = Duration::from_hours(1);
/// The shortest sleep: changes that come together are looked at together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// How many places are looked at before other tasks get their turn.
const LOOKS_AT_ONCE: usize = 256;

/// What the loop needs.
pub struct Reconciler {
    /// To change copies.
    pub client: Client,
    /// What is known.
    pub index: Arc<Index>,
    /// What the leader knows of pods.
    pub pods: Pods,
    /// To create copies.
    pub carrier: Carrier,
    /// What has changed.
    pub changes: Changes,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// The pauses between seeing and acting.
    pub graces: Graces,
    /// What is counted.
    pub metrics: ReconcileMetrics,
}

/// The outcomes that are counted.
pub fn outcomes() -> Vec<&'static str> {
    Outcome::ALL.into_iter().map(Outcome::as_str).collect()
}

impl Reconciler {
    /// Runs for ever.
    pub async fn run(self) {
        let writer = Arc::new(Writer {
            client: self.client.clone(),
            index: Arc::clone(&self.index),
            carrier: self.carrier.clone(),
            leadership: self.leadership.clone(),
        });
        loop {
            self.leadership.while_leading(|| self.lead(&writer)).await;
            // Who does not lead has nothing to do.
            self.metrics.queue(0);
        }
    }

    /// Begins with everything, for whoever led before may have left anything half done.
    async fn lead(&self, writer: &Arc<Writer>) {
        let changes = self.changes.subscribe();
        let mut term = Term { reconciler: self, queue: Queue::default(), records: Records::default() };
        let mut under_way: JoinSet<(ObjectKey, Outcome)> = JoinSet::new();
        loop {
            term.expect(&changes.take());
            term.look(writer, &mut under_way).await;
            self.metrics.queue(term.queue.len());
            let next = term.queue.next().filter(|_| under_way.len() < WRITES_AT_ONCE);
            let wait = next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = changes.came() => tokio::time::sleep(SHORTEST_SLEEP).await,
                Some(ended) = under_way.join_next() => term.ended(ended),
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(ended) = under_way.try_join_next() {
                term.ended(ended);
            }
        }
    }
}

/// What one leader has in its head.
struct Term<'a> {
    reconciler: &'a Reconciler,
    queue: Queue,
    records: Records,
}

impl Term<'_> {
    fn expect(&mut self, changes: &HashSet<Change>) {
        let (known, now) = (self.reconciler.index.snapshot(), Instant::now());
        if changes.contains(&Change::Everything) {
            self.records.retain(|place| known.copies.contains_key(place));
            return self.look_at(&known, &Change::Everything, now);
        }
        for change in changes {
            self.look_at(&known, change, now);
        }
    }

    fn look_at(&mut self, known: &Snapshot, change: &Change, now: Instant) {
        for place in places::concerned(known, &self.reconciler.pods, change) {
            self.queue.add(place, now);
        }
    }

    /// Looks at what is due, as long as there is room for what may have to be written.
    async fn look(&mut self, writer: &Arc<Writer>, under_way: &mut JoinSet<(ObjectKey, Outcome)>) {
        let mut looks = 0;
        while under_way.len() < WRITES_AT_ONCE {
            let now = Instant::now();
            let Some(place) = self.queue.take_due(now) else {
                return;
            };
            match self.plan(&place, now) {
                Plan::Nothing => self.queue.done(&place),
                Plan::Later(moment) => {
                    self.queue.done(&place);
                    self.queue.add(place, moment);
                }
                plan => {
                    let writer = Arc::clone(writer);
                    under_way.spawn(async move {
                        // A panic must not keep the place from ever being looked at again.
                        let work = AssertUnwindSafe(writer.carry_out(plan)).catch_unwind();
                        (place, work.await.unwrap_or(Outcome::Failed))
                    });
                }
            }
            looks += 1;
            if looks % LOOKS_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn plan(&mut self, place: &ObjectKey, now: Instant) -> Plan {
        let Reconciler { index, pods, graces, .. } = self.reconciler;
        let known = index.snapshot();
        let uid = known.copies.get(place).map(|copy| &copy.uid);
        let mut record = self.records.take(place, uid);
        let plan = Planner { known: &known, pods, graces: *graces, now }.plan(place, &mut record);
        self.records.put(place, uid, record);
        plan
    }

    fn ended(&mut self, ended: Result<(ObjectKey, Outcome), JoinError>) {
        if let Ok((place, outcome)) = ended {
            self.reconciler.metrics.reconciled(outcome.as_str());
            self.queue.done(&place);
            if let Some(pause) = outcome.look_again_after() {
                self.queue.add(place, Instant::now() + pause);
            }
        }
    }
}
