//! Creates missing copies, in an admission call or by the controller. It only ever creates: what exists is read once and
//! judged, never changed, but for the mark that a copy is no longer needed, which is taken off.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use tokio::sync::Semaphore;

use super::pending::Pending;
use super::{FIELD_MANAGER, brief};
use crate::knowledge::Index;
use crate::model::copy::{CopyAnswer, CopyKey, Obstacle, Wanted, copy_of, is_marked, patch};
use crate::model::guarded_patch::{Guard, GuardedPatch};
use crate::telemetry::copy_metrics::CopyMetrics;

/// How many copies are written at once. Each write holds a connection to the API server; a burst of new namespaces
/// must not open more. Beyond this many the caller is told that the copy comes later.
const WRITES_AT_ONCE: usize = 64;
/// The longest a write takes. It outlives the call that asked for it, so that its result is not lost.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The cause that the API server gives when nothing can be created in a namespace any more
/// (`corev1.NamespaceTerminatingCause`).
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

/// A write under way, which every caller that wants the same copy awaits.
type Write = Shared<BoxFuture<'static, CopyAnswer>>;

/// Creates copies; one write per copy is under way at a time. Clones share everything.
#[derive(Clone)]
pub struct Carrier {
    shared: Arc<Inner>,
}

struct Inner {
    client: Client,
    index: Arc<Index>,
    pending: Pending,
    metrics: CopyMetrics,
    permits: Semaphore,
    under_way: Mutex<HashMap<CopyKey, Write>>,
}

impl Carrier {
    /// A carrier that writes with `client`, which must not retry by itself.
    pub fn new(client: Client, index: Arc<Index>, pending: Pending, metrics: CopyMetrics) -> Self {
        let permits = Semaphore::new(WRITES_AT_ONCE);
        Self {
            shared: Arc::new(Inner { client, index, pending, metrics, permits, under_way: Mutex::default() }),
        }
    }

    /// Creates a copy unless it is there. Dropping the future does not end the write.
    pub async fn create(&self, wanted: Wanted) -> CopyAnswer {
        let key = wanted.key();
        let write = {
            let mut under_way = self.shared.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(write) = under_way.get(&key) {
                write.clone()
            } else {
                let inner = Arc::clone(&self.shared);
                let task = tokio::spawn(inner.write(wanted));
                let write = task.map(|ended| {
                    ended.unwrap_or_else(|_| CopyAnswer::failed("the write ended unexpectedly"))
                });
                under_way.entry(key).or_insert(write.boxed().shared()).clone()
            }
        };
        write.await
    }

    /// Looks whether a copy is there or could be created, for a dry run.
    pub async fn look(&self, wanted: &Wanted) -> CopyAnswer {
        if let Some(answer) = self.shared.settled(wanted) {
            return answer;
        }
        let api: Api<Secret> = Api::namespaced(self.shared.client.clone(), &wanted.place.namespace);
        match api.get_metadata_opt(&wanted.place.name).await {
            Ok(Some(found)) => CopyAnswer::of_existing(&found.metadata, &wanted.credential),
            Ok(None) => CopyAnswer::Absent,
            Err(error) => CopyAnswer::Blocked(obstacle_of(&error)),
        }
    }
}

