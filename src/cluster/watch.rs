//! The watches that feed the index.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, InitialListStrategy, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::changes::{Change, Changes};
use super::error::told_of_watch;
use super::lists::{Lists, NotStreamed, Unfinished, is_refusal};
use super::pending::Pending;
use super::reach::{Reach, follow_in, of_type};
use super::sources::SourceWatches;
use crate::api::RegistryCredential;
use crate::knowledge::index::key_of;
use crate::knowledge::{Index, Snapshot};
use crate::model::ObjectKey;
use crate::model::copy::{COPY_LABEL, COPY_LABEL_VALUE, Wanted};
use crate::model::pruned::Pruned;
use crate::server::{Part, Readiness};

/// How long one watch request lasts, in seconds. A connection that has died unnoticed is found out 5 s after that,
/// so for about a minute at most we act on what was.
const WATCH_SECONDS: u32 = 60;
/// The same.
const WHOLE_TIME: Duration = Duration::from_secs(WATCH_SECONDS as u64);
/// How many Secrets come in one page of a list: they can have 1 MiB each.
pub(super) const SECRETS_PER_PAGE: u32 = 50;

/// What is done with the objects of one watch.
pub(super) trait Sink<K>: Send {
    /// What tells one object from another.
    type Key: Hash + Eq + Send;

    /// The key of an object.
    fn key(&self, object: &K) -> Option<Self::Key>;
    /// An object is there.
    fn apply(&mut self, object: &K);
    /// An object has gone.
    fn delete(&mut self, object: &K);
    /// A complete list has come; what it does not hold has gone.
    fn retain(&mut self, listed: &HashSet<Self::Key>);
}

/// What the API server says to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// A complete list has come.
    Listed,
    /// There is no right to look.
    Forbidden,
    /// There are no such objects, or not in this version of them.
    NotServed,
}

/// Follows one watch for ever; errors are logged and tried again with a growing pause.
///
/// `answered` is called after each complete list, and each time that the API server does not let it begin.
pub(super) async fn follow<K, S>(
    what: &str,
    api: Api<K>,
    config: watcher::Config,
    lists: Lists,
    mut sink: S,
    mut answered: impl FnMut(Answer) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let config = config.timeout(WATCH_SECONDS);
    while lists.are_streamed() {
        let streamed = lists.begin(config.clone());
        let End::NotStreamed(reason) = attempt(what, api.clone(), streamed, &mut sink, &mut answered).await
        else {
            return;
        };
        lists.come_in_pages(reason);
    }
    attempt(what, api, lists.begin(config), &mut sink, &mut answered).await;
}

/// Why following a watch has ended.
enum End {
    /// The API server would not begin it with the list, or did not bring the list to its end.
    NotStreamed(NotStreamed),
    /// A defect.
    Unexpected,
}

async fn attempt<K, S>(
    what: &str,
    api: Api<K>,
    config: watcher::Config,
    sink: &mut S,
    answered: &mut impl FnMut(Answer),
) -> End
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let is_streamed = config.initial_list_strategy == InitialListStrategy::StreamingList;
    let (mut listed, mut began, mut unfinished) = (None, Instant::now(), Unfinished::default());
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init)
                if is_streamed && listed.is_some() && unfinished.ended(began.elapsed(), WHOLE_TIME) =>
            {
                return End::NotStreamed(NotStreamed::Endless);
            }
            Ok(Event::Init) => (listed, began) = (Some(HashSet::new()), Instant::now()),
            Ok(Event::InitApply(object)) => {
                listed.get_or_insert_default().extend(sink.key(&object));
                sink.apply(&object);
            }
            Ok(Event::InitDone) => {
                unfinished.finished();
                sink.retain(&listed.take().unwrap_or_default());
                answered(Answer::Listed);
            }
            Ok(Event::Apply(object)) => sink.apply(&object),
            Ok(Event::Delete(object)) => sink.delete(&object),
            Err(error) if is_streamed && is_refusal(&error) => {
                return End::NotStreamed(NotStreamed::Refused);
            }
            Err(error) => {
                tracing::warn!(what, error = told_of_watch(&error), "a watch failed");
                if let Some(answer) = refused(&error) {
                    answered(answer);
                }
            }
        }
    }
    End::Unexpected
}

