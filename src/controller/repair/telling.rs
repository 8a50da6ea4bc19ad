//! What people are told of pods that lack a pull Secret. No I/O.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};

use super::census::{Census, FailingPod};
use crate::events::{Kind, Occurrence, Regarding};
use crate::model::pod::Uid;

/// The action of all these Events.
const ACTION: &str = "RepairPod";

/// Who has been told. A thing is told once, for as long as it lasts.
#[derive(Default)]
pub(super) struct Told {
    pods: HashSet<Uid>,
    namespaces: HashSet<Arc<str>>,
}

impl Told {
    /// The next thing that somebody should know and has not been told: first pods that fail and are left as they are, then
    /// namespaces in which pods lack something and do not fail.
    pub(super) fn next(
        &mut self,
        census: &Census,
        will_be_evicted: impl Fn(&FailingPod) -> bool,
    ) -> Option<Occurrence> {
        let mut failing = census.failing();
        if let Some(pod) = failing.find(|pod| !self.pods.contains(&pod.uid) && !will_be_evicted(pod)) {
            self.pods.insert(pod.uid.clone());
            return Some(left_alone(pod));
        }
        let mut namespaces = census.namespaces().into_iter();
        let namespace = namespaces.find(|namespace| {
            let counts = census.counts(namespace);
            counts.running + counts.other > 0 && !self.namespaces.contains(namespace)
        })?;
        let counts = census.counts(&namespace);
        let occurrence = not_failing(&namespace, counts.running + counts.other);
        self.namespaces.insert(namespace);
        Some(occurrence)
    }

    /// Forgets what is over, so that it is told again when it comes again.
    pub(super) fn forget_past(&mut self, census: &Census) {
        let failing: HashSet<&Uid> = census.failing().map(|pod| &pod.uid).collect();
        self.pods.retain(|uid| failing.contains(uid));
        self.namespaces.retain(|namespace| {
            let counts = census.counts(namespace);
            counts.running + counts.other > 0
        });
    }
}

fn regarding(pod: &FailingPod) -> Regarding {
    Regarding::new::<Pod>(Some(&pod.namespace), &pod.name, Some(&pod.uid.to_string()))
}

fn left_alone(pod: &FailingPod) -> Occurrence {
    let names = pod.lacking.names.join(", ");
    let what = match (pod.lacking.are_there, &pod.owner) {
        (false, _) => "once its copy is here, delete the pod, and the next one gets it",
        (true, Some(_)) => "delete the pod, and its replacement gets it",
        (true, None) => "delete the pod and create it again, and it gets it",
    };
    Occurrence {
        regarding: regarding(pod),
        kind: Kind::Warning,
        reason: "PullSecretMissing",
        action: ACTION,
        note: format!(
            "this pod was created without pull Secret {names}, which can be added to no pod later, and an image of it \
             cannot be pulled: {what}"
        ),
    }
}

fn not_failing(namespace: &str, count: usize) -> Occurrence {
    Occurrence {
        regarding: Regarding::new::<Namespace>(Some(namespace), namespace, None),
        kind: Kind::Normal,
        reason: "PullSecretMissing",
        action: ACTION,
        note: format!(
            "pods created without a pull Secret that they would be given now: {count}; they are left alone, and what \
             replaces them gets it"
        ),
    }
}

/// A pod has been evicted.
pub(super) fn evicted(pod: &FailingPod) -> Occurrence {
    let names = pod.lacking.names.join(", ");
    Occurrence {
        regarding: regarding(pod),
        kind: Kind::Normal,
        reason: "EvictedForPullSecret",
        action: ACTION,
        note: format!(
            "evicted: it was created without pull Secret {names}, and an image of it could not be pulled; its replacement \
             gets it"
        ),
    }
}

/// A budget did not allow an eviction.
pub(super) fn refused(pod: &FailingPod) -> Occurrence {
    let names = pod.lacking.names.join(", ");
    Occurrence {
        regarding: regarding(pod),
        kind: Kind::Warning,
        reason: "EvictionRefused",
        action: ACTION,
        note: format!(
            "not evicted, for a PodDisruptionBudget does not allow it now: it was created without pull Secret {names}, and \
             an image of it cannot be pulled"
        ),
    }
}
