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
    /// The credential is gone, or another has come under its name; the watch will tell.
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
        // Right before the write. What a former leader still has under way is corrected by the present one, which sees it
        // by its watch.
        if !self.leadership.may_write() {
            return Outcome::Failed;
        }
        let Ok(status) = serde_json::to_value(&draft.status) else {
            return Outcome::Failed;
        };
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Json::<()>(replacement(&draft.subject.uid, status));
        let write = self.api.patch_status(name, &parameters, &patch);
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(_)) => Outcome::Written,
            // 422 is what the API server says of a test that does not hold.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 || status.code == 422 => {
                tracing::info!(
                    credential = %name,
                    answer = status.message,
                    "a status was not taken; the credential is gone or another by now"
                );
                Outcome::Gone
            }
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

/// A patch that puts this status in the place of whatever is stored, if the credential is the one that it is about. A
/// merge would leave members that are there no more, and an apply knows no precondition.
fn replacement(uid: &str, status: Value) -> JsonPatch {
    let path =
        |members: [&str; 2]| PointerBuf::from_tokens(members.into_iter().filter(|member| !member.is_empty()));
    JsonPatch(vec![
        PatchOperation::Test(TestOperation { path: path(["metadata", "uid"]), value: uid.into() }),
        PatchOperation::Add(AddOperation { path: path(["status", ""]), value: status }),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_replaces_the_one_before_as_a_whole() {
        let mut object = json!({"metadata": {"uid": "1"}, "status": {"old": true}});
        json_patch::patch(&mut object, &replacement("1", json!({"new": true}))).unwrap();
        assert_eq!(object["status"], json!({"new": true}));
    }

    #[test]
    fn another_credential_of_the_name_does_not_get_it() {
        let mut object = json!({"metadata": {"uid": "2"}});
        assert!(json_patch::patch(&mut object, &replacement("1", json!({"new": true}))).is_err());
        assert_eq!(object, json!({"metadata": {"uid": "2"}}));
    }
}
