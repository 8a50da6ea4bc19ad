//! Carries out plans. Only a replica that leads has one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PatchParams, Preconditions};
use kube::{Api, Client};

use super::plan::{Hold, Plan};
use crate::api::Conflict;
use crate::cluster::carrier::{Carrier, WRITE_TIMEOUT};
use crate::cluster::error::is_of_another_version;
use crate::cluster::{FIELD_MANAGER, brief, pods, reads};
use crate::knowledge::{Index, Pods, Wants};
use crate::leadership::Leadership;
use crate::model::ObjectKey;
use crate::model::copy::{CopyAnswer, CopyKey, Obstacle, Origin, Wanted, patch};
use crate::model::guarded_patch::{Guard, GuardedPatch};
use crate::model::source::SourceSecret;
use crate::policy::NamespaceAnswer;

/// How long after a write that came to nothing the place is looked at again: long beside a look, short beside what anybody
/// waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The same where only a watch that is late would bring another answer, and is what one waits for.
const WATCH_IS_LATE: Duration = Duration::from_secs(5);

/// Writes copies.
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) index: Arc<Index>,
    pub(super) carrier: Carrier,
    pub(super) leadership: Leadership,
}

/// What carrying out a plan has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    TakenOver,
    Marked,
    Unmarked,
    Deleted,
    Released,
    /// It is offered again, which the watch does not show yet.
    Kept,
    /// The object is another by now, or another replica may lead: it is looked at anew.
    Overtaken,
    /// The API server knows that the namespace has gone or is going; the watch will tell.
    NamespaceGone,
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub(super) const ALL: [Self; 11] = [
        Self::Created,
        Self::Updated,
        Self::TakenOver,
        Self::Marked,
        Self::Unmarked,
        Self::Deleted,
        Self::Released,
        Self::Kept,
        Self::Overtaken,
        Self::NamespaceGone,
        Self::Failed,
    ];

    /// The word in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::TakenOver => "taken_over",
            Self::Marked => "marked",
            Self::Unmarked => "unmarked",
            Self::Deleted => "deleted",
            Self::Released => "released",
            Self::Kept => "kept",
            Self::Overtaken => "overtaken",
            Self::NamespaceGone => "namespace_gone",
            Self::Failed => "failed",
        }
    }

    /// How long after it the place is looked at again: what was written may not be all that is to be done there. `None` for
    /// only when something changes.
    pub(super) fn look_again_after(self) -> Option<Duration> {
        match self {
            Self::Created
            | Self::Updated
            | Self::TakenOver
            | Self::Marked
            | Self::Unmarked
            | Self::Deleted
            | Self::Released => Some(Duration::ZERO),
            // What it is by now the watch may not have shown yet. Where it failed, the pause that is remembered counts; this
            // one is for what nothing is remembered of.
            Self::Overtaken | Self::Failed => Some(LOOK_AGAIN),
            Self::Kept => Some(WATCH_IS_LATE),
            Self::NamespaceGone => None,
        }
    }
}

impl Writer {
    /// Carries out a plan; what stands in the way is remembered with a growing pause.
    pub(super) async fn carry_out(&self, plan: Plan) -> Outcome {
        match plan {
            Plan::Nothing | Plan::Later(_) => Outcome::Overtaken,
            Plan::Create(wanted) => self.create(wanted).await,
            Plan::Update { wanted, guard, source, hold } => {
                let update = |start| {
                    let updated = patch::update(start, &wanted, &source, hold == Hold::Adopted);
                    match hold {
                        Hold::Disowned { has_owners } => patch::own(updated, &wanted, has_owners),
                        Hold::Owned | Hold::Adopted => updated,
                    }
                };
                self.patch(wanted.key(), guard, update, Outcome::Updated).await
            }
            Plan::Recreate(wanted, guard) => match self.delete(wanted.key(), guard).await {
                Outcome::Deleted => self.create(wanted).await,
                other => other,
            },
            Plan::Mark(wanted, guard) => {
                let mark = |start| patch::mark(start, Timestamp::now());
                self.patch(wanted.key(), guard, mark, Outcome::Marked).await
            }
            Plan::Unmark(wanted, guard) => {
                self.patch(wanted.key(), guard, patch::unmark, Outcome::Unmarked).await
            }
            Plan::Delete(key, guard) => self.delete(key, guard).await,
            Plan::Withdraw { wanted, guard, is_adopted } => self.withdraw(wanted, guard, is_adopted).await,
            Plan::DeleteUnneeded(wanted, guard) => self.delete_unneeded(wanted, guard).await,
            Plan::Release(key, guard) => self.patch(key, guard, patch::release, Outcome::Released).await,
        }
    }

