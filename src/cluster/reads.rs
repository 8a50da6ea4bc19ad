//! The read that an admission call may cause.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};

use crate::model::namespace::Namespace;
use crate::policy::NamespaceAnswer;

/// The longest a read takes, of the 3 s that a pod's review has: a hung connection must leave time for what is decided
/// without it.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads a namespace that the watch has not shown yet. What comes back is not put in the index: the watch will
/// bring it, and until then a later change must not be hidden by this older view.
pub async fn namespace(client: &Client, name: &str) -> NamespaceAnswer {
    let api: Api<PartialObjectMeta<v1::Namespace>> = Api::all(client.clone());
    match tokio::time::timeout(READ_TIMEOUT, api.get_metadata_opt(name)).await {
        Ok(Ok(Some(found))) => NamespaceAnswer::Found(Arc::new(Namespace::from(&found.metadata))),
        Ok(Ok(None)) => NamespaceAnswer::Absent,
        Ok(Err(error)) => NamespaceAnswer::Unknown(super::brief(&error).into()),
        Err(_) => NamespaceAnswer::Unknown("the API server did not answer in time".into()),
    }
}
