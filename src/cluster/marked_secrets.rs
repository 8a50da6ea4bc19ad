//! What the leader alone asks of Secrets that are marked as in use: their metadata, never what is in them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher;

use super::changes::{Change, Changes};
use super::lists::Lists;
use super::reach::{Reach, follow_in, of_type};
use super::watch::{Answer, Sink};
use crate::knowledge::index::key_of;
use crate::model::ObjectKey;
use crate::model::guarded_patch::Guard;
use crate::model::protection::{IN_USE_LABEL, RESERVATION_PREFIX, Reservation};
use crate::model::pruned::Pruned;
use crate::model::scope::Scope;

/// How many come in one page of a list. A page is held as text while it is decoded: half a MB of usual metadata (2 KB each), and some
/// 8 MB if all have as many reservations as they may.
const PER_PAGE: u32 = 250;

/// A Secret that is marked as in use, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The version.
    pub guard: Guard,
    /// Its reservations, in the order of their attempts.
    pub reservations: Vec<Reservation>,
    /// The names of annotations that stand for reservations and say nothing that can be read.
    pub unreadable: Vec<Arc<str>>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl From<&ObjectMeta> for Marked {
    fn from(metadata: &ObjectMeta) -> Self {
        let (mut reservations, mut unreadable) = (Vec::new(), Vec::new());
        for (name, value) in metadata.annotations.iter().flatten() {
            match Reservation::read(name, value) {
                Some(reservation) => reservations.push(reservation),
                None if name.starts_with(RESERVATION_PREFIX) => unreadable.push(name.as_str().into()),
                None => {}
            }
        }
        let terminating = metadata.deletion_timestamp.is_some();
        Self { guard: Guard::from(metadata), reservations, unreadable, terminating }
    }
}

impl Marked {
    /// How many reservations it has, readable or not.
    pub fn reserved(&self) -> usize {
        self.reservations.len() + self.unreadable.len()
    }
}

/// The Secrets that are marked, as far as the watch has shown. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MarkedSecrets(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    secrets: HashMap<ObjectKey, Arc<Marked>>,
    reservations: usize,
    is_complete: bool,
}