    async fn create(&self, wanted: Wanted) -> Outcome {
        if !self.leadership.may_write() {
            return Outcome::Overtaken;
        }
        match self.carrier.create(wanted.clone()).await {
            CopyAnswer::Created => Outcome::Created,
            CopyAnswer::Present | CopyAnswer::Absent => Outcome::Overtaken,
            CopyAnswer::Blocked(Obstacle::Foreign) => self.take_over(wanted).await,
            CopyAnswer::Blocked(Obstacle::NamespaceGone) => Outcome::NamespaceGone,
            CopyAnswer::Blocked(_) => Outcome::Failed,
        }
    }

    /// Makes a foreign Secret a copy if the credential says so and nothing speaks against it. What it says now: since it was
    /// planned, the call that has found the Secret may have taken seconds, and what is written over is lost.
    async fn take_over(&self, planned: Wanted) -> Outcome {
        let known = self.index.snapshot();
        let current = known.credential(&planned.credential.uid);
        let Some(credential) = current.filter(|current| current.copy_name == planned.place.name) else {
            return Outcome::Overtaken;
        };
        if credential.conflict == Conflict::Refuse {
            // The carrier has remembered it as foreign, which it stays.
            return Outcome::Failed;
        }
        let wanted = Wanted { credential: Arc::clone(credential), place: planned.place };
        let api = self.api(&wanted.place);
        let is_wanted = known.wants(&wanted.credential, &wanted.place.namespace) == Wants::Copy;
        let Some(source) = known.good_source(&wanted.credential).filter(|_| is_wanted) else {
            return Outcome::Overtaken;
        };
        let found = match tokio::time::timeout(WRITE_TIMEOUT, api.get_opt(&wanted.place.name)).await {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => return Outcome::Overtaken,
            Ok(Err(error)) => return self.failed(&wanted.key(), &brief(&error)),
            Err(_) => return self.failed(&wanted.key(), OUT_OF_TIME),
        };
        if !may_take_over(&found, source, wanted.credential.conflict) {
            return Outcome::Failed;
        }
        let guard = Guard::from(&found.metadata);
        let take_over = |start| patch::take_over(start, &found, &wanted, source);
        self.patch(wanted.key(), guard, take_over, Outcome::TakenOver).await
    }

    async fn patch(
        &self,
        key: CopyKey,
        guard: Guard,
        change: impl FnOnce(GuardedPatch) -> GuardedPatch,
        done: Outcome,
    ) -> Outcome {
        // Right before the write: none starts when another may lead.
        if !self.leadership.may_write() {
            return Outcome::Overtaken;
        }
        let changed = change(GuardedPatch::new(&guard)).build();
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let before = self.index.copies_seen_to();
        let api = self.api(&key.place);
        let patch = kube::api::Patch::Json::<()>(changed);
        let patched = api.patch(&key.place.name, &parameters, &patch);
        match tokio::time::timeout(WRITE_TIMEOUT, patched).await {
            Ok(Ok(secret)) => {
                self.index.learn_copy(&secret, before);
                tracing::info!(copy = %key.place, outcome = ?done, "changed a copy");
                done
            }
            Ok(Err(error)) => self.refused(&key, &guard, &error),
            Err(_) => self.failed(&key, OUT_OF_TIME),
        }
    }

    async fn delete(&self, key: CopyKey, guard: Guard) -> Outcome {
        if !self.leadership.may_write() {
            return Outcome::Overtaken;
        }
        let preconditions = Preconditions {
            uid: Some(guard.uid.to_string()),
            resource_version: Some(guard.resource_version.to_string()),
        };
        let parameters = DeleteParams::default().preconditions(preconditions);
        let api = self.api(&key.place);
        match tokio::time::timeout(WRITE_TIMEOUT, api.delete(&key.place.name, &parameters)).await {
            Ok(Ok(_)) => {
                self.index.forget_copy(&key.place, &guard.uid);
                tracing::info!(copy = %key.place, "deleted a copy");
                Outcome::Deleted
            }
            Ok(Err(error)) => self.refused(&key, &guard, &error),
            Err(_) => self.failed(&key, OUT_OF_TIME),
        }
    }

