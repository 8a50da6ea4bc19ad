//! Objects as whole values, for expressions that may look anywhere.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::json::{Json, Type};

/// How deep an object is read. Whoever evaluates expressions goes down by recursion.
const DEPTH: usize = 64;

/// An object as a value; what is deeper than [`DEPTH`] is null.
pub(super) fn read(object: &RawValue) -> Value {
    let mut value = match serde_json::from_str(object.get()) {
        Ok(value) => value,
        // The API server takes objects that are deeper than the parser does.
        Err(_) => of(object.into(), DEPTH),
    };
    cut(&mut value, DEPTH);
    value
}

fn of(json: Json<'_>, depth: usize) -> Value {
    match json.json_type() {
        Type::Object | Type::List if depth == 0 => Value::Null,
        Type::Object => {
            let fields = json.fields();
            let fields = fields.iter().map(|(name, field)| (name.to_string(), of(field, depth - 1)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Type::List => Value::Array(json.items().into_iter().map(|item| of(item, depth - 1)).collect()),
        _ => serde_json::from_str(json.raw()).unwrap_or_default(),
    }
}

fn cut(value: &mut Value, depth: usize) {
    match value {
        Value::Object(_) | Value::Array(_) if depth == 0 => *value = Value::Null,
        Value::Object(fields) => fields.values_mut().for_each(|field| cut(field, depth - 1)),
        Value::Array(items) => items.iter_mut().for_each(|item| cut(item, depth - 1)),
        _ => {}
    }
}