/// Ends a write's being under way when it is dropped, so also when the write panics.
struct UnderWay {
    inner: Arc<Inner>,
    key: CopyKey,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Inner {
    async fn write(self: Arc<Self>, wanted: Wanted) -> CopyAnswer {
        let _under_way = UnderWay { inner: Arc::clone(&self), key: wanted.key() };
        if let Some(answer) = self.settled(&wanted) {
            self.put_off(wanted);
            return answer;
        }
        // A shortage of our own is no setback of the copy: it is tried again soon, not after a growing pause.
        let Ok(_permit) = self.permits.try_acquire() else {
            self.pending.look_soon(wanted);
            return CopyAnswer::failed("too many copies are being created at once");
        };
        let attempt = tokio::time::timeout(WRITE_TIMEOUT, self.attempt(&wanted)).await;
        let answer = attempt.unwrap_or_else(|_| CopyAnswer::failed("the API server did not answer in time"));
        self.remember(wanted, &answer);
        self.metrics.write(&answer);
        answer
    }

    /// What an earlier write has brought since the caller looked.
    fn settled(&self, wanted: &Wanted) -> Option<CopyAnswer> {
        let known = self.index.snapshot();
        if known.has_copy(&wanted.place, &wanted.credential) {
            return Some(CopyAnswer::Present);
        }
        let setback = known.setback(&wanted.key(), Instant::now())?;
        Some(CopyAnswer::Blocked(setback.obstacle.clone()))
    }

    /// A copy whose pause is not over waits until then.
    fn put_off(&self, wanted: Wanted) {
        let known = self.index.snapshot();
        if let Some(setback) = known.setback(&wanted.key(), Instant::now())
            && matches!(setback.obstacle, Obstacle::Passing(_))
        {
            self.pending.add(wanted, setback.retry_at);
        }
    }

    /// The result is in the index before the write stops being under way, so that nobody writes in between.
    fn remember(&self, wanted: Wanted, answer: &CopyAnswer) {
        let CopyAnswer::Blocked(obstacle) = answer else {
            return;
        };
        let (reason, detail) = (obstacle.word(), obstacle.detail());
        tracing::warn!(copy = %wanted.place, reason, detail, "a copy could not be created");
        match obstacle {
            // Not held against the namespace that may come back under its name. Nobody writes in vain for that reason:
            // the API server itself refuses pods in a namespace that it knows to be ending.
            Obstacle::NamespaceGone => self.index.forget_setback(&wanted.key()),
            Obstacle::Passing(_) => {
                let retry_at = self.index.set_back(&wanted.key(), obstacle.clone(), Instant::now());
                self.pending.add(wanted, retry_at);
            }
            Obstacle::Foreign | Obstacle::Rival(_) | Obstacle::Source | Obstacle::Lasting(_) => {
                self.index.set_back(&wanted.key(), obstacle.clone(), Instant::now());
            }
        }
    }

    async fn attempt(&self, wanted: &Wanted) -> CopyAnswer {
        let Wanted { credential, place } = wanted;
        let known = self.index.snapshot();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &place.namespace);
        // What is marked may be gone or another by now, and then it is created or looked at like any other.
        if let Some(copy) = known.marked_copy(place, credential)
            && self.unmark(&api, wanted, &copy.guard()).await
        {
            return CopyAnswer::Present;
        }
        let Some(source) = known.good_source(credential) else {
            return CopyAnswer::failed("the source Secret cannot be carried now");
        };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let before = self.index.copies_seen_to();
        match api.create(&parameters, &copy_of(source, credential, place)).await {
            Ok(created) => {
                self.index.learn_copy(&created, before);
                tracing::info!(copy = %place, credential = %credential.name, "created a copy");
                CopyAnswer::Created
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => self.judge(&api, wanted).await,
            Err(error) => CopyAnswer::Blocked(obstacle_of(&error)),
        }
    }

    /// Takes the mark off a copy, so that it is not deleted; false if it is another version by now.
    async fn unmark(&self, api: &Api<Secret>, wanted: &Wanted, guard: &Guard) -> bool {
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let before = self.index.copies_seen_to();
        let patch = Patch::Json::<()>(patch::unmark(GuardedPatch::new(guard)).build());
        let patched = api.patch(&wanted.place.name, &parameters, &patch).await;
        if let Ok(copy) = &patched {
            self.index.learn_copy(copy, before);
            tracing::info!(copy = %wanted.place, "a copy that was to be deleted is needed again");
        }
        patched.is_ok()
    }

    /// Something of that name is there: ours, perhaps by another replica, or foreign.
    async fn judge(&self, api: &Api<Secret>, wanted: &Wanted) -> CopyAnswer {
        let before = self.index.copies_seen_to();
        match api.get_opt(&wanted.place.name).await {
            Ok(Some(found)) => {
                let answer = CopyAnswer::of_existing(&found.metadata, &wanted.credential);
                if answer == CopyAnswer::Present {
                    self.index.learn_copy(&found, before);
                    if is_marked(&found.metadata)
                        && !self.unmark(api, wanted, &Guard::from(&found.metadata)).await
                    {
                        return CopyAnswer::failed("the copy is about to be deleted");
                    }
                }
                answer
            }
            Ok(None) => CopyAnswer::failed("a Secret of that name has just been deleted"),
            Err(error) => CopyAnswer::Blocked(obstacle_of(&error)),
        }
    }
}

/// An object that is invalid or too large will stay so; everything else may pass: quotas and policies change,
/// rights are granted, servers come back.
fn obstacle_of(error: &kube::Error) -> Obstacle {
    let kube::Error::Api(status) = error else {
        return Obstacle::Passing(brief(error).into());
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let is_terminating = causes.into_iter().any(|cause| cause.reason == NAMESPACE_TERMINATING);
    // Policies and webhooks refuse with 422 as well, a policy even by default. What is invalid by itself is told by
    // its kind; a refusal names the resource, or nothing.
    let is_invalid = status.details.as_ref().is_some_and(|details| details.kind == Secret::KIND);
    match status.code {
        404 => Obstacle::NamespaceGone,
        403 if is_terminating => Obstacle::NamespaceGone,
        413 => Obstacle::Lasting(brief(error).into()),
        422 if is_invalid => Obstacle::Lasting(brief(error).into()),
        _ => Obstacle::Passing(brief(error).into()),
    }
}
