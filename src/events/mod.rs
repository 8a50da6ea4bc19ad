//! Tells people what happened, as Events on the objects concerned.
//!
//! Recording never waits and never fails: what is too much is left out and counted. The same thing happening again is one
//! Event with a count, and no object gets more than a stated number of writes in an hour, whatever goes on.
//!
//! A recorder of our own, because that of kube writes each repetition at once, without a limit, and waits for it. Events
//! are written to `events.k8s.io/v1`, where nothing of an Event but its series can change: so what was told is part of
//! what is the same.

mod ledger;
mod limits;
mod object;
mod publisher;

use std::fmt::Display;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::Resource;
use tokio::sync::mpsc;

use crate::model::ObjectKey;
use crate::telemetry::event_metrics::{EventMetrics, Fate};

pub use limits::{Limits, Rate};
pub use publisher::Publisher;

/// How many occurrences wait to be written. A burst of one for each of a thousand namespaces finds room; what is more
/// would be left out by the limits anyway.
const QUEUE: usize = 1_024;

/// Whether something went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// As it should.
    Normal,
    /// Somebody may have to do something.
    Warning,
}

/// The object that an Event is about. The Event is in the same namespace, or in `default` for one that has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    uid: Option<String>,
}

impl Regarding {
    /// An object of this type.
    ///
    /// For a Namespace the Event may be in itself or, with no namespace given, in `default`. With the uid, `kubectl
    /// describe` shows the Event, and not those of an object that had the name before.
    pub fn new<K>(namespace: Option<&str>, name: &str, uid: Option<&str>) -> Self
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let of_type = K::DynamicType::default();
        Self {
            api_version: K::api_version(&of_type).into_owned(),
            kind: K::kind(&of_type).into_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            uid: uid.map(str::to_owned),
        }
    }

    /// An object of a namespaced kind that has no type here. The version of its API need not be one that is served: people see the
    /// Event by kind, name and uid.
    pub fn of_kind(api_version: &str, kind: &str, key: &ObjectKey, uid: Option<&str>) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(key.namespace.to_string()),
            name: key.name.to_string(),
            uid: uid.map(str::to_owned),
        }
    }

    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.api_version.clone()),
            kind: Some(self.kind.clone()),
            namespace: self.namespace.clone(),
            name: Some(self.name.clone()),
            uid: self.uid.clone(),
            ..ObjectReference::default()
        }
    }
}

/// Something that happened. Two that are equal are the same thing happening again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Occurrence {
    /// What it is about.
    pub regarding: Regarding,
    /// Whether it went well.
    pub kind: Kind,
    /// Why, in one word such as `CopyRefused`, at most 128 bytes.
    pub reason: &'static str,
    /// What was done or tried, in one word such as `Copy`, at most 128 bytes.
    pub action: &'static str,
    /// A sentence for people, without secrets; cut to what an Event holds (1 KiB).
    pub note: String,
}

/// Takes what happened. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Occurrence>,
    metrics: EventMetrics,
}

impl Recorder {
    /// A recorder, and the publisher that writes what it takes. `instance` is the name of this replica.
    pub fn new(client: Client, instance: &str, limits: Limits, metrics: EventMetrics) -> (Self, Publisher) {
        let (queue, recorded) = mpsc::channel(QUEUE);
        let publisher = Publisher::new(client, instance, limits, metrics.clone(), recorded);
        (Self { queue, metrics }, publisher)
    }

    /// Records an occurrence, without waiting.
    pub fn record(&self, occurrence: Occurrence) {
        if self.queue.try_send(occurrence).is_err() {
            self.metrics.count(Fate::QueueFull);
        }
    }

    /// Records that something went as it should.
    pub fn normal(
        &self,
        regarding: Regarding,
        reason: &'static str,
        action: &'static str,
        note: impl Display,
    ) {
        self.record(Occurrence { regarding, kind: Kind::Normal, reason, action, note: note.to_string() });
    }
}
