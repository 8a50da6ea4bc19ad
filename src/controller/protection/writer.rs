//! Carries out plans. Only a replica that leads has one.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use serde_json::json;

use super::plan::Plan;
use super::record::{Finding, Outcome, Standing};
use super::telling::{Absence, dangling};
use crate::cluster::FIELD_MANAGER;
use crate::cluster::carrier::WRITE_TIMEOUT;
use crate::cluster::error::{is_of_another_version, told};
use crate::cluster::protection::{Inquiry, Trust};
use crate::events::Recorder;
use crate::knowledge::references::Use;
use crate::leadership::Leadership;
use crate::model::ObjectKey;
use crate::model::guarded_patch::{Guard, GuardedPatch};
use crate::model::protection::{IN_USE_LABEL, IN_USE_VALUE, Listing, LiveReferrer, Reservation};
use crate::model::pruned::Pruned;
use crate::model::reference::Referrer;

/// How many looks at referrers are under way for one Secret.
const LOOKS_AT_ONCE: usize = 4;
/// What is said of what was not answered.
const OUT_OF_TIME: &str = "the API server did not answer in time";

/// Changes the marks on Secrets.
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) inquiry: Inquiry,
    pub(super) leadership: Leadership,
    pub(super) recorder: Recorder,
}

/// The metadata of Secrets: what is in them never comes here.
type Secrets = Api<Pruned<PartialObjectMeta<Secret>>>;

impl Writer {
    /// Carries out a plan.
    pub(super) async fn carry_out(&self, secret: &ObjectKey, plan: Plan) -> Outcome {
        match plan {
            Plan::Nothing | Plan::Later(_) => Outcome::Overtaken,
            Plan::Label => self.label(secret).await,
            Plan::Look(reservations) => self.look(secret, reservations).await,
            Plan::Withdraw(guard, annotations) => {
                let patch = annotations.iter().fold(GuardedPatch::new(&guard), |patch, annotation| {
                    patch.remove(["metadata", "annotations", &**annotation])
                });
                self.patch(secret, patch, "withdrew reservations from a Secret").await
            }
            Plan::List(guard) => self.list(secret, guard).await,
            Plan::TakeOff(guard) => {
                let patch = GuardedPatch::new(&guard).remove(["metadata", "labels", IN_USE_LABEL]);
                self.patch(secret, patch, "a Secret is not marked as in use any more").await
            }
            Plan::Tell(absence, uses) => self.tell(secret, absence, uses).await,
        }
    }

    /// Marks a Secret. That needs no version: whatever else has changed, it is in use. But what was created anew under its name is
    /// another one, which may be going already.
    async fn label(&self, secret: &ObjectKey) -> Outcome {
        let begun = Instant::now();
        let api = self.api(secret);
        let found = match self.answer(secret, api.get_opt(&secret.name)).await {
            Ok(Some(Pruned(found))) => found.metadata,
            Ok(None) => return Outcome::Gone(Absence::Gone, begun),
            Err(outcome) => return outcome,
        };
        if found.deletion_timestamp.is_some() {
            return Outcome::Gone(Absence::Going, begun);
        }
        if found.labels.as_ref().is_some_and(|labels| labels.contains_key(IN_USE_LABEL)) {
            return Outcome::Overtaken;
        }
        let patch = json!({"metadata": {"uid": found.uid, "labels": {IN_USE_LABEL: IN_USE_VALUE}}});
        self.write(secret, &Patch::Merge(patch), "marked a Secret as in use").await
    }

    async fn patch(&self, secret: &ObjectKey, patch: GuardedPatch, done: &'static str) -> Outcome {
        self.write(secret, &Patch::Json::<()>(patch.build()), done).await
    }

    async fn write<P>(&self, secret: &ObjectKey, patch: &Patch<P>, done: &'static str) -> Outcome
    where
        P: serde::Serialize + std::fmt::Debug,
    {
        // Right before the write: none starts when another may lead.
        if !self.leadership.may_write() {
            return Outcome::Overtaken;
        }
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let api = self.api(secret);
        match self.answer(secret, api.patch(&secret.name, &parameters, patch)).await {
            Ok(_) => {
                tracing::info!(%secret, "{done}");
                Outcome::Written
            }
            Err(outcome) => outcome,
        }
    }

    /// Looks at each referrer once, however many reservations it has.
    async fn look(&self, secret: &ObjectKey, reservations: Vec<Reservation>) -> Outcome {
        let begun = Instant::now();
        let referrers: BTreeSet<Referrer> =
            reservations.iter().map(|reservation| reservation.claim.referrer.clone()).collect();
        let looked = self.look_at(secret, referrers.into_iter().map(Arc::new).collect()).await;
        let findings = reservations.iter().map(|reservation| {
            let live = looked.get(&reservation.claim.referrer);
            let finding = live.map_or(Finding::Unknown, |live| Finding::of(reservation, live));
            (reservation.annotation().into(), finding)
        });
        Outcome::Looked(begun, findings.collect())
    }

    async fn look_at(
        &self,
        secret: &ObjectKey,
        referrers: Vec<Arc<Referrer>>,
    ) -> BTreeMap<Arc<Referrer>, LiveReferrer> {
        let looks = referrers.into_iter().map(|referrer| async move {
            let live = self.inquiry.referrer(&referrer).await;
            if let LiveReferrer::Unknown(reason) = &live {
                tracing::warn!(%secret, kind = %referrer.kind, %reason, "what may point to a Secret could not be looked at");
            }
            (referrer, live)
        });
        stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await
    }

    async fn list(&self, secret: &ObjectKey, guard: Guard) -> Outcome {
        let listing = self.inquiry.referrers(secret, Trust::Fresh).await;
        if let Listing::Unknown(reason) = &listing {
            tracing::warn!(%secret, %reason, "what may point to a Secret could not be listed; its mark stays");
        }
        Outcome::Listed(guard, listing)
    }

    /// The watches may be late: it is told only of what points there now.
    async fn tell(&self, secret: &ObjectKey, absence: Absence, uses: Vec<Use>) -> Outcome {
        let begun = Instant::now();
        let referrers = uses.iter().map(|one| Arc::clone(&one.referrer)).collect();
        let looked = self.look_at(secret, referrers).await;
        let confirmed = uses.into_iter().map(|one| {
            let standing = match looked.get(&*one.referrer) {
                None | Some(LiveReferrer::Unknown(_)) => None,
                Some(live @ LiveReferrer::Found { uid, .. }) if !live.places(secret).is_empty() => {
                    let referrer = &one.referrer;
                    tracing::warn!(%secret, %referrer, ?absence, "an object points to a Secret that has gone or is going");
                    self.recorder.record(dangling(secret, absence, &one, uid));
                    Some(Standing::Told)
                }
                Some(_) => Some(Standing::Clear(begun)),
            };
            (one.referrer, standing)
        });
        Outcome::Confirmed(confirmed.collect())
    }

    /// What the API server answers; else what that comes to.
    async fn answer<T>(
        &self,
        secret: &ObjectKey,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Outcome> {
        let error = match tokio::time::timeout(WRITE_TIMEOUT, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if is_of_another_version(&error) => return Err(Outcome::Overtaken),
            Ok(Err(error)) => told(&error).to_owned(),
            Err(_) => OUT_OF_TIME.to_owned(),
        };
        tracing::warn!(%secret, error, "the mark on a Secret could not be looked at or changed");
        Err(Outcome::Failed)
    }

    fn api(&self, secret: &ObjectKey) -> Secrets {
        Api::namespaced(self.client.clone(), &secret.namespace)
    }
}

#[cfg(test)]
mod tests;
