//! The objects of files.

use std::path::PathBuf;

use serde_json::value::to_raw_value;

use super::Labels;
use crate::check::objects::{Content, each};
use crate::configuration::Configuration;
use crate::knowledge::References;
use crate::model::ObjectKey;
use crate::model::reference::Pointers;

/// Reads what points to Secrets, and the labels of the one that is asked about; whatever else is there is passed over, and what
/// cannot be read is complained of.
pub(super) fn read(
    state: &[PathBuf],
    (namespace, secret): (&str, &ObjectKey),
    configuration: &Configuration,
    complain: &mut dyn FnMut(String),
) -> (References, Labels) {
    let (mut references, mut labels) = (References::default(), Labels::new());
    each(state, |object| match object {
        Ok(object) => {
            let Content::Object(object) = object.content else { return };
            if let Some(referrer) = object.referrer(namespace, configuration)
                && let Ok(raw) = to_raw_value(&object.value)
            {
                let pointers = Pointers::of(&referrer, &raw);
                references.apply(referrer, pointers);
            }
            let (.., of, name) = object.identity(namespace);
            if object.is("", "Secret") && ObjectKey::new(&of, &name) == *secret {
                let found = object.value.pointer("/metadata/labels").cloned().map(serde_json::from_value);
                labels = found.and_then(Result::ok).unwrap_or_default();
            }
        }
        Err(problem) => complain(problem.to_string()),
    });
    (references, labels)
}
