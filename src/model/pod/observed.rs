//! A pod that is there, as the watch reads it. A pod is about 7 KB of JSON; everything else is skipped while decoding.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::{NamespaceResourceScope, Resource as _, api::core::v1};
use kube::Resource;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Annotations, Labels, Metadata, PodOf, PodSpec};

/// Why a container waits whose image cannot be pulled (`pkg/kubelet/images/types.go`): the attempt failed, and the pause
/// before the next one.
const PULL_FAILURES: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// A pod that is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Object")]
pub struct ObservedPod {
    metadata: ObjectMeta,
    pod: PodOf<Box<str>>,
    owner: Option<Owner>,
    state: PodState,
}

/// The controller that replaces a pod which goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// API group and version.
    pub api_version: Box<str>,
    /// Kind.
    pub kind: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
}

/// How a pod fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodState {
    /// A container of it runs.
    Running,
    /// None runs, and one waits because its image cannot be pulled.
    Failing,
    /// Neither.
    Other,
    /// It is being deleted.
    Ending,
}

impl ObservedPod {
    /// What decides about its pull Secrets.
    pub fn pod(&self) -> &PodOf<Box<str>> {
        &self.pod
    }

    /// The controller that it belongs to.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// How it fares.
    pub fn state(&self) -> PodState {
        self.state
    }
}

impl Resource for ObservedPod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        v1::Pod::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        v1::Pod::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        v1::Pod::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        v1::Pod::URL_PATH_SEGMENT.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Deserialize)]
struct Object {
    metadata: Option<FullMetadata>,
    spec: Option<PodSpec<Box<str>>>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FullMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    deletion_timestamp: Option<Time>,
    labels: Option<Labels<Box<str>>>,
    annotations: Option<Annotations<Box<str>>>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
struct OwnerReference {
    #[serde(flatten)]
    owner: Owner,
    controller: Option<bool>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "containerStatuses")]
    containers: Option<Vec<ContainerStatus>>,
    #[serde(rename = "initContainerStatuses")]
    init_containers: Option<Vec<ContainerStatus>>,
    #[serde(rename = "ephemeralContainerStatuses")]
    ephemeral_containers: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
struct ContainerStatus {
    state: Option<ContainerState>,
}

#[derive(Deserialize)]
struct ContainerState {
    running: Option<IgnoredAny>,
    waiting: Option<Waiting>,
}

#[derive(Deserialize)]
struct Waiting {
    reason: Option<Box<str>>,
}

impl From<Object> for ObservedPod {
    fn from(object: Object) -> Self {
        let metadata = object.metadata.unwrap_or_default();
        let state = match &object.status {
            _ if metadata.deletion_timestamp.is_some() => PodState::Ending,
            Some(status) => status.state(),
            None => PodState::Other,
        };
        let mut owners = metadata.owner_references.into_iter().flatten();
        Self {
            owner: owners.find(|owner| owner.controller == Some(true)).map(|reference| reference.owner),
            pod: PodOf {
                metadata: Some(Metadata { labels: metadata.labels, annotations: metadata.annotations }),
                spec: object.spec,
            },
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
            state,
        }
    }
}

impl Status {
    fn state(&self) -> PodState {
        let lists = [&self.containers, &self.init_containers, &self.ephemeral_containers];
        let states =
            || lists.into_iter().flatten().flatten().filter_map(|container| container.state.as_ref());
        let is_pull_failure = |waiting: &Waiting| {
            waiting.reason.as_deref().is_some_and(|reason| PULL_FAILURES.contains(&reason))
        };
        if states().any(|state| state.running.is_some()) {
            PodState::Running
        } else if states().any(|state| state.waiting.as_ref().is_some_and(is_pull_failure)) {
            PodState::Failing
        } else {
            PodState::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn read(object: &Value) -> ObservedPod {
        serde_json::from_value(object.clone()).unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({"name": "c", "state": {"waiting": {"reason": reason, "message": "m"}}})
    }

    fn running() -> Value {
        json!({"name": "c", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
    }

    #[rstest]
    #[case::nothing_said(json!({}), PodState::Other)]
    #[case::pull_failed(json!({"containerStatuses": [waiting("ErrImagePull")]}), PodState::Failing)]
    #[case::pull_put_off(json!({"containerStatuses": [waiting("ImagePullBackOff")]}), PodState::Failing)]
    #[case::image_of_an_init_container(
        json!({"containerStatuses": [waiting("PodInitializing")], "initContainerStatuses": [waiting("ErrImagePull")]}),
        PodState::Failing
    )]
    #[case::crashing(json!({"containerStatuses": [waiting("CrashLoopBackOff")]}), PodState::Other)]
    #[case::never_pulled(json!({"containerStatuses": [waiting("ErrImageNeverPull")]}), PodState::Other)]
    #[case::running(json!({"containerStatuses": [running()]}), PodState::Running)]
    #[case::one_runs_and_one_fails(json!({"containerStatuses": [waiting("ErrImagePull"), running()]}), PodState::Running)]
    #[case::a_debugger_runs(
        json!({"containerStatuses": [waiting("ErrImagePull")], "ephemeralContainerStatuses": [running()]}),
        PodState::Running
    )]
    #[case::ended(json!({"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]}), PodState::Other)]
    fn a_pod_runs_if_one_container_does(#[case] status: Value, #[case] state: PodState) {
        let mut pod = json!({"metadata": {"name": "p", "namespace": "n"}, "status": status});
        assert_eq!(read(&pod).state(), state);
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(read(&pod).state(), PodState::Ending);
    }

    #[test]
    fn the_controller_among_its_owners_is_the_one_that_replaces_it() {
        let reference = |name: &str, controller: Value| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": controller});
        let pod = json!({"metadata": {"ownerReferences": [reference("a", Value::Null), reference("b", true.into())]}});
        assert_eq!(read(&pod).owner().map(|owner| &*owner.name), Some("b"));
        let pod = json!({"metadata": {"ownerReferences": [reference("a", false.into())]}});
        assert_eq!(read(&pod).owner(), None);
    }
}
