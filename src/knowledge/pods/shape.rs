//! What the pods of one owner have in common, kept once for all of them.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::model::image::ImageReference;
use crate::model::keyring::Target;
use crate::model::pod::{ObservedPod, Owner};

/// Pods that are alike in what decides. Those of one owner are, so 150,000 pods have a few thousand shapes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The images that its containers, init containers and image volumes pull, each once, by name.
    pub images: Box<[Arc<Image>]>,
    /// The pull Secrets that it names, each once, by name.
    pub pull_secrets: Box<[Arc<str>]>,
    /// The ServiceAccount.
    pub service_account: Arc<str>,
    /// The controller that replaces such a pod.
    pub owner: Option<Owner>,
    /// Whether its label keeps it as it is.
    pub opts_out: bool,
    /// Whether it stands for a static pod of a node.
    pub is_mirror: bool,
}

/// An image that pods use, read once.
#[derive(Debug)]
pub struct Image {
    /// Its normalised name without tag or digest, which decide nothing: pods of two releases share it.
    pub repository: Arc<str>,
    /// The same, read for matching.
    pub target: Target,
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.repository == other.repository
    }
}

impl Eq for Image {}

impl Hash for Image {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.repository.hash(state);
    }
}

/// The references to a value that nobody uses any more.
const OURS_AND_IN_HAND: usize = 2;

/// Values that are each kept once, for as long as anybody has them.
#[derive(Default)]
pub(super) struct Shapes {
    known: HashSet<Arc<Shape>>,
    images: HashMap<Arc<str>, Arc<Image>>,
    texts: HashSet<Arc<str>>,
}

impl Shapes {
    /// The shape of a pod.
    pub(super) fn of(&mut self, observed: &ObservedPod) -> Arc<Shape> {
        let pod = observed.pod();
        // What the kubelet cannot read it never pulls.
        let references = pod.images().filter_map(|image| ImageReference::parse(image).ok());
        let mut images: Vec<Arc<Image>> =
            references.map(|reference| self.image(reference.repository())).collect();
        images.sort_unstable_by(|one, other| one.repository.cmp(&other.repository));
        images.dedup();
        let names = pod.pull_secrets().into_iter().flatten();
        let mut pull_secrets: Vec<Arc<str>> = names.map(|name| self.text(name)).collect();
        pull_secrets.sort_unstable();
        pull_secrets.dedup();
        let shape = Shape {
            images: images.into(),
            pull_secrets: pull_secrets.into(),
            service_account: self.text(pod.service_account()),
            owner: observed.owner().cloned(),
            opts_out: pod.opts_out(),
            is_mirror: pod.is_annotated_as_mirror(),
        };
        if let Some(known) = self.known.get(&shape) {
            return Arc::clone(known);
        }
        let shape = Arc::new(shape);
        self.known.insert(Arc::clone(&shape));
        shape
    }

    /// A pod of this shape is gone; what nobody else has goes with it.
    pub(super) fn release(&mut self, shape: Arc<Shape>) {
        if Arc::strong_count(&shape) > OURS_AND_IN_HAND {
            return;
        }
        self.known.remove(&shape);
        let Some(shape) = Arc::into_inner(shape) else {
            return;
        };
        for image in shape.images {
            if Arc::strong_count(&image) <= OURS_AND_IN_HAND {
                self.images.remove(&image.repository);
            }
        }
        for text in shape.pull_secrets.into_iter().chain([shape.service_account]) {
            if Arc::strong_count(&text) <= OURS_AND_IN_HAND {
                self.texts.remove(&text);
            }
        }
    }

    fn image(&mut self, repository: &str) -> Arc<Image> {
        let known = self.images.get(repository);
        known.cloned().unwrap_or_else(|| {
            let image = Arc::new(Image { repository: repository.into(), target: Target::new(repository) });
            self.images.insert(Arc::clone(&image.repository), Arc::clone(&image));
            image
        })
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        let known = self.texts.get(text);
        known.cloned().unwrap_or_else(|| {
            let text: Arc<str> = text.into();
            self.texts.insert(Arc::clone(&text));
            text
        })
    }

    /// How many shapes, images and texts are kept.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.known.len(), self.images.len(), self.texts.len()]
    }
}
