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

/// Follows a kind of object in all namespaces of the scope, and ends when one of the watches ends. Each has its own sink.
/// `known` is called once, when every watch has had its answer.
pub(super) async fn follow_in<K, S>(
    what: &'static str,
    (client, lists): (Client, Lists),
    scope: &Scope,
    config: watcher::Config,
    sink: impl Fn(Reach) -> S,
    known: impl Fn() + Send + Sync,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + DeserializeOwned + Debug + Send + 'static,
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
            let api: Api<K> = match &reach {
                None => Api::all(client.clone()),
                Some(namespace) => Api::namespaced(client.clone(), namespace),
            };
            let is_limited = reach.is_some();
            let (mut is_first, unanswered, known) = (true, &unanswered, &known);
            let answered = move |answer| {
                // A namespace that is gone has taken the rights in it along. The others must not wait for it, nor for one
                // in which there are none yet; where nothing can be seen, nothing is concluded from it.
                let counts = is_limited || answer == Answer::Listed;
                if counts && std::mem::take(&mut is_first) && unanswered.fetch_sub(1, Ordering::SeqCst) == 1 {
                    known();
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
