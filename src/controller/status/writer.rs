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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::RegistryCredentialStatus;
    use crate::cluster::tests::{client, failure};
    use crate::status::Subject;

    fn credential(version: &str) -> RegistryCredential {
        serde_json::from_value(json!({
            "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
            "metadata": {"name": "ghcr", "uid": "1", "resourceVersion": version},
            "spec": {"secretRef": {"namespace": "sources", "name": "ghcr"}, "namespaces": ["*"]},
        }))
        .unwrap()
    }

    /// Writes a status that was made of version 7, while the watch shows another; tells what was asked of an API server that
    /// answers so.
    async fn write(leads: bool, shown: &str, code: u16) -> (Outcome, Vec<Value>) {
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let asked = Arc::clone(&requests);
        let client = client(move |request| {
            let asked = Arc::clone(&asked);
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                asked.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                Some(if code < 300 { (code, json!(credential("8"))) } else { failure(code, "") })
            }
        });
        let index = Arc::new(Index::new("regcred-system"));
        index.apply_credential(&credential("7")).unwrap();
        index.apply_status(&credential("7"));
        let before = Arc::clone(&index.snapshot().stored["ghcr"]);
        index.apply_status(&credential(shown));
        let now = Instant::now();
        let leadership = Leadership::until(if leads { now + Duration::from_mins(1) } else { now });
        let writer = Writer::new(client, index, leadership);
        let subject = Subject { name: "ghcr".into(), uid: "1".into() };
        let draft = Draft { subject, before, status: RegistryCredentialStatus::default() };
        let outcome = writer.write(&draft).await;
        let requests = std::mem::take(&mut *requests.lock().unwrap());
        (outcome, requests)
    }

    #[rstest]
    #[case::taken("7", 200, Outcome::Written)]
    #[case::another_version("8", 422, Outcome::Overtaken)]
    #[case::refused("7", 422, Outcome::Failed)]
    #[case::gone("7", 404, Outcome::Gone)]
    #[case::forbidden("7", 403, Outcome::Failed)]
    #[tokio::test]
    async fn a_write_names_the_version_that_it_was_made_of_and_a_refusal_of_that_very_version_is_a_failure(
        #[case] shown: &str,
        #[case] code: u16,
        #[case] expected: Outcome,
    ) {
        let (outcome, requests) = write(true, shown, code).await;
        assert_eq!(outcome, expected);
        assert_eq!(requests[0][0], json!({"op": "test", "path": "/metadata/uid", "value": "1"}));
        assert_eq!(requests[0][1], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
    }

    #[tokio::test]
    async fn whoever_does_not_lead_any_more_writes_no_status() {
        assert_eq!(write(false, "7", 200).await, (Outcome::Failed, Vec::new()));
    }
}
