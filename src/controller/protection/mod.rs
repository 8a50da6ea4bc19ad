//! Keeps marks on the Secrets that something points to, and on no others, and tells of what points to a Secret that has gone.
//!
//! Whoever comes to point to a Secret marks it itself and leaves a reservation. What is left for the leader: to mark Secrets that
//! were pointed to before, or while nobody answered; to withdraw reservations whose write is through or never will be; to take marks
//! off again. It is driven by what the watches show, and takes nothing off without a look at what the API server itself has then.

mod plan;
mod record;
mod telling;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use kube::Client;
use tokio::task::{JoinError, JoinSet};

use plan::{Plan, Planner};
use record::{Outcome, RECHECK, Records};
use writer::Writer;

use super::queue::Queue;
use crate::cluster::changes::{Change, Changes};
use crate::cluster::marked_secrets::{self, MarkedSecrets};
use crate::cluster::protection::Inquiry;
use crate::events::Recorder;
use crate::knowledge::Index;
use crate::leadership::Leadership;
use crate::model::ObjectKey;
use crate::telemetry::protection_metrics::ProtectionMetrics;

/// How many Secrets are worked on at once. Nobody waits for it, and after a first start ten thousand may have to be marked: that
/// takes some minutes, and a fraction of what an API server lets one client do.
const AT_ONCE: usize = 10;
/// How long lists may take: nobody waits for them, and a mark that cannot come off for want of one keeps its Secret from being deleted.
const LONGEST_LIST: Duration = Duration::from_mins(1);
/// The shortest sleep: changes that come together are looked at together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// How many Secrets are looked at before other tasks get their turn.
const LOOKS_AT_ONCE: usize = 256;

/// What is needed for it.
pub struct Protection {
    /// To change marks with.
    pub client: Client,
    /// What is known of the cluster.
    pub index: Arc<Index>,
    /// To ask the API server with.
    pub inquiry: Inquiry,
    /// Where changes are told.
    pub changes: Changes,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// After which time a write that the API server has admitted is stored, or never will be.
    pub settle: Duration,
    /// Where Events go.
    pub recorder: Recorder,
    /// Where Secrets are counted.
    pub metrics: ProtectionMetrics,
}

impl Protection {
    /// Works while this replica leads. Ends only by a defect.
    pub async fn run(self) {
        loop {
            let ended = self.leadership.while_leading(|| self.lead()).await;
            self.metrics.set(0, 0, 0);
            if ended.is_some() {
                return;
            }
        }
    }

    /// One term. What it has seen ends with it.
    async fn lead(&self) {
        let writer = Arc::new(Writer {
            client: self.client.clone(),
            inquiry: self.inquiry.clone().with_lists_of(LONGEST_LIST),
            leadership: self.leadership.clone(),
            recorder: self.recorder.clone(),
        });
        let marked = MarkedSecrets::default();
        let scope = self.index.snapshot().scope.clone();
        tokio::select! {
            () = marked_secrets::follow(self.client.clone(), &scope, &marked, &self.changes) => {}
            () = self.work(&writer, &marked) => {}
        }
    }

    async fn work(&self, writer: &Arc<Writer>, marked: &MarkedSecrets) {
        let changes = self.changes.subscribe();
        // Before that each Secret that is pointed to would seem to need a mark.
        while !marked.is_complete() {
            changes.came().await;
        }
        let mut term = Term {
            protection: self,
            marked,
            queue: Queue::default(),
            records: Records::default(),
            everything_at: Instant::now(),
        };
        let mut under_way: JoinSet<(ObjectKey, Outcome)> = JoinSet::new();
        loop {
            term.expect(&changes.take());
            term.look(writer, &mut under_way).await;
            let (secrets, reservations) = marked.counts();
            self.metrics.set(secrets, reservations, term.records.dangling());
            let next = term.queue.next().filter(|_| under_way.len() < AT_ONCE);
            let next = next.map_or(term.everything_at, |next| next.min(term.everything_at));
            tokio::select! {
                () = changes.came() => tokio::time::sleep(SHORTEST_SLEEP).await,
                Some(ended) = under_way.join_next() => term.ended(ended),
                () = tokio::time::sleep(next.saturating_duration_since(Instant::now())) => {}
            }
            while let Some(ended) = under_way.try_join_next() {
                term.ended(ended);
            }
        }
    }
}

/// What one leader has in its head.
struct Term<'a> {
    protection: &'a Protection,
    marked: &'a MarkedSecrets,
    queue: Queue,
    records: Records,
    /// When everything is to be looked at again, for what no change tells of: a Secret that was created under a name that something
    /// points to.
    everything_at: Instant,
}

impl Term<'_> {
    fn expect(&mut self, changes: &HashSet<Change>) {
        let now = Instant::now();
        if changes.contains(&Change::Everything) || self.everything_at <= now {
            self.everything_at = now + RECHECK;
            let known = self.protection.index.snapshot();
            let remembered = self.records.secrets();
            let all = known.references.secrets().chain(remembered).cloned().chain(self.marked.keys());
            for secret in all {
                self.queue.add(secret, now);
            }
        }
        for change in changes {
            if let Change::References(secret) | Change::MarkedSecret(secret) = change {
                self.queue.add(secret.clone(), now);
            }
            if let Change::References(secret) = change {
                self.look_anew(secret);
            }
        }
    }

    /// Something has come to point to a Secret, or does not any more: that it was not there a while ago does not count.
    fn look_anew(&mut self, secret: &ObjectKey) {
        let mut record = self.records.take(secret);
        record.gone = None;
        self.records.put(secret, record);
    }

    /// Looks at what is due, as long as there is room for what may have to be asked.
    async fn look(&mut self, writer: &Arc<Writer>, under_way: &mut JoinSet<(ObjectKey, Outcome)>) {
        let mut looks = 0;
        while under_way.len() < AT_ONCE {
            let now = Instant::now();
            let Some(secret) = self.queue.take_due(now) else {
                return;
            };
            match self.plan(&secret, now) {
                Plan::Nothing => self.queue.done(&secret),
                Plan::Later(moment) => {
                    self.queue.done(&secret);
                    self.queue.add(secret, moment);
                }
                plan => {
                    let writer = Arc::clone(writer);
                    under_way.spawn(async move {
                        // A panic must not keep the Secret from ever being looked at again.
                        let work = AssertUnwindSafe(writer.carry_out(&secret, plan)).catch_unwind().await;
                        (secret, work.unwrap_or(Outcome::Failed))
                    });
                }
            }
            looks += 1;
            if looks % LOOKS_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn plan(&mut self, secret: &ObjectKey, now: Instant) -> Plan {
        let known = self.protection.index.snapshot();
        // Objects may point anywhere. Of Secrets outside the scope nothing is known, nor may be. What people have written in place of a
        // name must not become a path by which something else is asked for or changed.
        if !known.scope.covers(&secret.namespace) || !secret.can_exist() {
            return Plan::Nothing;
        }
        let mut record = self.records.take(secret);
        let planner = Planner { references: &known.references, settle: self.protection.settle, now };
        let plan = planner.plan(secret, self.marked.get(secret).as_deref(), &mut record);
        self.records.put(secret, record);
        plan
    }

    fn ended(&mut self, ended: Result<(ObjectKey, Outcome), JoinError>) {
        if let Ok((secret, outcome)) = ended {
            let mut record = self.records.take(&secret);
            let again = record.note(outcome, Instant::now());
            self.records.put(&secret, record);
            self.queue.done(&secret);
            self.queue.add(secret, again);
        }
    }
}
