//! One page of a list, of which only what points to Secrets is kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lists::Uses;
use crate::model::ObjectKey;
use crate::model::json::Json;
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    /// Where the next page begins.
    #[serde(borrow, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Items<'a> {
    /// Go writes null for none; what lacks them is no list.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    items: Option<Vec<&'a RawValue>>,
}

/// Where the page after this one begins, if there is one.
pub(super) fn token(text: &str) -> Result<Option<String>, serde_json::Error> {
    let page: Page<'_> = serde_json::from_str(text)?;
    Ok(page.metadata.next.filter(|token| !token.is_empty()).map(Cow::into_owned))
}

/// Puts what stands in a page into `uses`.
pub(super) fn read(text: &str, kind: &ReferrerKind, uses: &mut Uses) -> Result<(), serde_json::Error> {
    let Items { items } = serde_json::from_str(text)?;
    for object in items.into_iter().flatten() {
        let metadata = Json::from(object).field("metadata").map(Json::fields).unwrap_or_default();
        let text = |field| metadata.get(field).and_then(Json::text);
        let (Some(namespace), Some(name)) = (text("namespace"), text("name")) else {
            return Err(serde::de::Error::custom("an object without a name"));
        };
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
