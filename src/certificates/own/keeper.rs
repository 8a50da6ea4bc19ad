//! Does what [`step`](super::step) decides, for as long as the server runs.

use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use thiserror::Error;

use super::address::Address;
use super::bundles::Configuration;
use super::cluster::{AccessError, Cluster};
use super::publication::Publication;
use super::record::{Former, Record, Signing, Unusable};
use super::schedule::{Schedule, ScheduleError};
use super::settings::Settings;
use super::step::{Observed, Served, Step, Stored};
use crate::certificates::{Authority, CertificateError};
use crate::server::{Identity, IdentityError};
use crate::telemetry::certificate_metrics::CertificateMetrics;

/// The subject of every authority of ours; which is which, their keys tell.
const COMMON_NAME: &str = "regcred authority";
/// One change is often followed by another, of the second configuration or by another replica.
const SETTLE: Duration = Duration::from_millis(50);
/// The pause after a failure, doubled with each further one: what is wrong with the API server or our rights does not
/// pass in no time, and half a minute is nothing to a certificate.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Replicas that start together are in each other's way a few times. What goes on is a refusal that looks like a conflict, and
/// is told.
const CONFLICTS_AT_ONCE: u32 = 5;

/// The loss of everything is mended in six steps; so many within a minute are a quarrel.
const STEPS_AT_ONCE: u32 = 30;
const PACE_WINDOW: Duration = Duration::from_mins(1);
const PACE: Duration = Duration::from_secs(2);

/// Why a step was not done.
#[derive(Debug, Error)]
enum StepError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Keeps the server's certificate, its authority and the trust in it.
pub struct Keeper {
    cluster: Cluster,
    schedule: Schedule,
    names: Vec<String>,
    identity: Identity,
    metrics: CertificateMetrics,
    served: Option<Served>,
    publication: Publication,
    pace: Pace,
    /// The failure already told, so that it is not told again with every try.
    told: Option<String>,
    /// The entries of which it is told that they call somebody else.
    elsewhere: Vec<String>,
}

/// What was read, and what a write has to name.
struct Reading {
    observed: Observed,
    secret: Option<Secret>,
    /// Why the Secret is of no use, if it is there and of none.
    unusable: Option<Unusable>,
}

impl Keeper {
    /// Makes one for the server of this identity, in this namespace.
    pub fn new(
        settings: &Settings,
        client: Client,
        namespace: &str,
        identity: Identity,
        metrics: CertificateMetrics,
    ) -> Result<Self, ScheduleError> {
        let address = Address::new(namespace, &settings.webhook_hosts);
        Ok(Self {
            names: address.names(),
            cluster: Cluster::new(client, namespace, address),
            schedule: settings.schedule()?,
            identity,
            metrics,
            served: None,
            publication: Publication::default(),
            pace: Pace::default(),
            told: None,
            elsewhere: Vec::new(),
        })
    }

    /// Runs for ever.
    pub async fn run(mut self) {
        let mut changes = std::pin::pin!(self.cluster.changes());
        let (mut failures, mut conflicts) = (0, 0);
        loop {
            let pause = match self.step().await {
                Ok(pause) => {
                    (failures, conflicts, self.told) = (0, 0, None);
                    pause
                }
                // Another replica was faster: look at what it did.
                Err(StepError::Access(AccessError::Conflict(what))) if conflicts < CONFLICTS_AT_ONCE => {
                    tracing::debug!(what, "changed meanwhile");
                    conflicts += 1;
                    Some(SETTLE)
                }
                Err(error) => {
                    self.tell(&error);
                    failures += 1;
                    Some(pause_after(failures))
                }
            };
            // At every turn, also when nothing could be read: time goes on.
            self.identity.judge_expiry();
            let Some(pause) = pause else {
                tokio::time::sleep(self.pace.pause(Instant::now())).await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(()) = changes.next() => tokio::time::sleep(SETTLE).await,
            }
        }
    }

    fn tell(&mut self, error: &StepError) {
        let reason = error.to_string();
        if self.told.as_ref() != Some(&reason) {
            tracing::error!(%reason, "the certificates are not as they should be; trying on, serving what there is");
            self.told = Some(reason);
        }
    }

    /// Whoever changes the URLs of our entries alone, or the flag alone, would find out by calls that fail.
    fn tell_of_other_hosts(&mut self, configurations: &[Configuration]) {
        let elsewhere: Vec<String> = configurations.iter().flat_map(|one| &one.elsewhere).cloned().collect();
        if !elsewhere.is_empty() && self.elsewhere != elsewhere {
            tracing::warn!(
                entries = elsewhere.join(", "),
                "these webhook entries call hosts that --webhook-hosts does not name, so their caBundle is not kept; name them there"
            );
        }
        self.elsewhere = elsewhere;
    }