/// What is said by not letting a watch begin.
fn refused(error: &watcher::Error) -> Option<Answer> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => match status.code {
            403 => Some(Answer::Forbidden),
            404 => Some(Answer::NotServed),
            _ => None,
        },
        _ => None,
    }
}

/// Runs all watches; returns only when one of them ends, which is a defect.
///
/// Its parts are in the register before it is first polled, so that nobody takes the server for ready until then.
pub fn run(
    client: Client,
    index: Arc<Index>,
    pending: Pending,
    changes: Changes,
    readiness: &Readiness,
) -> impl Future<Output = ()> + Send + 'static {
    let lists = Lists::default();
    let copies = watcher::Config::default()
        .labels(&format!("{COPY_LABEL}={COPY_LABEL_VALUE}"))
        .page_size(SECRETS_PER_PAGE);
    let sources = SourceWatches::new(
        client.clone(),
        Arc::clone(&index),
        changes.clone(),
        lists.clone(),
        readiness.part("source-secrets"),
    );
    let scope = index.snapshot().scope.clone();
    let source_ended = sources.ended();
    let credentials = Credentials { index: Arc::clone(&index), sources, changes: changes.clone() };
    let namespaces =
        Namespaces { index: Arc::clone(&index), pending: pending.clone(), changes: changes.clone() };
    let index_of_accounts = Arc::clone(&index);
    let accounts = move |reach| ServiceAccounts { index: Arc::clone(&index_of_accounts), reach };
    let those_copies = move |reach| Copies {
        index: Arc::clone(&index),
        pending: pending.clone(),
        changes: changes.clone(),
        reach,
    };
    let all = watcher::Config::default;
    let part = |name| readiness.part(name);
    let [of_credentials, of_namespaces, of_accounts, of_copies] =
        ["registrycredentials", "namespaces", "serviceaccounts", "copies"].map(part);
    let ready = |part: Part| {
        move |answer| {
            if answer == Answer::Listed {
                part.ready();
            }
        }
    };
    async move {
        let of = || lists.clone();
        tokio::select! {
            () = source_ended.notified() => {}
            () = follow("registrycredentials", Api::all(client.clone()), all(), of(), credentials, ready(of_credentials)) => {}
            () = follow("namespaces", Api::all(client.clone()), all(), of(), namespaces, ready(of_namespaces)) => {}
            () = follow_in("serviceaccounts", (of_type(&client), of()), &scope, all(), accounts, ready(of_accounts)) => {}
            () = follow_in("copies", (of_type(&client), of()), &scope, copies, those_copies, ready(of_copies)) => {}
        }
    }
}

struct Credentials {
    index: Arc<Index>,
    sources: SourceWatches,
    changes: Changes,
}

impl Sink<Pruned<RegistryCredential>> for Credentials {
    type Key = String;

    fn key(&self, object: &Pruned<RegistryCredential>) -> Option<String> {
        object.metadata.name.clone()
    }

    fn apply(&mut self, object: &Pruned<RegistryCredential>) {
        // Most of what comes is a status that regcred itself has written, which concerns no copy.
        if !self.index.knows_spec(object) {
            let before = self.index.snapshot();
            if let Err(error) = self.index.apply_credential(object) {
                tracing::warn!(credential = object.name_any(), %error, "this RegistryCredential cannot be used");
            }
            self.tell(object, &before);
        }
        if self.index.apply_status(object) {
            self.changes.add(&Change::Status(object.name_any().into()));
        }
    }

    fn delete(&mut self, object: &Pruned<RegistryCredential>) {
        let before = self.index.snapshot();
        self.index.delete_credential(&object.name_any());
        self.tell(object, &before);
    }

    fn retain(&mut self, listed: &HashSet<String>) {
        self.index.retain_credentials(listed);
        self.sources.begin(&self.index.snapshot());
        self.changes.add(&Change::Everything);
    }
}

