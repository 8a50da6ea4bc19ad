//! Carries out what the judgement says: reads, claims and gives back the Lease.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;

use super::judgement::{Candidate, Step, Term, Timing};
use super::lease::{NAME, claimed, record_of, released};
use super::{Leadership, LeaseSettings, SettingsError};
use crate::cluster::FIELD_MANAGER;
use crate::cluster::error::told;
use crate::events::{Recorder, Regarding};
use crate::telemetry::leader_metrics::LeaderMetrics;

/// How much shorter a pause may be by chance, in parts of it, so that replicas that started together do not go on
/// asking together. Never longer: the bounds that are promised count the whole period.
const JITTER: f64 = 0.2;
/// How long giving the Lease back may take. A server that ends waits no longer: without it, a follower leads when the
/// lease has run out.
pub(crate) const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes part in the election.
pub struct Elector {
    api: Api<Lease>,
    namespace: String,
    identity: String,
    timing: Timing,
    candidate: Candidate,
    /// The Lease as the candidate has last seen it.
    seen: Option<Lease>,
    terms: watch::Sender<Option<Term>>,
    metrics: LeaderMetrics,
    recorder: Recorder,
    /// Whether the last call failed: one failure in a row is told, not every one.
    failing: bool,
}

impl Elector {
    /// One who takes part, and how others learn of the result. `client` must not retry by itself.
    pub fn new(
        client: Client,
        namespace: &str,
        settings: &LeaseSettings,
        metrics: LeaderMetrics,
        recorder: Recorder,
    ) -> Result<(Self, Leadership), SettingsError> {
        let (timing, identity) = (settings.timing()?, settings.identity());
        let terms = watch::Sender::new(None);
        let leadership = Leadership { terms: terms.subscribe() };
        let elector = Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            candidate: Candidate::new(identity.clone(), timing, Instant::now()),
            identity,
            timing,
            seen: None,
            terms,
            metrics,
            recorder,
            failing: false,
        };
        Ok((elector, leadership))
    }

    /// Takes part until told to stop; then gives the Lease back, if it has it.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut next = Step::Read;
        loop {
            next = match next {
                Step::Read => self.read().await,
                Step::Claim => self.claim().await,
                Step::Rest => {
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(self.pause()) => {}
                    }
                    self.candidate.woke(Instant::now())
                }
            };
            self.publish();
        }
        if self.candidate.resign() {
            // First it is known here, then elsewhere: nobody else leads while we still might write.
            self.publish();
            self.give_back().await;
        }
    }

    fn pause(&self) -> Duration {
        let now = Instant::now();
        let pause = self.timing.retry_period.mul_f64(1.0 - JITTER * fastrand::f64());
        let latest = self.candidate.wake_by(now).map(|latest| latest.saturating_duration_since(now));
        latest.map_or(pause, |latest| pause.min(latest))
    }

    /// How long a call may take: half the deadline, so that one whose answer is lost leaves time for another; and never
    /// beyond the end of the term, which must not be overlooked meanwhile.
    fn call_timeout(&self) -> Duration {
        let half = self.timing.renew_deadline / 2;
        let now = Instant::now();
        self.candidate.term().map_or(half, |term| half.min(term.writes_until.saturating_duration_since(now)))
    }

    async fn read(&mut self) -> Step {
        let answer = tokio::time::timeout(self.call_timeout(), self.api.get_opt(NAME)).await;
        let now = Instant::now();
        match answer {
            Ok(Ok(found)) => self.looked(found, now),
            Ok(Err(error)) => self.failed(told(&error), now),
            Err(_) => self.failed("the API server did not answer in time", now),
        }
    }

    async fn claim(&mut self) -> Step {
        let lease = claimed(self.seen.as_ref(), &self.identity, self.timing.duration, Timestamp::now());
        let started = Instant::now();
        let answer = tokio::time::timeout(self.call_timeout(), self.write(&lease)).await;
        let now = Instant::now();
        match answer {
            Ok(Ok(written)) => {
                self.succeeded();
                let step = self.candidate.claimed(started, record_of(&written), now);
                self.seen = Some(written);
                step
            }
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() && self.seen.is_some() => {
                self.looked(None, now)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => self.candidate.refused(now),
            Ok(Err(error)) => self.failed(told(&error), now),
            Err(_) => self.failed("the API server did not answer in time", now),
        }
    }

    async fn write(&self, lease: &Lease) -> Result<Lease, kube::Error> {
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        if self.seen.is_some() {
            self.api.replace(NAME, &parameters, lease).await
        } else {
            self.api.create(&parameters, lease).await
        }
    }

    async fn give_back(&self) {
        let Some(seen) = &self.seen else { return };
        let lease = released(seen, Timestamp::now());
        match tokio::time::timeout(RELEASE_TIMEOUT, self.write(&lease)).await {
            Ok(Ok(_)) => tracing::info!("gave the lease back; another replica can lead at once"),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = told(&error),
                    "the lease could not be given back; it runs out by itself"
                );
            }
            Err(_) => tracing::warn!("the lease could not be given back in time; it runs out by itself"),
        }
    }

    fn looked(&mut self, found: Option<Lease>, now: Instant) -> Step {
        self.succeeded();
        let step = self.candidate.looked(found.as_ref().map(record_of), now);
        self.seen = found;
        step
    }

    fn failed(&mut self, error: &str, now: Instant) -> Step {
        if !self.failing {
            tracing::warn!(error, "the lease could not be read or renewed; trying again until it can");
        }
        self.failing = true;
        self.candidate.failed(now)
    }

    fn succeeded(&mut self) {
        if self.failing {
            tracing::info!("the lease can be read again");
        }
        self.failing = false;
    }

    /// Tells everybody what has changed.
    fn publish(&mut self) {
        let (before, now) = (*self.terms.borrow(), self.candidate.term());
        if before == now {
            return;
        }
        self.terms.send_replace(now);
        if let Some(ending) = self.candidate.take_ending() {
            self.metrics.ended(ending.as_str());
            tracing::info!(reason = ending.as_str(), "this replica leads no more");
        }
        if let Some(term) = now.filter(|term| before.is_none_or(|before| before.number != term.number)) {
            self.metrics.acquired();
            tracing::info!(term = term.number, identity = self.identity, "this replica leads");
            self.announce();
        }
    }

    /// As Kubernetes' own controllers tell it, on the Lease.
    fn announce(&self) {
        let uid = self.seen.as_ref().and_then(|lease| lease.metadata.uid.as_deref());
        let lease = Regarding::new::<Lease>(Some(&self.namespace), NAME, uid);
        let note = format!("{} became leader", self.identity);
        self.recorder.normal(lease, "LeaderElection", "Lead", note);
    }
}
