//! What is added to a pod.

use serde::ser::{Serialize, SerializeSeq, Serializer};

/// Pull Secrets that are appended to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSecrets {
    /// Whether the pod has the list; appending to an absent or null list fails, adding it anew would replace one.
    list_exists: bool,
    /// Names to append, in this order.
    names: Vec<String>,
}

#[derive(serde::Serialize)]
struct Operation<T> {
    op: &'static str,
    path: &'static str,
    value: T,
}

#[derive(serde::Serialize)]
struct LocalObjectReference<'a> {
    name: &'a str,
}

impl PullSecrets {
    /// Appends `names`; `None` when there is none.
    pub fn append(names: Vec<String>, list_exists: bool) -> Option<Self> {
        (!names.is_empty()).then_some(Self { list_exists, names })
    }

    /// The names that are appended.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl Serialize for PullSecrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let references = self.names.iter().map(|name| LocalObjectReference { name });
        if self.list_exists {
            let mut operations = serializer.serialize_seq(Some(self.names.len()))?;
            for value in references {
                operations.serialize_element(&Operation {
                    op: "add",
                    path: "/spec/imagePullSecrets/-",
                    value,
                })?;
            }
            operations.end()
        } else {
            let value: Vec<_> = references.collect();
            [Operation { op: "add", path: "/spec/imagePullSecrets", value }].serialize(serializer)
        }
    }
}
