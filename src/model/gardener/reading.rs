//! Configurations read as plain JSON.
//!
//! Upstream decodes them strictly, and refuses what it does not know. Here an unknown field is not read, and what has a type
//! that upstream could not decode is [`Undecodable`]: its own webhook refuses that, and a Shoot that has it already must not
//! be kept from being mended.

use crate::model::json::{Fields, Json, Type};

/// How many items of a list are read. Nobody has as many caches, mirrors or hosts; but a request has room for a million, and
/// each could be an error.
pub(super) const MOST_ITEMS: usize = 100;

/// A value of a type that upstream could not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecodable;

/// The fields of an object; of what is `null` there are none.
pub(super) struct Object<'a>(Fields<'a>);

impl<'a> Object<'a> {
    /// Reads an object.
    pub(super) fn read(json: Json<'a>) -> Result<Self, Undecodable> {
        match json.json_type() {
            Type::Object | Type::Null => Ok(Self(json.fields())),
            _ => Err(Undecodable),
        }
    }

    /// A field that is not `null`.
    pub(super) fn field(&self, name: &str) -> Option<Json<'a>> {
        self.0.get(name).filter(|value| value.json_type() != Type::Null)
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Undecodable> {
        self.field(name).map(|value| value.text().map(|text| text.to_string()).ok_or(Undecodable)).transpose()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Undecodable> {
        self.field(name)
            .map(|value| match value.json_type() {
                Type::Boolean => Ok(value.raw() == "true"),
                _ => Err(Undecodable),
            })
            .transpose()
    }

    /// An object in it.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Undecodable> {
        self.field(name).map(Self::read).transpose()
    }

    /// The first items of a list; none of a list that is not there.
    pub(super) fn items(&self, name: &str) -> Result<Vec<Json<'a>>, Undecodable> {
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(list) if list.json_type() == Type::List => {
                Ok(list.items().into_iter().take(MOST_ITEMS).collect())
            }
            Some(_) => Err(Undecodable),
        }
    }

    /// Whether it is of a kind in one of these versions, and in which.
    pub(super) fn version_of(&self, group: &str, kind: &str) -> Option<String> {
        let text = |name| self.text(name).ok().flatten();
        let api_version = text("apiVersion")?;
        let (its_group, version) = api_version.split_once('/')?;
        (its_group == group && text("kind")? == kind).then(|| version.to_owned())
    }
}
