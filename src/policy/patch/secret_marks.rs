//! What is put on a Secret that is in use.

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, PatchOperation};
use kube::core::ObjectMeta;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::protection::{IN_USE_LABEL, IN_USE_VALUE, Reservation};

/// The label of Secrets in use, and reservations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMarks {
    label: bool,
    reservations: Vec<Reservation>,
    has_labels: bool,
    has_annotations: bool,
}

impl SecretMarks {
    /// Puts these on a Secret with this metadata; `None` when there are none.
    pub fn put_back(metadata: &ObjectMeta, label: bool, reservations: Vec<Reservation>) -> Option<Self> {
        (label || !reservations.is_empty()).then(|| Self {
            label,
            reservations,
            has_labels: metadata.labels.is_some(),
            has_annotations: metadata.annotations.is_some(),
        })
    }

    /// What is put there, for logs.
    pub fn summary(&self) -> String {
        let label = self.label.then(|| IN_USE_LABEL.to_owned());
        let annotations = self.reservations.iter().map(Reservation::annotation);
        label.into_iter().chain(annotations).collect::<Vec<_>>().join(",")
    }
}

impl Serialize for SecretMarks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let label = self.label.then(|| (IN_USE_LABEL.to_owned(), IN_USE_VALUE.to_owned()));
        let annotations = self.reservations.iter().map(|one| (one.annotation(), one.value())).collect();
        let operations: Vec<PatchOperation> = [
            added("labels", self.has_labels, label.into_iter().collect()),
            added("annotations", self.has_annotations, annotations),
        ]
        .concat();
        operations.serialize(serializer)
    }
}

/// Adding to a map that is not there fails, and adding the map would replace one that is.
fn added(map: &'static str, is_there: bool, entries: Vec<(String, String)>) -> Vec<PatchOperation> {
    let add = |path: &[&str], value| {
        let path = PointerBuf::from_tokens(path.iter().map(|name| Token::new(*name)));
        PatchOperation::Add(AddOperation { path, value })
    };
    if entries.is_empty() {
        Vec::new()
    } else if is_there {
        entries.into_iter().map(|(name, value)| add(&["metadata", map, &name], value.into())).collect()
    } else {
        let all: Map<String, Value> = entries.into_iter().map(|(name, value)| (name, value.into())).collect();
        vec![add(&["metadata", map], all.into())]
    }
}
