//! What points to Secrets.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Index;
use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};

impl Index {
    /// An object is there, and points to these. Returns the Secrets that it points to now or pointed to before, if that has changed.
    pub fn apply_referrer(&self, referrer: Referrer, pointers: Pointers) -> BTreeSet<ObjectKey> {
        let known = self.snapshot();
        let before = known.references.pointers(&referrer);
        if before.map_or_else(|| pointers.are_none(), |before| *before == pointers) {
            return BTreeSet::new();
        }
        let secrets = before.into_iter().flat_map(|before| &before.secrets).chain(&pointers.secrets);
        let concerned = secrets.map(|reference| reference.secret.clone()).collect();
        self.change(|snapshot| snapshot.references.apply(referrer, pointers));
        concerned
    }

    /// An object of this uid has been deleted. Returns the Secrets that it pointed to.
    pub fn delete_referrer(&self, referrer: Referrer, uid: &str) -> BTreeSet<ObjectKey> {
        if referrer.kind.reserves() {
            self.change(|snapshot| snapshot.references.note_deleted(uid));
        }
        self.apply_referrer(referrer, Pointers::default())
    }

    /// A complete list of a kind has come, of all namespaces or of one; what it does not hold has gone.
    pub fn retain_referrers(
        &self,
        kind: &ReferrerKind,
        namespace: Option<&str>,
        listed: &HashSet<ObjectKey>,
    ) {
        self.change(|snapshot| snapshot.references.retain(kind, namespace, listed));
    }

    /// The user that regcred itself is to the API server.
    pub fn know_own_user(&self, name: &str) {
        self.change(|snapshot| snapshot.own_user = Some(Arc::from(name)));
    }
}
