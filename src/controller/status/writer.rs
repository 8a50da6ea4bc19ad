//! Writes statuses.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};

use super::board::Draft;
use crate::api::RegistryCredential;
use crate::cluster::{FIELD_MANAGER, brief};
use crate::knowledge::Index;
use crate::leadership::Leadership;
use crate::model::guarded_patch::{Guard, GuardedPatch};

/// The longest a write takes. Nobody waits for it, but it holds one of few places.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What writing a status has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored.
    Written,
    /// The credential is another version by now, or another has come under its name.
    Overtaken,
    /// The credential is gone; the watch will tell.
    Gone,
    /// It could not be written now.
    Failed,
}

/// Writes statuses. Only a replica that leads has one.
pub(super) struct Writer {
    api: Api<RegistryCredential>,
    index: Arc<Index>,
    leadership: Leadership,
}

impl Writer {
    pub(super) fn new(client: Client, index: Arc<Index>, leadership: Leadership) -> Self {
        Self { api: Api::all(client), index, leadership }
    }

    /// Whether the watch has shown another version meanwhile.
    fn has_changed(&self, draft: &Draft) -> bool {
        let known = self.index.snapshot();
        let stored = known.stored.get(&draft.subject.name);
        stored.is_none_or(|stored| stored.resource_version != draft.before.resource_version)
    }

    /// Replaces a credential's status.
    pub(super) async fn write(&self, draft: &Draft) -> Outcome {
        let name = &draft.subject.name;
        // Right before the write: none starts when another may lead.
        if !self.leadership.may_write() {
            return Outcome::Failed;
        }
        let Ok(status) = serde_json::to_value(&draft.status) else {
            return Outcome::Failed;
        };
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let guard =
            Guard { uid: draft.subject.uid.clone(), resource_version: draft.before.resource_version.clone() };
        // As a whole: a merge would leave members that are there no more.
        let patch = Patch::Json::<()>(GuardedPatch::new(&guard).add(["status"], status).build());
        let write = self.api.patch_status(name, &parameters, &patch);
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(_)) => Outcome::Written,
            // What the API server says of a test that does not hold; but also of what a policy refuses.
            Ok(Err(kube::Error::Api(status))) if status.code == 422 && self.has_changed(draft) => {
                tracing::debug!(credential = %name, answer = status.message, "a status was not taken");
                Outcome::Overtaken
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Outcome::Gone,
            Ok(Err(error)) => {
                tracing::warn!(credential = %name, error = brief(&error), "a status could not be written");
                Outcome::Failed
            }
            Err(_) => {
                tracing::warn!(credential = %name, "a status could not be written in time");
                Outcome::Failed
            }
        }
    }
}
