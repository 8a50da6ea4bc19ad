//! The objects of files.

use std::path::PathBuf;

use serde_json::value::to_raw_value;

use crate::check::objects::{ApiObject, Content, each};
use crate::knowledge::References;
use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};

/// Reads what points to Secrets; whatever else is there is passed over, and what cannot be read is complained of.
pub(super) fn read(state: &[PathBuf], namespace: &str, complain: &mut dyn FnMut(String)) -> References {
    let mut references = References::default();
    each(state, |object| match object {
        Ok(object) => {
            if let Content::Object(object) = object.content
                && let Some(referrer) = referrer(&object, namespace)
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

fn referrer(object: &ApiObject, namespace: &str) -> Option<Referrer> {
    let kind = ReferrerKind::ALL.into_iter().find(|kind| object.is(kind.group(), &kind.to_string()))?;
    let (_, _, namespace, name) = object.identity(namespace);
    Some(Referrer { kind, key: ObjectKey::new(&namespace, &name) })
}
