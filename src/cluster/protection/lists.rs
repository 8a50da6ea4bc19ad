//! Lists of all objects of a kind, which reviews share that come at the same time.
//!
//! A review may conclude from a list only what was so after it had asked. So whoever asks joins the list that begins next, never one
//! that runs already; and of each place one list runs at a time. Those who are told together tend to ask again together: a
//! `deletecollection` with 20 workers comes in waves of 20 reviews.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, Request};
use kube::{Client, Resource};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::kinds::{Believed, Kinds, Trust};
use super::{call, page};
use crate::cluster::{brief, reads};
use crate::model::ObjectKey;
use crate::model::reference::{Reference, Referrer, ReferrerKind};
use crate::policy::NamespaceAnswer;

/// How many objects come in one page: a Shoot has some 6 KiB.
const PER_PAGE: u32 = 500;
/// How many lists are under way at once: where regcred is limited to some namespaces, there is one for each of them.
const AT_ONCE: usize = 10;
/// A list begins once nobody has joined it for so long. The reviews of a wave come some milliseconds apart, on a busy machine with
/// gaps of tens. 500 deletions by 20 workers, three kinds and two busy cores: with 25 ms each kind was listed 31 to 40 times, with
/// 50 ms 25 times, which are as many as there are waves, and all was done sooner. For a review that comes alone it is little.
const GATHERED_AFTER: Duration = Duration::from_millis(50);
/// However many come, it begins after this time.
const GATHERED_FOR: Duration = Duration::from_millis(500);

/// The token to go on by has expired.
const EXPIRED: u16 = 410;
/// There is no right to list.
const FORBIDDEN: u16 = 403;

/// By which places each object points to a Secret.
pub(super) type Uses = HashMap<ObjectKey, Vec<(Arc<Referrer>, Vec<Reference>)>>;
/// What a list has brought, or why it has brought nothing.
pub(super) type Found = Result<Arc<Uses>, Arc<str>>;

/// What one list is of: a kind in a namespace, or in all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) kind: ReferrerKind,
    pub(super) namespace: Option<Arc<str>>,
}

/// Lists. Clones share what is under way.
#[derive(Clone)]
pub(super) struct Lists {
    client: Client,
    kinds: Kinds,
    /// The places of which a list runs or is about to begin, and who waits for the one that begins next.
    under_way: Arc<Mutex<HashMap<Place, Option<Batch>>>>,
    turns: Arc<Semaphore>,
    /// The longest that a list takes. Who asks while one hangs is not kept from its own for good.
    longest: Duration,
}

/// Those who wait for a list to begin.
struct Batch {
    /// When the last of them came.
    joined: Instant,
    /// The least that any of them believes.
    trust: Trust,
    told: watch::Sender<Option<Found>>,
}

impl Lists {
    pub(super) fn new(client: Client, kinds: Kinds, longest: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { client, kinds, under_way: Arc::default(), turns, longest }
    }

    /// What a list brings that begins after this is called.
    pub(super) async fn of(&self, place: Place, trust: Trust) -> Found {
        if matches!(self.kinds.believed(&place.kind, trust), Believed::Absent) {
            return Ok(Arc::default());
        }
        let mut told = self.join(place, trust);
        let found = told.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        found.unwrap_or_else(|| Err("regcred is about to stop".into()))
    }

    fn join(&self, place: Place, trust: Trust) -> watch::Receiver<Option<Found>> {
        let mut under_way = self.under_way();
        let is_idle = !under_way.contains_key(&place);
        let batch = under_way.entry(place.clone()).or_default().get_or_insert_with(|| Batch {
            joined: Instant::now(),
            trust,
            told: watch::Sender::default(),
        });
        (batch.joined, batch.trust) = (Instant::now(), batch.trust.max(trust));
        let told = batch.told.subscribe();
        if is_idle {
            // Not within the review, whose end must not be that of what others wait for.
            tokio::spawn(self.clone().run(place));
        }
        told
    }

