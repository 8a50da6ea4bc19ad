//! What is added to a module.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::model::module::{Component, LABEL, Schema, Selector};
use crate::policy::shown::{listed, shown, shown_at_length};

/// Labels that are added to layers of a module: to each that has none of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleLabels {
    selector: Selector,
    schema: Schema,
    layers: Vec<Layer>,
}

/// A layer that is given the label.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layer {
    /// Its place among the resources.
    place: usize,
    name: String,
    /// Whether it has the list; appending to an absent or null list fails, adding it anew would replace one.
    has_list: bool,
}

#[derive(Serialize)]
struct Operation<T> {
    op: &'static str,
    path: String,
    value: T,
}

#[derive(Clone, Copy, Serialize)]
struct Label<'a> {
    name: &'static str,
    value: &'a Selector,
}

impl ModuleLabels {
    /// Adds a label that selects these Secrets to each layer that has none; `None` when all have one.
    pub fn add(component: &Component, selector: &Selector) -> Option<Self> {
        let layers = component.unlabelled().map(|(place, resource)| Layer {
            place,
            name: resource.called(place),
            has_list: resource.has_labels,
        });
        let layers: Vec<Layer> = layers.collect();
        (!layers.is_empty()).then(|| Self { selector: selector.clone(), schema: component.schema, layers })
    }

    /// What the label says.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// What the layers are called that are given it, in order.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &str> {
        self.layers.iter().map(|layer| layer.name.as_str())
    }
}

/// For people: which label, and to which layers.
impl fmt::Display for ModuleLabels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = listed(self.layers().map(shown));
        write!(formatter, "label {LABEL} ({}) to {layers}", shown_at_length(&self.selector))
    }
}

impl Serialize for ModuleLabels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let resources = self.schema.resources().join("/");
        let value = Label { name: LABEL, value: &self.selector };
        let mut operations = serializer.serialize_seq(Some(self.layers.len()))?;
        for Layer { place, has_list, .. } in &self.layers {
            let labels = format!("/spec/descriptor/{resources}/{place}/labels");
            if *has_list {
                let path = format!("{labels}/-");
                operations.serialize_element(&Operation { op: "add", path, value })?;
            } else {
                operations.serialize_element(&Operation { op: "add", path: labels, value: [value] })?;
            }
        }
        operations.end()
    }
}
