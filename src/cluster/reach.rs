//! Watches on namespaced objects: one on all namespaces, or one on each of those that regcred is limited to.

use std::fmt::Debug;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::select_all;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::lists::Lists;
use super::watch::{Answer, Sink, follow};
use crate::model::scope::Scope;

/// What one watch covers: all namespaces, or this one.
pub(super) type Reach = Option<Arc<str>>;

/// Objects of one type, in what a watch covers.
pub(super) fn of_type<K>(client: &Client) -> impl Fn(&Reach) -> Api<K> + Send + Sync + use<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let client = client.clone();
    move |reach| match reach {
        None => Api::all(client.clone()),
        Some(namespace) => Api::namespaced(client.clone(), namespace),
    }
}

/// Follows a kind of object in all namespaces of the scope, and ends when one of the watches ends. Each has its own sink.
/// `answered` is called with [`Answer::Listed`] once, when every watch has had its answer, and with [`Answer::NotServed`] each time
/// that one hears that.
pub(super) async fn follow_in<K, S>(
    what: &str,
    (api, lists): (impl Fn(&Reach) -> Api<K>, Lists),
    scope: &Scope,
    config: watcher::Config,
    sink: impl Fn(Reach) -> S,
    answered: impl Fn(Answer) + Send + Sync,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let reaches: Vec<Reach> = match scope {
        Scope::All => vec![None],
        Scope::Listed(names) => names.iter().cloned().map(Some).collect(),
    };
    let unanswered = AtomicUsize::new(reaches.len());
    let watches: Vec<_> = reaches
        .into_iter()
        .map(|reach| {
            let (api, is_limited) = (api(&reach), reach.is_some());
            let (mut is_first, unanswered, answered) = (true, &unanswered, &answered);
            let answered = move |answer| {
                if answer == Answer::NotServed {
                    return answered(answer);
                }
                // A namespace that is gone has taken the rights in it along. The others must not wait for it, nor for one
                // in which there are none yet; where nothing can be seen, nothing is concluded from it.
                let counts = is_limited || answer == Answer::Listed;
                if counts && std::mem::take(&mut is_first) && unanswered.fetch_sub(1, Ordering::SeqCst) == 1 {
                    answered(Answer::Listed);
                }
            };
            follow(what, api, config.clone(), lists.clone(), sink(reach), answered).boxed()
        })
        .collect();
    if watches.is_empty() {
        return pending().await;
    }
    select_all(watches).await;
}