    /// One list after the other, as long as anybody waits for one.
    async fn run(self, place: Place) {
        while let Some(batch) = self.gathered(&place).await {
            let list = AssertUnwindSafe(self.list(&place, batch.trust)).catch_unwind();
            let found = match tokio::time::timeout(self.longest, list).await {
                Ok(Ok(Ok(uses))) => Ok(Arc::new(uses)),
                Ok(Ok(Err(error))) => Err(brief(&error)),
                // It has been logged.
                Ok(Err(_)) => Err("a defect of regcred".to_owned()),
                Err(_) => Err(call::LATE.to_owned()),
            };
            let found = found.map_err(|reason| format!("{}s: {reason}", place.kind).into());
            batch.told.send_replace(Some(found));
        }
    }

    /// Those who wait, as soon as no more are to be expected; from then on it is too late to join them. `None` if there are none.
    async fn gathered(&self, place: &Place) -> Option<Batch> {
        let begun = Instant::now();
        loop {
            let begins = {
                let mut under_way = self.under_way();
                let Some(batch) = under_way.get_mut(place).and_then(Option::as_mut) else {
                    under_way.remove(place);
                    return None;
                };
                let begins = (batch.joined.max(begun) + GATHERED_AFTER).min(begun + GATHERED_FOR);
                if begins <= Instant::now() {
                    return under_way.get_mut(place).and_then(Option::take);
                }
                begins
            };
            tokio::time::sleep_until(begins).await;
        }
    }

    async fn list(&self, place: &Place, trust: Trust) -> Result<Uses, kube::Error> {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let Some(resource) = self.kinds.find(&place.kind, trust).await? else { return Ok(Uses::default()) };
        match self.pages(&resource, place).await {
            Err(error) if call::code(&error) == Some(call::NOT_FOUND) => {
                self.kinds.forget(&place.kind);
                match self.kinds.find(&place.kind, Trust::Fresh).await? {
                    None => Ok(Uses::default()),
                    Some(resource) => self.pages(&resource, place).await,
                }
            }
            Err(error) if call::code(&error) == Some(EXPIRED) => self.pages(&resource, place).await,
            // A namespace that has gone has taken the rights in it along.
            Err(error) if call::code(&error) == Some(FORBIDDEN) && self.is_gone(place).await => {
                Ok(Uses::default())
            }
            answer => answer,
        }
    }

    /// Without a resource version: as the storage has it, never as a cache remembers it.
    async fn pages(&self, resource: &ApiResource, place: &Place) -> Result<Uses, kube::Error> {
        let request = Request::new(DynamicObject::url_path(resource, place.namespace.as_deref()));
        let fetch = async |parameters: &ListParams| {
            call::text(&self.client, request.list(parameters).map_err(kube::Error::BuildRequest)).await
        };
        let mut parameters = ListParams::default().limit(PER_PAGE);
        let (mut text, mut uses) = (fetch(&parameters).await?, Uses::default());
        loop {
            // A large garden has twenty pages: each is read while the API server makes the next.
            let (tell, told) = oneshot::channel();
            let reading = read(text, place.kind.clone(), uses, tell);
            // What cannot be read tells nothing.
            let Ok(Some(token)) = told.await else { return joined(reading.await) };
            parameters = parameters.continue_token(&token);
            let fetched = fetch(&parameters).await;
            (uses, text) = (joined(reading.await)?, fetched?);
        }
    }

    async fn is_gone(&self, place: &Place) -> bool {
        match &place.namespace {
            Some(name) => matches!(reads::namespace(&self.client, name).await, NamespaceAnswer::Absent),
            None => false,
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Place, Option<Batch>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a page where that holds nobody else up, and tells as soon as it is known where the next one begins.
fn read(
    text: String,
    kind: ReferrerKind,
    mut uses: Uses,
    tell: oneshot::Sender<Option<String>>,
) -> JoinHandle<Result<Uses, serde_json::Error>> {
    // Whoever waits for a token that nobody takes has gone.
    let tell = |token| drop(tell.send(token));
    tokio::task::spawn_blocking(move || page::read(&text, &kind, &mut uses, tell).map(|()| uses))
}

fn joined(read: Result<Result<Uses, serde_json::Error>, JoinError>) -> Result<Uses, kube::Error> {
    match read {
        Ok(read) => read.map_err(kube::Error::SerdeError),
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        // The runtime ends, and nobody waits any more.
        Err(ended) => Err(kube::Error::Service(ended.into())),
    }
}
