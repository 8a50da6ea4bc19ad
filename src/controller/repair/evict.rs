//! The eviction of one pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions, Status};
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};

use super::census::FailingPod;
use crate::cluster::error::told;

/// How long an eviction may take: the API server tries for 5 s to agree with the budgets' controller.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How the API server answers when a `PodDisruptionBudget` does not allow it, or when it is too busy.
const TOO_MANY_REQUESTS: u16 = 429;
/// The cause that it gives for the first (`policyv1.DisruptionBudgetCause`).
const DISRUPTION_BUDGET: &str = "DisruptionBudget";
/// How it answers when it does not know what has become of a call.
const GATEWAY_TIMEOUT: u16 = 504;
/// How it answers when the pod has gone, or is not what the preconditions say.
const OUTDATED: [u16; 2] = [404, 409];

/// What came of an eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The pod goes.
    Done,
    /// A `PodDisruptionBudget` does not allow it now.
    Refused,
    /// The pod has changed or gone since it was judged.
    Outdated,
    /// The API server did not do it, for another reason.
    Failed,
    /// There was no answer: it may have been done.
    Unanswered,
}

impl Outcome {
    /// All outcomes.
    pub(super) const ALL: [Self; 5] =
        [Self::Done, Self::Refused, Self::Outdated, Self::Failed, Self::Unanswered];

    /// The word in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Outdated => "outdated",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Evicts a pod, exactly as it was judged: one that has changed since, and may run by now, is left alone.
pub(super) async fn evict(client: &Client, pod: &FailingPod) -> Outcome {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    // kube's own call writes the options under a name that the API server does not know, and the preconditions with them.
    let (request, parameters) = (request(pod), PostParams::default());
    let call = api.create_subresource::<_, Status>("eviction", &pod.name, &parameters, &request);
    let (namespace, name) = (&pod.namespace, &pod.name);
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(_)) => Outcome::Done,
        Ok(Err(kube::Error::Api(status))) if is_for_a_budget(&status) => Outcome::Refused,
        Ok(Err(kube::Error::Api(status))) if OUTDATED.contains(&status.code) => Outcome::Outdated,
        Ok(Err(error)) => {
            tracing::warn!(%namespace, %name, error = told(&error), "a failing pod could not be evicted");
            match &error {
                kube::Error::Api(status) if status.code != GATEWAY_TIMEOUT => Outcome::Failed,
                _ => Outcome::Unanswered,
            }
        }
        Err(_) => {
            tracing::warn!(%namespace, %name, "the API server did not answer an eviction in time");
            Outcome::Unanswered
        }
    }
}

fn is_for_a_budget(status: &kube::core::Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == TOO_MANY_REQUESTS && causes.any(|cause| cause.reason == DISRUPTION_BUDGET)
}

fn request(pod: &FailingPod) -> Eviction {
    Eviction {
        metadata: ObjectMeta {
            name: Some(pod.name.to_string()),
            namespace: Some(pod.namespace.to_string()),
            ..ObjectMeta::default()
        },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.to_string()),
                resource_version: Some(pod.resource_version.to_string()),
            }),
            ..DeleteOptions::default()
        }),
    }
}
