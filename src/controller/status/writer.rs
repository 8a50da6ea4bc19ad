//! Writes statuses.

use std::time::Duration;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch as JsonPatch, PatchOperation, TestOperation};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use super::board::Draft;
use crate::api::RegistryCredential;
use crate::cluster::brief;
use crate::cluster::carrier::FIELD_MANAGER;
use crate::leadership::Leadership;

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
    leadership: Leadership,
}

impl Writer {
    pub(super) fn new(client: Client, leadership: Leadership) -> Self {
        Self { api: Api::all(client), leadership }
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
        let patch =
            Patch::Json::<()>(replacement(&draft.subject.uid, &draft.before.resource_version, status));
        let write = self.api.patch_status(name, &parameters, &patch);
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(_)) => Outcome::Written,
            // What the API server says of a test that does not hold.
            Ok(Err(kube::Error::Api(status))) if status.code == 422 => {
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

/// A patch that puts this status in the place of what is stored, if that is the version that was looked at of the very
/// credential that it is about. A merge would leave members that are there no more, and an apply knows no precondition.
fn replacement(uid: &str, resource_version: &str, status: Value) -> JsonPatch {
    let path = |members: Vec<&str>| PointerBuf::from_tokens(members);
    let is = |member, value: &str| {
        let (path, value) = (path(vec!["metadata", member]), value.into());
        PatchOperation::Test(TestOperation { path, value })
    };
    let status = AddOperation { path: path(vec!["status"]), value: status };
    JsonPatch(vec![is("uid", uid), is("resourceVersion", resource_version), PatchOperation::Add(status)])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(uid: &str, resource_version: &str) -> Value {
        json!({"metadata": {"uid": uid, "resourceVersion": resource_version}, "status": {"old": true}})
    }

    #[test]
    fn a_status_replaces_the_one_before_as_a_whole() {
        let mut object = object("1", "7");
        json_patch::patch(&mut object, &replacement("1", "7", json!({"new": true}))).unwrap();
        assert_eq!(object["status"], json!({"new": true}));
    }

    #[rstest]
    #[case::of_another_credential("2", "7")]
    #[case::of_another_version("1", "8")]
    fn a_status_that_was_not_looked_at_stays(#[case] uid: &str, #[case] resource_version: &str) {
        let mut patched = object(uid, resource_version);
        assert!(json_patch::patch(&mut patched, &replacement("1", "7", json!({"new": true}))).is_err());
        assert_eq!(patched, object(uid, resource_version));
    }
}
