//! What the leader knows of the pods that have not finished.
//!
//! Of a pod only its name, uid and state are its own; what decides (images, pull Secrets, owner) is kept once for all
//! pods that are alike. 150,000 pods are about 1 GB of JSON and here, five of each owner, about 330 bytes each. What is
//! kept for a namespace and an owner makes that 900 where there are only two pods of each (`make bench-memory`).
//!
//! **What counts as a need.** A copy is needed in a namespace while a pod of it
//! * names it, whoever gave it the name: the kubelet reads it for every pull, also of a pod that opted out; or
//! * has an image in a container, init container or image volume that the credential answers for, and neither the pod
//!   nor its namespace opted out, and it is no mirror of a static pod, whose images its node pulls by itself. Such a pod
//!   may have been admitted while nobody answered, and what replaces it will name the copy.
//!
//! Ephemeral containers pull with what their pod names, so their images are no need of their own.

mod namespace;
mod shape;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Resource;

use namespace::NamespacePods;
use shape::Shapes;

use super::Snapshot;
use crate::model::credential::Credential;
use crate::model::pod::{ObservedPod, PodState, Uid};

pub use namespace::KnownPod;
pub use shape::{Image, Shape};

/// The pods that have not finished. Clones share what is known.
#[derive(Clone, Default)]
pub struct Pods {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_complete: bool,
    namespaces: HashMap<Arc<str>, NamespacePods>,
    shapes: Shapes,
    /// Namespaces in which a pod has come, gone or changed since they were last taken.
    touched: HashSet<Arc<str>>,
}

impl Pods {
    /// Whether all pods are known. They are not until the first complete list has come, nor where they are not watched,
    /// and then nothing may be concluded from a need that is not there.
    pub fn is_complete(&self) -> bool {
        self.state().is_complete
    }

    /// Whether a pod of a namespace needs the copy of a credential.
    pub fn needs(&self, known: &Snapshot, namespace: &str, credential: &Credential) -> bool {
        let state = self.state();
        let Some(here) = state.namespaces.get(namespace) else {
            return false;
        };
        let opts_out = || known.namespaces.get(namespace).is_some_and(|namespace| namespace.opts_out());
        here.names.contains_key(&*credential.copy_name)
            || (!opts_out()
                && known.answers(credential, here.images.keys().map(|image| &image.target)).is_some())
    }

    /// Whether a pod of a namespace names a pull Secret.
    pub fn names(&self, namespace: &str, secret_name: &str) -> bool {
        self.state().namespaces.get(namespace).is_some_and(|here| here.names.contains_key(secret_name))
    }

    /// Forgets everything: whoever no longer leads no longer watches.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    /// A pod is there, or has changed. Returns whether the pods of its namespace name or use something that they did
    /// not before, or no longer do.
    pub fn apply(&self, pod: &ObservedPod) -> bool {
        let Some((namespace, name)) = place_of(pod) else {
            return false;
        };
        let mut state = self.state();
        let State { namespaces, shapes, touched, .. } = &mut *state;
        let shape = shapes.of(pod);
        let namespace =
            namespaces.get_key_value(namespace).map_or_else(|| namespace.into(), |(key, _)| Arc::clone(key));
        let here = namespaces.entry(Arc::clone(&namespace)).or_default();
        let known = KnownPod {
            uid: uid_of(pod),
            resource_version: resource_version(pod),
            state: pod.state(),
            shape: Arc::clone(&shape),
        };
        let former = here.pods.get_mut(name);
        if former.as_ref().is_none_or(|former| is_news(former, &known)) {
            touched.insert(namespace);
        }
        match former {
            Some(former) if Arc::ptr_eq(&former.shape, &shape) => {
                *former = known;
                false
            }
            Some(former) => {
                let former = std::mem::replace(former, known).shape;
                // First what comes, so that what stays is no change.
                let is_new = here.count(&shape);
                let was_last = here.discount(&former);
                shapes.release(former);
                is_new | was_last
            }
            None => {
                here.pods.insert(name.into(), known);
                here.count(&shape)
            }
        }
    }

