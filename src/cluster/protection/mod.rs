//! What reviews of Secrets, and of what points to them, ask of the API server: always the API server itself, never what the watches have
//! shown.

mod access;
mod call;
mod kinds;
mod lists;
mod live;
mod page;
mod secret;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;

pub use kinds::{Kinds, Trust};
use lists::{Lists, Place};

use crate::configuration::Current;
use crate::model::ObjectKey;
use crate::model::protection::{Bypass, Listing, LiveReferrer, Reservation, SecretAnswer};
use crate::model::reference::{Referrer, ReferrerKind};
use crate::model::scope::Scope;
use crate::review::Requester;

/// The longest that a list takes of the 10 s that a review has.
const LIST_OF_A_REVIEW: Duration = Duration::from_secs(9);

/// Asks. Clones share what is under way, and which kinds the cluster serves.
#[derive(Clone)]
pub struct Inquiry {
    client: Client,
    scope: Scope,
    rules: Current,
    kinds: Kinds,
    lists: Lists,
}

impl Inquiry {
    /// Asks about the namespaces of the scope.
    pub fn new(client: Client, scope: Scope) -> Self {
        let kinds = Kinds::new(client.clone());
        let lists = Lists::new(client.clone(), kinds.clone(), LIST_OF_A_REVIEW);
        Self { client, scope, rules: Current::default(), kinds, lists }
    }

    /// Asks also about the kinds that the configuration describes.
    #[must_use]
    pub fn with_rules(self, rules: Current) -> Self {
        Self { rules, ..self }
    }

    /// Takes this long for a list, and shares none with reviews: they need not wait for it.
    #[must_use]
    pub fn with_lists_of(self, longest: Duration) -> Self {
        let lists = Lists::new(self.client.clone(), self.kinds.clone(), longest);
        Self { lists, ..self }
    }

    /// Which kinds the cluster serves, for those who watch them.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// A Secret as it is.
    pub async fn secret(&self, key: &ObjectKey) -> SecretAnswer {
        secret::read(&self.client, key).await
    }

    /// Leaves a reservation on a Secret, and its label, and tells what it is then.
    pub async fn reserve(&self, key: &ObjectKey, uid: &str, reservation: &Reservation) -> SecretAnswer {
        secret::reserve(&self.client, key, uid, reservation).await
    }

    /// A referrer as it is.
    pub async fn referrer(&self, referrer: &Referrer) -> LiveReferrer {
        live::read(&self.client, &self.kinds, referrer).await
    }

    /// Everything that names a Secret, by lists that begin after this is called. If some cannot be had, what the others show is
    /// still true.
    pub async fn referrers(&self, secret: &ObjectKey, trust: Trust) -> Listing {
        let rules = self.rules.get();
        let naming = rules.referrer_kinds().filter(|kind| !kind.selects());
        let places = naming.flat_map(|kind| self.places(&kind, secret));
        let lists = join_all(places.map(|place| self.lists.of(place, trust))).await;
        let uses = lists.iter().flatten().filter_map(|uses| uses.get(secret)).flatten();
        let mut uses: Vec<_> = uses.cloned().collect();
        match lists.iter().find_map(|found| found.as_ref().err()) {
            Some(reason) if uses.is_empty() => Listing::Unknown(Arc::clone(reason)),
            _ => {
                uses.sort();
                Listing::Complete(uses)
            }
        }
    }

    /// Where objects of a kind can be that point to a Secret.
    fn places(&self, kind: &ReferrerKind, secret: &ObjectKey) -> Vec<Place> {
        let namespaces = match &self.scope {
            _ if !kind.crosses_namespaces() => vec![Some(Arc::clone(&secret.namespace))],
            Scope::All => vec![None],
            Scope::Listed(names) => names.iter().cloned().map(Some).collect(),
        };
        namespaces.into_iter().map(|namespace| Place { kind: kind.clone(), namespace }).collect()
    }

    /// Whether somebody may let a Secret go although it is in use.
    pub async fn bypass(&self, requester: &Requester, secret: &ObjectKey) -> Bypass {
        access::bypass(&self.client, requester, secret).await
    }
}
