//! What the labels of a module's layers say, and which of them are new.

use std::collections::HashMap;

use crate::model::module::{Component, CredentialLabel, Malformed};

/// A layer whose label is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer<'a> {
    /// Its name, or its place for one that has none.
    pub(super) called: String,
    name: &'a str,
    /// What is wrong with its label; `None` when it has none.
    pub(super) malformed: Option<&'a Malformed>,
}

impl<'a> Layer<'a> {
    /// What makes a layer the same as before.
    fn key(&self) -> (&'a str, Option<&'a Malformed>) {
        (self.name, self.malformed)
    }
}

/// The layers whose label is missing or wrong, in order.
pub(super) fn wrong(component: &Component) -> Vec<Layer<'_>> {
    let layers = component.local_blobs().filter_map(|(number, resource)| {
        let malformed = match &resource.label {
            CredentialLabel::Selects(_) => return None,
            CredentialLabel::Absent => None,
            CredentialLabel::Malformed(malformed) => Some(malformed),
        };
        Some(Layer { called: resource.called(number), name: &resource.name, malformed })
    });
    layers.collect()
}

/// Parts the layers into those that are wrong for the first time, and those that were wrong before.
pub(super) fn part<'a>(now: Vec<Layer<'a>>, before: &[Layer<'a>]) -> (Vec<Layer<'a>>, Vec<Layer<'a>>) {
    let mut known: HashMap<(&'a str, Option<&'a Malformed>), usize> = HashMap::new();
    for layer in before {
        *known.entry(layer.key()).or_default() += 1;
    }
    now.into_iter().partition(|layer| match known.get_mut(&layer.key()) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    })
}

/// Whether layers ask for different Secrets.
pub(super) fn disagree(component: &Component) -> bool {
    let mut selectors = component.local_blobs().filter_map(|(_, resource)| resource.label.selector());
    selectors.next().is_some_and(|first| selectors.any(|other| other != first))
}
