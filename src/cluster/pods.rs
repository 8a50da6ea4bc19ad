//! What the leader alone asks of pods: serving replicas would pay for what they never need.

use std::collections::HashSet;

use kube::api::ListParams;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};

use super::changes::{Change, Changes};
use super::lists::Lists;
use super::reach::{Reach, follow_in, of_type};
use super::watch::{Answer, Sink};
use crate::knowledge::Pods;
use crate::knowledge::pods::uid_of;
use crate::leadership::Leadership;
use crate::model::pod::{ObservedPod, Uid};
use crate::model::scope::Scope;

/// Pods that have finished pull nothing any more, and many of them stay for long.
const NOT_FINISHED: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// How many pods come in one page of a list. A page is held as text while it is decoded: 2 MB of usual pods (7 KB each),
/// and 25 MB if all are as large as pods get in practice (100 KB).
const PODS_PER_PAGE: u32 = 250;

/// Watches while this replica leads, and forgets what it saw when it no longer does. Ends only by a defect.
pub async fn run(client: Client, scope: Scope, pods: Pods, changes: Changes, leadership: Leadership) {
    let config = watcher::Config::default().fields(NOT_FINISHED).page_size(PODS_PER_PAGE);
    let lists = Lists::default();
    loop {
        let sink = |reach| Unfinished { pods: pods.clone(), changes: changes.clone(), reach };
        let of = (of_type(&client), lists.clone());
        // Told after it counts: whoever took the change that came with the list may have concluded nothing from it yet.
        let answered = |answer| {
            if answer == Answer::Listed {
                pods.complete();
                changes.add(&Change::Everything);
            }
        };
        let watch = || follow_in("pods", of, &scope, config.clone(), sink, answered);
        let ended = leadership.while_leading(watch).await;
        pods.forget();
        if ended.is_some() {
            return;
        }
    }
}

/// The pods of one namespace as the API server has them now, however late the watch is.
///
/// # Errors
/// When the API server does not answer, or refuses.
pub async fn of_namespace(client: &Client, namespace: &str) -> Result<Pods, kube::Error> {
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
            None => return Ok(pods),
        }
    }
}

struct Unfinished {
    pods: Pods,
    changes: Changes,
    reach: Reach,
}

impl Sink<ObservedPod> for Unfinished {
    type Key = Uid;

    fn key(&self, object: &ObservedPod) -> Option<Uid> {
        Some(uid_of(object))
    }

    fn apply(&mut self, object: &ObservedPod) {
        if self.pods.apply(object) {
            self.tell(object);
        }
    }

    fn delete(&mut self, object: &ObservedPod) {
        if self.pods.delete(object) {
            self.tell(object);
        }
    }

    fn retain(&mut self, listed: &HashSet<Uid>) {
        match &self.reach {
            None => self.pods.retain(listed),
            Some(namespace) => self.pods.retain_in(namespace, listed),
        }
        self.changes.add(&Change::Everything);
    }
}

impl Unfinished {
    fn tell(&self, object: &ObservedPod) {
        if let Some(namespace) = object.meta().namespace.as_deref() {
            self.changes.add(&Change::Pods(namespace.into()));
        }
    }
}
