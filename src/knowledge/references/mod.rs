//! Which objects point to a Secret: events in, answers out.
//!
//! Shoots point to Secrets also through bindings, and no two watches are equally late. So what each object says is kept as it
//! says it, and joined when somebody asks: the order in which the objects come does not matter.

mod deleted;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use deleted::Deleted;

use crate::model::ObjectKey;
use crate::model::module::Selection;
use crate::model::protection::Reservation;
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};

/// What the watches have shown. Its maps share structure with their predecessors, so that a clone costs the same however much
/// is known.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// What each object says; those that say nothing are left out.
    said: imbl::HashMap<Arc<Referrer>, Arc<Pointers>>,
    /// The objects that name a Secret.
    of_secrets: imbl::HashMap<ObjectKey, imbl::OrdSet<Arc<Referrer>>>,
    /// The objects that name a binding.
    of_bindings: imbl::HashMap<Referrer, imbl::OrdSet<Arc<Referrer>>>,
    /// The objects that need Secrets with certain labels, by what they need; most of them the same few things.
    of_selections: imbl::HashMap<Arc<Selection>, imbl::OrdSet<Arc<Referrer>>>,
    /// The objects of the kinds that leave reservations, once they are deleted.
    deleted: Deleted,
}

/// One object that points to a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The object.
    pub referrer: Arc<Referrer>,
    /// The places in it that name the Secret.
    pub places: Vec<Reference>,
    /// For a binding, the objects that name it, and the field by which each does.
    pub users: Vec<(Arc<Referrer>, &'static str)>,
}

impl References {
    /// An object is there, and points to these.
    pub fn apply(&mut self, referrer: Referrer, mut pointers: Pointers) {
        self.delete(&referrer);
        if pointers.are_none() {
            return;
        }
        let referrer = Arc::new(referrer);
        for reference in &pointers.secrets {
            self.of_secrets.entry(reference.secret.clone()).or_default().insert(Arc::clone(&referrer));
        }
        for (binding, _) in &pointers.bindings {
            self.of_bindings.entry(binding.clone()).or_default().insert(Arc::clone(&referrer));
        }
        for selection in &mut pointers.selections {
            if let Some((known, _)) = self.of_selections.get_key_value(&**selection) {
                *selection = Arc::clone(known);
            }
            let referrers = self.of_selections.entry(Arc::clone(selection)).or_default();
            referrers.insert(Arc::clone(&referrer));
        }
        self.said.insert(referrer, Arc::new(pointers));
    }

    /// An object has gone.
    pub fn delete(&mut self, referrer: &Referrer) {
        let Some(pointers) = self.said.remove(referrer) else { return };
        for reference in &pointers.secrets {
            take_out(&mut self.of_secrets, &reference.secret, referrer);
        }
        for (binding, _) in &pointers.bindings {
            take_out(&mut self.of_bindings, binding, referrer);
        }
        for selection in &pointers.selections {
            take_out(&mut self.of_selections, selection, referrer);
        }
    }

    /// A watch has shown that an object of this uid was deleted.
    pub fn note_deleted(&mut self, uid: &str) {
        self.deleted.add(uid);
    }

    /// Whether the object of a reservation is known to have been deleted, and with it what was to be written.
    pub fn is_over(&self, reservation: &Reservation) -> bool {
        self.deleted.has(&reservation.claim.uid)
    }

    /// A complete list of a kind has come, of all namespaces or of one; what it does not hold has gone.
    pub fn retain(&mut self, kind: &ReferrerKind, namespace: Option<&str>, listed: &HashSet<ObjectKey>) {
        let is_listed = |referrer: &Referrer| {
            referrer.kind == *kind && namespace.is_none_or(|namespace| *referrer.key.namespace == *namespace)
        };
        let of_kind = self.said.keys().filter(|referrer| is_listed(referrer));
        let gone: Vec<_> = of_kind.filter(|referrer| !listed.contains(&referrer.key)).cloned().collect();
        for referrer in gone {
            self.delete(&referrer);
        }
    }

    /// What an object points to, if it points to anything.
    pub fn pointers(&self, referrer: &Referrer) -> Option<&Pointers> {
        self.said.get(referrer).map(|pointers| &**pointers)
    }

    /// The Secrets that anything points to.
    pub fn secrets(&self) -> impl Iterator<Item = &ObjectKey> {
        self.of_secrets.keys()
    }

    /// Whether anything points to a Secret.
    pub fn has(&self, secret: &ObjectKey) -> bool {
        self.of_secrets.contains_key(secret)
    }

    /// The objects that point to a Secret, in order. A binding is one itself, whether a Shoot uses it or not.
    pub fn of(&self, secret: &ObjectKey) -> Vec<Use> {
        let referrers = self.of_secrets.get(secret).into_iter().flatten();
        let uses = referrers.filter_map(|referrer| {
            let pointers = self.said.get(referrer)?;
            let places = pointers.secrets.iter().filter(|reference| reference.secret == *secret);
            Some(Use {
                referrer: Arc::clone(referrer),
                places: places.cloned().collect(),
                users: self.users(referrer),
            })
        });
        uses.collect()
    }

    /// What needs Secrets that have these labels, in order, with the objects that say so. However many these are, the labels are held
    /// against each thing once.
    pub fn selecting(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> BTreeMap<&Selection, &imbl::OrdSet<Arc<Referrer>>> {
        let selecting = self.of_selections.iter().filter(|(selection, _)| selection.selector.selects(labels));
        selecting.map(|(selection, referrers)| (&**selection, referrers)).collect()
    }

    /// The objects that name a binding, in order, and the field by which each does.
    pub fn users(&self, binding: &Referrer) -> Vec<(Arc<Referrer>, &'static str)> {
        let users = self.of_bindings.get(binding).into_iter().flatten();
        let users = users.filter_map(|user| {
            let (_, path) = self.said.get(user)?.bindings.iter().find(|(named, _)| named == binding)?;
            Some((Arc::clone(user), *path))
        });
        users.collect()
    }

    /// How many objects point to anything.
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }
}

/// Takes an object out of those that name something, and leaves no empty set behind.
fn take_out<K: Clone + Eq + std::hash::Hash>(
    map: &mut imbl::HashMap<K, imbl::OrdSet<Arc<Referrer>>>,
    key: &K,
    referrer: &Referrer,
) {
    let is_empty = map.get_mut(key).is_some_and(|referrers| {
        referrers.remove(referrer);
        referrers.is_empty()
    });
    if is_empty {
        map.remove(key);
    }
}
