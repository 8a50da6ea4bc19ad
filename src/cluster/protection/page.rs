//! One page of a list, of which only what points to Secrets is kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lists::Uses;
use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    /// Go writes null for none; what lacks them is no list.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    /// Where the next page begins.
    #[serde(borrow, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

/// What tells one object from another. Everything else of it is passed over once.
#[derive(Deserialize)]
struct Head {
    metadata: Key,
}

#[derive(Deserialize)]
struct Key {
    namespace: String,
    name: String,
}

/// Puts what stands in a page into `uses`. Before that, tells where the next page begins, if there is one.
pub(super) fn read(
    text: &str,
    kind: &ReferrerKind,
    uses: &mut Uses,
    tell: impl FnOnce(Option<String>),
) -> Result<(), serde_json::Error> {
    let page: Page<'_> = serde_json::from_str(text)?;
    tell(page.metadata.next.filter(|token| !token.is_empty()).map(Cow::into_owned));
    for object in page.items.into_iter().flatten() {
        let Head { metadata: Key { namespace, name } } = serde_json::from_str(object.get())?;
        let referrer = Referrer { kind: kind.clone(), key: ObjectKey::new(&namespace, &name) };
        let pointers = Pointers::of(&referrer, object);
        let referrer = Arc::new(referrer);
        let mut places: HashMap<ObjectKey, Vec<Reference>> = HashMap::new();
        for reference in pointers.secrets {
            places.entry(reference.secret.clone()).or_default().push(reference);
        }
        for (secret, places) in places {
            uses.entry(secret).or_default().push((Arc::clone(&referrer), places));
        }
    }
    Ok(())
}
