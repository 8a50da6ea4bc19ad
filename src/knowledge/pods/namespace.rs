//! The pods of one namespace, and what they need together.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::shape::{Image, Shape};
use crate::model::pod::{PodState, Uid};

/// A pod, as far as it is its own.
#[derive(Debug, Clone)]
pub struct KnownPod {
    /// Its uid.
    pub uid: Uid,
    /// Its resource version, by which a pod that has changed since is left alone; 0 for one that is no number.
    pub resource_version: u64,
    /// How it fares.
    pub state: PodState,
    /// What it has in common with others.
    pub shape: Arc<Shape>,
}

/// The pods of one namespace. What they need is counted, so that a change of one pod costs what that pod holds.
#[derive(Default)]
pub(super) struct NamespacePods {
    pub(super) pods: HashMap<Box<str>, KnownPod>,
    /// Images for which pods would be given a pull Secret, and how many pods use each.
    pub(super) images: HashMap<Arc<Image>, u32>,
    /// Pull Secrets that pods name, and how many pods do.
    pub(super) names: HashMap<Arc<str>, u32>,
}

impl NamespacePods {
    /// A pod names and uses these; says whether anything is new to the namespace.
    pub(super) fn count(&mut self, shape: &Shape) -> bool {
        let mut is_new = false;
        for name in &shape.pull_secrets {
            is_new |= add(&mut self.names, name);
        }
        for image in counted_images(shape) {
            is_new |= add(&mut self.images, image);
        }
        is_new
    }

    /// It does so no more; says whether nobody else does either.
    pub(super) fn discount(&mut self, shape: &Shape) -> bool {
        let mut was_last = false;
        for name in &shape.pull_secrets {
            was_last |= subtract(&mut self.names, name);
        }
        for image in counted_images(shape) {
            was_last |= subtract(&mut self.images, image);
        }
        was_last
    }
}

/// The images of pods that are never given a pull Secret need none of ours; what such a pod names, it was given by
/// whoever made it, and needs all the same.
fn counted_images(shape: &Shape) -> &[Arc<Image>] {
    if shape.opts_out || shape.is_mirror { &[] } else { &shape.images }
}

fn add<T: ?Sized + Eq + Hash>(counts: &mut HashMap<Arc<T>, u32>, value: &Arc<T>) -> bool {
    let count = counts.entry(Arc::clone(value)).or_default();
    *count = count.saturating_add(1);
    *count == 1
}

fn subtract<T: ?Sized + Eq + Hash>(counts: &mut HashMap<Arc<T>, u32>, value: &Arc<T>) -> bool {
    match counts.get_mut(value) {
        Some(count) if *count > 1 => {
            *count -= 1;
            false
        }
        Some(_) => {
            counts.remove(value);
            true
        }
        None => false,
    }
}
