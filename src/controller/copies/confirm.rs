//! The pods that there are now, asked for before a copy goes.

use kube::api::ListParams;
use kube::{Api, Client};

use crate::knowledge::{Pods, Snapshot};
use crate::model::copy::Wanted;
use crate::model::pod::ObservedPod;

/// How many pods come in one page: a pod is about 7 KB.
const PODS_PER_PAGE: u32 = 500;
/// Pods that have finished pull nothing any more.
const NOT_FINISHED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The pods of a namespace, as the API server has them.
pub(super) struct PodsNow(Pods);

impl PodsNow {
    pub(super) async fn read(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let api: Api<ObservedPod> = Api::namespaced(client.clone(), namespace);
        let pods = Pods::default();
        let mut page = ListParams::default().fields(NOT_FINISHED).limit(PODS_PER_PAGE);
        loop {
            let list = api.list(&page).await?;
            for pod in &list.items {
                pods.apply(pod);
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(Self(pods)),
            }
        }
    }

    pub(super) fn need(&self, known: &Snapshot, wanted: &Wanted) -> bool {
        self.0.needs(known, &wanted.place.namespace, &wanted.credential)
    }
}