    /// One step; how long to rest after it, if that was the step.
    async fn step(&mut self) -> Result<Option<Duration>, StepError> {
        let Reading { observed, secret, unusable } = self.read().await?;
        let step = observed.next(&self.schedule);
        let name = match &step {
            Step::Rest(pause) => return Ok(Some(*pause)),
            Step::Establish { .. } => "establish",
            Step::Record(_) => "record",
            Step::Publish(_) => "publish",
            Step::Serve { .. } => "serve",
        };
        let done = self.carry_out(step, &observed, secret).await;
        if let (Ok(()), Some(reason)) = (&done, unusable) {
            tracing::warn!(%reason, "the Secret regcred-authority was of no use; its content was made anew");
        }
        let result = match &done {
            Ok(()) => "success",
            // Another replica was faster.
            Err(StepError::Access(AccessError::Conflict(_))) => "conflict",
            Err(_) => "failure",
        };
        self.metrics.step(name, result);
        done.map(|()| None)
    }

    async fn read(&mut self) -> Result<Reading, StepError> {
        // In this order: what has left the record had left the bundles before.
        let secret = self.cluster.secret().await?;
        let configurations = self.cluster.configurations().await?;
        self.tell_of_other_hosts(&configurations);
        let mut unusable = None;
        let stored =
            match secret.as_ref().map(|secret| Record::read(secret.data.as_ref().unwrap_or(&NO_DATA))) {
                None => Stored::Absent,
                Some(Err(reason)) => {
                    unusable = Some(reason);
                    Stored::Unusable
                }
                Some(Ok(record)) => {
                    self.metrics.authority_ends(record.signing.certificate.not_after());
                    Stored::Record(record)
                }
            };
        let authority = match &stored {
            Stored::Record(record) => Some(&record.signing.certificate),
            Stored::Absent | Stored::Unusable => None,
        };
        let published_for = self.publication.observe(authority, &configurations, Instant::now());
        let observed = Observed {
            stored,
            configurations,
            served: self.served.clone(),
            published_for,
            now: SystemTime::now(),
        };
        Ok(Reading { observed, secret, unusable })
    }

    async fn carry_out(
        &mut self,
        step: Step,
        observed: &Observed,
        secret: Option<Secret>,
    ) -> Result<(), StepError> {
        match step {
            Step::Establish { former } => {
                let record = self.new_record(former, observed.now)?;
                self.cluster.store(secret, &record).await?;
                tracing::info!(
                    former = record.former.len(),
                    "made a new authority for the webhook's certificates"
                );
            }
            Step::Record(record) => self.cluster.store(secret, &record).await?,
            Step::Publish(all) => {
                for (place, changes) in all {
                    if let Some(configuration) = observed.configurations.get(place) {
                        self.cluster.publish(configuration, &changes).await?;
                        let trusted = changes.iter().map(|change| change.anchors.len()).max();
                        tracing::info!(kind = ?configuration.kind, trusted, "wrote the caBundle of our webhooks");
                    }
                }
            }
            Step::Serve { not_after } => {
                if let Stored::Record(record) = &observed.stored {
                    self.serve(record, not_after, observed).await?;
                }
            }
            Step::Rest(_) => {}
        }
        Ok(())
    }

    fn new_record(&self, former: Vec<Former>, now: SystemTime) -> Result<Record, CertificateError> {
        let authority = Authority::new(COMMON_NAME, self.schedule.authority, now)?;
        let (certificate, key) = (authority.certificate().clone(), authority.key_pem().clone());
        let leaves_until = self.schedule.leaf_end(now, certificate.not_after());
        Ok(Record { signing: Signing { certificate, key }, leaves_until, former })
    }

    /// Makes a leaf, and serves it if a client that trusts just what is published accepts it.
    async fn serve(
        &mut self,
        record: &Record,
        not_after: SystemTime,
        observed: &Observed,
    ) -> Result<(), StepError> {
        let Signing { certificate, key } = &record.signing;
        let authority = Authority::stored(&certificate.to_pem(), key.clone())?;
        let leaf = authority.issue_until(&self.names, not_after, observed.now)?;
        let candidate = self.identity.candidate(&leaf)?;
        let entries = observed.configurations.iter().flat_map(|configuration| &configuration.entries);
        let bundles: Vec<_> = entries.map(|entry| entry.anchors.as_slice()).collect();
        let own = [std::slice::from_ref(certificate)];
        for bundle in if bundles.is_empty() { &own[..] } else { &bundles } {
            let roots = bundle.iter().map(crate::certificates::TrustAnchor::der);
            self.identity.try_out(&candidate, roots, self.names.first().map_or("", String::as_str)).await?;
        }
        self.identity.serve(candidate, not_after);
        self.served = Some(Served { issuer: certificate.clone(), made: observed.now, not_after });
        Ok(())
    }
}

/// Holds back who takes many steps: somebody else undoes each of them, and the API server must not suffer from that.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    steps: u32,
}

impl Pace {
    /// How long to pause after a step.
    fn pause(&mut self, now: Instant) -> Duration {
        if self.since.is_none_or(|since| now.duration_since(since) >= PACE_WINDOW) {
            (self.since, self.steps) = (Some(now), 0);
        }
        self.steps += 1;
        if self.steps > STEPS_AT_ONCE { PACE } else { Duration::ZERO }
    }
}

/// A Secret without data.
static NO_DATA: std::collections::BTreeMap<String, k8s_openapi::ByteString> =
    std::collections::BTreeMap::new();

fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