    /// A pod is gone or has finished. Returns the same as [`Self::apply`].
    pub fn delete(&self, pod: &ObservedPod) -> bool {
        let Some((namespace, name)) = place_of(pod) else {
            return false;
        };
        let mut state = self.state();
        let known = state.namespaces.get(namespace).and_then(|here| here.pods.get(name));
        // A late event about a former pod leaves the present one alone.
        let is_known = known.is_some_and(|known| known.uid == uid_of(pod));
        is_known && state.remove(namespace, name)
    }

    /// A complete list has come; pods that are not in it are gone.
    pub fn retain(&self, listed: &HashSet<Uid>) {
        self.retain_of(|_| true, listed);
        self.complete();
    }

    /// The same for a list of one namespace. When all are known is then said by [`Self::complete`].
    pub fn retain_in(&self, namespace: &str, listed: &HashSet<Uid>) {
        self.retain_of(|name| name == namespace, listed);
    }

    /// Every list that there is has come.
    pub fn complete(&self) {
        self.state().is_complete = true;
    }

    fn retain_of(&self, is_asked_for: impl Fn(&str) -> bool, listed: &HashSet<Uid>) {
        let mut state = self.state();
        let asked_for = state.namespaces.iter().filter(|(namespace, _)| is_asked_for(namespace));
        let all = asked_for.flat_map(|(namespace, here)| {
            let gone = here.pods.iter().filter(|(_, known)| !listed.contains(&known.uid));
            gone.map(|(name, _)| (Arc::clone(namespace), name.clone()))
        });
        let gone: Vec<_> = all.collect();
        for (namespace, name) in gone {
            state.remove(&namespace, &name);
        }
    }

    /// How many pods there are.
    pub fn len(&self) -> usize {
        self.state().namespaces.values().map(|here| here.pods.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.state().namespaces.is_empty()
    }

    /// The namespaces that have pods.
    pub fn namespaces(&self) -> Vec<Arc<str>> {
        self.state().namespaces.keys().cloned().collect()
    }

    /// Takes the namespaces in which a pod has come, gone, or changed in something that is kept.
    pub fn take_touched(&self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.state().touched)
    }

    /// Shows each pod of a namespace. The watch waits meanwhile.
    pub fn visit(&self, namespace: &str, mut visitor: impl FnMut(&str, &KnownPod)) {
        if let Some(here) = self.state().namespaces.get(namespace) {
            here.pods.iter().for_each(|(name, known)| visitor(name, known));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, namespace: &str, name: &str) -> bool {
        let Some(here) = self.namespaces.get_mut(namespace) else {
            return false;
        };
        let Some(gone) = here.pods.remove(name) else {
            return false;
        };
        self.touched.insert(namespace.into());
        let was_last = here.discount(&gone.shape);
        self.shapes.release(gone.shape);
        if here.pods.is_empty() {
            self.namespaces.remove(namespace);
        }
        was_last
    }
}

/// Of one that fails also its resource version counts, for it may have to be evicted as it is now.
fn is_news(former: &KnownPod, now: &KnownPod) -> bool {
    former.uid != now.uid
        || former.state != now.state
        || !Arc::ptr_eq(&former.shape, &now.shape)
        || (now.state == PodState::Failing && former.resource_version != now.resource_version)
}

fn resource_version(pod: &ObservedPod) -> u64 {
    pod.meta().resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// Namespace and name.
fn place_of(pod: &ObservedPod) -> Option<(&str, &str)> {
    Some((pod.meta().namespace.as_deref()?, pod.meta().name.as_deref()?))
}

/// What tells a pod from others; the watch's key, because it is small.
pub fn uid_of(pod: &ObservedPod) -> Uid {
    Uid::new(pod.meta().uid.as_deref().unwrap_or_default())
}
