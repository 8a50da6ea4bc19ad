//! Tells how credentials stand: the replica that leads keeps their statuses, and Events and metrics with them.
//!
//! It is driven by what the watches show. A status is written only where it differs from the one that is stored, at most
//! once in [`PAUSE`] for each credential; at rest nothing is read or written.

mod board;
mod writer;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use kube::Client;
use tokio::task::JoinSet;

use board::{Board, Draft};
use writer::{Outcome, Writer};

use crate::cluster::changes::{Changes, Subscription};
use crate::events::Recorder;
use crate::knowledge::{Index, Pods, Snapshot};
use crate::leadership::Leadership;
use crate::model::credential::Credential;
use crate::status::{Seen, occurrences};
use crate::telemetry::status_metrics::StatusMetrics;

/// The shortest time between two writes of one credential's status. Whoever reads it looks every few seconds at most, and
/// each write wakes everybody who watches credentials.
const PAUSE: Duration = Duration::from_secs(5);
/// How many statuses are written at once, and the time from the beginning of one to that of the next. So a new leader of
/// thousands of credentials takes a minute for them, in which the API server has time for pods.
const WRITES_AT_ONCE: usize = 4;
/// See [`WRITES_AT_ONCE`].
const WRITE_GAP: Duration = Duration::from_millis(20);
/// How long the loop sleeps when nothing waits; a change wakes it.
const IDLE: Duration = Duration::from_hours(1);
/// The shortest sleep: changes that come together are looked at together. It bounds how exactly propagation is measured.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);
/// How often a new leader looks whether all pods are listed.
const LOOK_FOR_PODS: Duration = Duration::from_millis(100);
/// How long a new leader waits for all pods to be listed before it does without them: an installation that may not list
/// pods has a status all the same.
const PODS_PATIENCE: Duration = Duration::from_secs(30);

/// What the loop needs.
pub struct Reporter {
    /// To write statuses.
    pub client: Client,
    /// What is known.
    pub index: Arc<Index>,
    /// What the leader knows of pods.
    pub pods: Pods,
    /// Whether it watches them at all.
    pub watches_pods: bool,
    /// What has changed.
    pub changes: Changes,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// To tell what happened.
    pub recorder: Recorder,
    /// What is counted.
    pub metrics: StatusMetrics,
}

impl Reporter {
    /// Runs for ever.
    pub async fn run(self) {
        let writer =
            Arc::new(Writer::new(self.client.clone(), Arc::clone(&self.index), self.leadership.clone()));
        loop {
            self.leadership.while_leading(|| self.lead(&writer)).await;
            // Who leads now tells the same, and sums over replicas must not count twice.
            self.metrics.clear();
        }
    }

    async fn lead(&self, writer: &Arc<Writer>) {
        self.until_known().await;
        let subscription = self.changes.subscribe();
        let mut board = Board::default();
        let mut under_way: JoinSet<(Draft, Instant, Outcome)> = JoinSet::new();
        let mut next_write = Instant::now();
        loop {
            let now = Instant::now();
            self.look(&mut board, &subscription, now);
            let room = WRITES_AT_ONCE - under_way.len().min(WRITES_AT_ONCE);
            if room > 0
                && now >= next_write
                && let Some(draft) = board.draft(&self.index.snapshot(), now, Timestamp::now())
            {
                next_write = now + WRITE_GAP;
                let writer = Arc::clone(writer);
                under_way.spawn(async move {
                    // A panic must not keep the status from ever being written again.
                    let write = AssertUnwindSafe(writer.write(&draft)).catch_unwind();
                    let outcome = write.await.unwrap_or(Outcome::Failed);
                    (draft, now, outcome)
                });
            }
            self.metrics.copies(&board.counts());
            self.metrics.credentials(board.readiness());
            let next = board.next().filter(|_| under_way.len() < WRITES_AT_ONCE);
            let wait =
                next.map_or(IDLE, |next| next.max(next_write).saturating_duration_since(Instant::now()));
            tokio::select! {
                () = subscription.came() => tokio::time::sleep(SHORTEST_SLEEP).await,
                Some(Ok((draft, began, outcome))) = under_way.join_next() => {
                    self.ended(&mut board, &draft, began, outcome);
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// By pods that are not known completely copies could look unwanted. All else is known to who leads.
    async fn until_known(&self) {
        let patience = Instant::now() + PODS_PATIENCE;
        while self.watches_pods && !self.pods.is_complete() && Instant::now() < patience {
            tokio::time::sleep(LOOK_FOR_PODS).await;
        }
    }

    fn look(&self, board: &mut Board, subscription: &Subscription, now: Instant) {
        let changes = subscription.take();
        let known = self.index.snapshot();
        let needs = |known: &Snapshot, namespace: &str, credential: &Credential| {
            self.pods.is_complete().then(|| self.pods.needs(known, namespace, credential))
        };
        let seen = Seen { at: now, wall_clock: Timestamp::now() };
        for took in board.note(&changes, &known, &needs, seen) {
            self.metrics.propagated(took);
        }
    }

    fn ended(&self, board: &mut Board, draft: &Draft, began: Instant, outcome: Outcome) {
        board.ended(&draft.subject, began, outcome, Instant::now());
        if outcome == Outcome::Written {
            for occurrence in occurrences(&draft.subject, &draft.before.status, &draft.status) {
                self.recorder.record(occurrence);
            }
        }
    }
}
