//! The objects of files.

use std::path::PathBuf;

use serde_json::value::to_raw_value;

use crate::check::objects::{Content, each};
use crate::configuration::Configuration;
use crate::knowledge::References;
use crate::model::reference::Pointers;

/// Reads what points to Secrets; whatever else is there is passed over, and what cannot be read is complained of.
pub(super) fn read(
    state: &[PathBuf],
    namespace: &str,
    configuration: &Configuration,
    complain: &mut dyn FnMut(String),
) -> References {
    let mut references = References::default();
    each(state, |object| match object {
        Ok(object) => {
            if let Content::Object(object) = object.content
                && let Some(referrer) = object.referrer(namespace, configuration)
                && let Ok(raw) = to_raw_value(&object.value)
            {
                let pointers = Pointers::of(&referrer, &raw);
                references.apply(referrer, pointers);
            }
        }
        Err(problem) => complain(problem.to_string()),
    });
    references
}