impl Credentials {
    fn tell(&mut self, object: &RegistryCredential, before: &Snapshot) {
        let known = self.index.snapshot();
        self.sources.follow_credentials(&known);
        let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
        // Another credential's copy may belong where a source was, and may not where one is.
        for source in [before, &known].into_iter().filter_map(|known| known.source_named_by(&name)) {
            self.changes.add(&Change::Copy(source.clone()));
        }
        // And so may the copies of credentials that give theirs the same name.
        for known in [before, &known] {
            let copy_name = known.credentials.get(&*name).map(|one| &one.copy_name);
            let rivals = copy_name.into_iter().flat_map(|copy| known.credentials_with_copies_called(copy));
            for rival in rivals.filter(|rival| *rival.name != *name) {
                let (name, uid) = (Arc::clone(&rival.name), Arc::clone(&rival.uid));
                self.changes.add(&Change::Credential { name, uid });
            }
        }
        self.changes.add(&Change::Credential { name: name.into(), uid: uid.into() });
    }
}

/// A copy that is gone although pods rely on it is created again.
fn create_again(pending: &Pending, missed: Vec<Wanted>) {
    for wanted in missed {
        pending.look_soon(wanted);
    }
}

struct Namespaces {
    index: Arc<Index>,
    pending: Pending,
    changes: Changes,
}

impl Sink<Pruned<PartialObjectMeta<Namespace>>> for Namespaces {
    type Key = String;

    fn key(&self, object: &Pruned<PartialObjectMeta<Namespace>>) -> Option<String> {
        object.metadata.name.clone()
    }

    fn apply(&mut self, object: &Pruned<PartialObjectMeta<Namespace>>) {
        self.index.apply_namespace(&object.metadata);
        self.changes.add(&Change::Namespace(object.name_any().into()));
    }

    fn delete(&mut self, object: &Pruned<PartialObjectMeta<Namespace>>) {
        create_again(&self.pending, self.index.delete_namespace(&object.metadata));
        self.changes.add(&Change::Namespace(object.name_any().into()));
    }

    fn retain(&mut self, listed: &HashSet<String>) {
        self.index.retain_namespaces(listed);
        self.changes.add(&Change::Everything);
    }
}

struct ServiceAccounts {
    index: Arc<Index>,
    reach: Reach,
}

impl Sink<Pruned<PartialObjectMeta<ServiceAccount>>> for ServiceAccounts {
    type Key = ObjectKey;

    fn key(&self, object: &Pruned<PartialObjectMeta<ServiceAccount>>) -> Option<ObjectKey> {
        key_of(&object.metadata)
    }

    fn apply(&mut self, object: &Pruned<PartialObjectMeta<ServiceAccount>>) {
        self.index.apply_service_account(&object.metadata);
    }

    fn delete(&mut self, object: &Pruned<PartialObjectMeta<ServiceAccount>>) {
        self.index.delete_service_account(&object.metadata);
    }

    fn retain(&mut self, listed: &HashSet<ObjectKey>) {
        match &self.reach {
            None => self.index.retain_service_accounts(listed),
            Some(namespace) => self.index.retain_service_accounts_in(namespace, listed),
        }
    }
}

struct Copies {
    index: Arc<Index>,
    pending: Pending,
    changes: Changes,
    reach: Reach,
}

impl Sink<Pruned<Secret>> for Copies {
    type Key = ObjectKey;

    fn key(&self, object: &Pruned<Secret>) -> Option<ObjectKey> {
        key_of(&object.metadata)
    }

    fn apply(&mut self, object: &Pruned<Secret>) {
        self.index.copies_seen(&object.metadata);
        self.index.apply_copy(object);
        if let Some(place) = key_of(&object.metadata) {
            self.changes.add(&Change::Copy(place));
        }
    }

    fn delete(&mut self, object: &Pruned<Secret>) {
        self.index.copies_seen(&object.metadata);
        create_again(&self.pending, self.index.delete_copy(&object.metadata));
        if let Some(place) = key_of(&object.metadata) {
            self.pending.hasten(&place);
            self.changes.add(&Change::Copy(place));
        }
    }

    fn retain(&mut self, listed: &HashSet<ObjectKey>) {
        let missed = match &self.reach {
            None => self.index.retain_copies(listed),
            Some(namespace) => self.index.retain_copies_in(namespace, listed),
        };
        create_again(&self.pending, missed);
        self.changes.add(&Change::Everything);
    }
}