    /// The watch on pods may be late. The API server is asked for the pods that there are now, so that the copy goes only if
    /// none of them needs it.
    async fn delete_unneeded(&self, wanted: Wanted, guard: Guard) -> Outcome {
        let pods = pods::of_namespace(&self.client, &wanted.place.namespace);
        match tokio::time::timeout(WRITE_TIMEOUT, pods).await {
            Ok(Ok(pods)) if self.is_needed_by(&pods, &wanted) => {
                self.patch(wanted.key(), guard, patch::unmark, Outcome::Unmarked).await
            }
            Ok(Ok(_)) => self.delete(wanted.key(), guard).await,
            Ok(Err(error)) => self.failed(&wanted.key(), &brief(&error)),
            Err(_) => self.failed(&wanted.key(), OUT_OF_TIME),
        }
    }

    /// The watch on namespaces may be late, and after a restart begin with what was a while ago. Where it is the labels that
    /// decide, the API server is asked for those that there are now, so that no copy goes that is offered again.
    async fn withdraw(&self, wanted: Wanted, guard: Guard, is_adopted: bool) -> Outcome {
        let Wanted { credential, place } = &wanted;
        let name = &place.namespace;
        if !self.index.snapshot().offers(credential, name, None).is_no() {
            match reads::namespace(&self.client, name).await {
                NamespaceAnswer::Found(now) if now.terminating => return Outcome::NamespaceGone,
                NamespaceAnswer::Found(now) => {
                    let known = self.index.snapshot();
                    let current = known.credential(&credential.uid).unwrap_or(credential);
                    if known.is_offered_to(current, name, &now) {
                        return Outcome::Kept;
                    }
                }
                NamespaceAnswer::Absent => return Outcome::NamespaceGone,
                NamespaceAnswer::Unknown(reason) => return self.failed(&wanted.key(), &reason),
            }
        }
        if is_adopted {
            self.patch(wanted.key(), guard, patch::release, Outcome::Released).await
        } else {
            self.delete(wanted.key(), guard).await
        }
    }

    fn is_needed_by(&self, pods: &Pods, wanted: &Wanted) -> bool {
        let Wanted { credential, place } = wanted;
        if wanted.has_former_name() {
            pods.names(&place.namespace, &place.name)
        } else {
            pods.needs(&self.index.snapshot(), &place.namespace, credential)
        }
    }

    fn api(&self, place: &ObjectKey) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &place.namespace)
    }

    /// Where the watch has shown another version meanwhile, that is the reason, and there is nothing to wait for. What is taken
    /// over it does not show: there the answer tells.
    fn refused(&self, key: &CopyKey, guard: &Guard, error: &kube::Error) -> Outcome {
        let known = self.index.snapshot();
        let is_overtaken = match known.copies.get(&key.place) {
            Some(copy) => copy.guard() != *guard,
            None => is_of_another_version(error),
        };
        if is_overtaken { Outcome::Overtaken } else { self.failed(key, &brief(error)) }
    }

    fn failed(&self, key: &CopyKey, reason: &str) -> Outcome {
        tracing::warn!(copy = %key.place, reason, "a copy could not be changed");
        self.index.set_back(key, Obstacle::Passing(reason.into()), Instant::now());
        Outcome::Failed
    }
}

/// What a write is told that was not answered.
const OUT_OF_TIME: &str = "the API server did not answer in time";

/// Neither way touches a Secret of another type, one that a controller owns, or another credential's copy.
fn may_take_over(found: &Secret, source: &SourceSecret, conflict: Conflict) -> bool {
    let metadata = &found.metadata;
    let has_controller =
        metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    let is_same = || found.data == Some(source.data());
    metadata.deletion_timestamp.is_none()
        && Origin::of(metadata).is_none()
        && !has_controller
        && found.type_.as_deref() == Some(&*source.secret_type)
        && match conflict {
            Conflict::Refuse => false,
            Conflict::Adopt => is_same(),
            Conflict::Overwrite => true,
        }
}

#[cfg(test)]
mod tests;
