//! Which pods lack a pull Secret that they would be given now. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;
use std::time::Instant;

use crate::knowledge::pods::{KnownPod, Shape};
use crate::knowledge::{Pods, Snapshot};
use crate::model::pod::{Owner, PodState, Uid};
use crate::policy::{Lacking, lacking};

/// How many pods lack a pull Secret, by how they fare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// A container of theirs runs.
    pub(super) running: usize,
    /// An image of theirs cannot be pulled.
    pub(super) failing: usize,
    /// Neither.
    pub(super) other: usize,
}

/// A pod that lacks a pull Secret and whose images cannot be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailingPod {
    /// Its namespace.
    pub(super) namespace: Arc<str>,
    /// Its name.
    pub(super) name: Box<str>,
    /// Its uid.
    pub(super) uid: Uid,
    /// Its resource version.
    pub(super) resource_version: u64,
    /// The controller that replaces it.
    pub(super) owner: Option<Owner>,
    /// What it lacks.
    pub(super) lacking: Lacking,
}

/// What is known of the pods that lack something. Judged a namespace at a time, so that a change costs what its namespace
/// holds.
#[derive(Default)]
pub(super) struct Census {
    namespaces: BTreeMap<Arc<str>, Found>,
    total: Counts,
}

#[derive(Default)]
struct Found {
    counts: Counts,
    failing: Vec<FailingPod>,
}

impl Census {
    /// Judges the pods of a namespace anew.
    pub(super) fn judge(&mut self, namespace: &Arc<str>, pods: &Pods, known: &Snapshot, now: Instant) {
        let mut found = Found::default();
        let mut judged: HashMap<*const Shape, Lacking> = HashMap::new();
        pods.visit(namespace, |name, pod| {
            let lacking = judged
                .entry(Arc::as_ptr(&pod.shape))
                .or_insert_with(|| lacking(namespace, &pod.shape, known, now));
            if !lacking.names.is_empty() {
                found.add(namespace, name, pod, lacking);
            }
        });
        if let Some(former) = self.namespaces.remove(namespace) {
            self.total -= former.counts;
        }
        if found.counts != Counts::default() {
            self.total += found.counts;
            self.namespaces.insert(Arc::clone(namespace), found);
        }
    }

    /// The namespaces in which a pod lacks something.
    pub(super) fn namespaces(&self) -> Vec<Arc<str>> {
        self.namespaces.keys().cloned().collect()
    }

    /// How many pods lack something.
    pub(super) fn total(&self) -> Counts {
        self.total
    }

    /// How many pods of a namespace do.
    pub(super) fn counts(&self, namespace: &str) -> Counts {
        self.namespaces.get(namespace).map(|found| found.counts).unwrap_or_default()
    }

    /// Those that fail.
    pub(super) fn failing(&self) -> impl Iterator<Item = &FailingPod> {
        self.namespaces.values().flat_map(|found| &found.failing)
    }
}

impl Found {
    fn add(&mut self, namespace: &Arc<str>, name: &str, pod: &KnownPod, lacking: &Lacking) {
        match pod.state {
            PodState::Running => self.counts.running += 1,
            PodState::Other => self.counts.other += 1,
            PodState::Failing => {
                self.counts.failing += 1;
                self.failing.push(FailingPod {
                    namespace: Arc::clone(namespace),
                    name: name.into(),
                    uid: pod.uid.clone(),
                    resource_version: pod.resource_version,
                    owner: pod.shape.owner.clone(),
                    lacking: lacking.clone(),
                });
            }
            // It lacks nothing for long.
            PodState::Ending => {}
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.running += other.running;
        self.failing += other.failing;
        self.other += other.other;
    }
}

impl SubAssign for Counts {
    fn sub_assign(&mut self, other: Self) {
        self.running -= other.running;
        self.failing -= other.failing;
        self.other -= other.other;
    }
}