impl MarkedSecrets {
    /// A Secret that is marked.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Marked>> {
        self.seen().secrets.get(key).cloned()
    }

    /// All of them.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.seen().secrets.keys().cloned().collect()
    }

    /// How many there are, and how many reservations they have.
    pub fn counts(&self) -> (usize, usize) {
        let seen = self.seen();
        (seen.secrets.len(), seen.reservations)
    }

    /// Whether every watch has brought its list. Before that a Secret that is not here may well be marked.
    pub fn is_complete(&self) -> bool {
        self.seen().is_complete
    }

    /// Every watch has brought its list.
    pub fn complete(&self) {
        self.seen().is_complete = true;
    }

    /// A Secret is there, and marked.
    pub fn apply(&self, key: ObjectKey, metadata: &ObjectMeta) {
        let (mut seen, marked) = (self.seen(), Marked::from(metadata));
        seen.reservations += marked.reserved();
        let former = seen.secrets.insert(key, Arc::new(marked));
        seen.reservations -= former.map_or(0, |former| former.reserved());
    }

    /// A Secret has gone, or its label has.
    pub fn delete(&self, key: &ObjectKey) {
        let mut seen = self.seen();
        let former = seen.secrets.remove(key);
        seen.reservations -= former.map_or(0, |former| former.reserved());
    }

    /// A complete list has come, of all namespaces or of one; what it does not hold is not marked any more.
    fn retain(&self, namespace: Option<&str>, listed: &HashSet<ObjectKey>) {
        let is_meant = |key: &ObjectKey| namespace.is_none_or(|namespace| *key.namespace == *namespace);
        let mut gone = self.keys();
        gone.retain(|key| is_meant(key) && !listed.contains(key));
        for key in gone {
            self.delete(&key);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches in the namespaces of the scope. Ends only by a defect.
pub async fn follow(client: Client, scope: &Scope, secrets: &MarkedSecrets, changes: &Changes) {
    let config = watcher::Config::default().labels(IN_USE_LABEL).page_size(PER_PAGE);
    let sink = |reach| Watched { secrets: secrets.clone(), changes: changes.clone(), reach };
    // Told after it counts: whoever took the change that came with the list may have concluded nothing from it yet.
    let answered = |answer| {
        if answer == Answer::Listed {
            secrets.complete();
            changes.add(&Change::Everything);
        }
    };
    follow_in("secrets in use", (of_type(&client), Lists::default()), scope, config, sink, answered).await;
}

struct Watched {
    secrets: MarkedSecrets,
    changes: Changes,
    reach: Reach,
}

impl Sink<Pruned<PartialObjectMeta<Secret>>> for Watched {
    type Key = ObjectKey;

    fn key(&self, object: &Pruned<PartialObjectMeta<Secret>>) -> Option<ObjectKey> {
        key_of(&object.metadata)
    }

    fn apply(&mut self, object: &Pruned<PartialObjectMeta<Secret>>) {
        if let Some(key) = key_of(&object.metadata) {
            self.secrets.apply(key.clone(), &object.metadata);
            self.changes.add(&Change::MarkedSecret(key));
        }
    }

    fn delete(&mut self, object: &Pruned<PartialObjectMeta<Secret>>) {
        if let Some(key) = key_of(&object.metadata) {
            self.secrets.delete(&key);
            self.changes.add(&Change::MarkedSecret(key));
        }
    }

    fn retain(&mut self, listed: &HashSet<ObjectKey>) {
        self.secrets.retain(self.reach.as_deref(), listed);
        self.changes.add(&Change::Everything);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn metadata(annotations: &Value) -> ObjectMeta {
        let object = json!({
            "namespace": "garden-dev", "name": "docker-creds", "uid": "1", "resourceVersion": "7",
            "labels": {IN_USE_LABEL: "true"}, "annotations": annotations,
        });
        serde_json::from_value(object).unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("garden-dev", name)
    }

    #[test]
    fn reservations_count_whether_they_can_be_read_or_not() {
        let value = r#"{"kind":"Shoot","namespace":"garden-dev","name":"crazy-botany","uid":"2"}"#;
        let annotations = json!({
            format!("{RESERVATION_PREFIX}a"): value, format!("{RESERVATION_PREFIX}b"): "?", "other": "value",
        });
        let marked = Marked::from(&metadata(&annotations));
        assert_eq!((marked.reservations.len(), marked.unreadable.len(), marked.terminating), (1, 1, false));
        assert_eq!(&*marked.unreadable[0], "reservation.regcred.dev/b");
        assert_eq!(marked.guard, Guard { uid: "1".into(), resource_version: "7".into() });

        let secrets = MarkedSecrets::default();
        secrets.apply(key("one"), &metadata(&annotations));
        secrets.apply(key("one"), &metadata(&annotations));
        secrets.apply(key("two"), &metadata(&json!({})));
        assert_eq!(secrets.counts(), (2, 2));
        secrets.apply(key("one"), &metadata(&json!({})));
        assert_eq!(secrets.counts(), (2, 0));
    }

    #[test]
    fn what_a_list_does_not_hold_is_not_marked_any_more_where_the_list_is_of() {
        let (secrets, elsewhere) = (MarkedSecrets::default(), ObjectKey::new("garden-prod", "docker-creds"));
        for key in [key("one"), key("two"), elsewhere.clone()] {
            secrets.apply(key, &metadata(&json!({})));
        }
        secrets.retain(Some("garden-dev"), &HashSet::from([key("one")]));
        assert_eq!((secrets.get(&key("one")).is_some(), secrets.get(&key("two"))), (true, None));
        assert!(secrets.get(&elsewhere).is_some());
        secrets.retain(None, &HashSet::new());
        assert_eq!(secrets.counts(), (0, 0));
    }
}
