//! A password that is the JSON of a Google service account (`validateServiceAccountJSON`).

use std::collections::BTreeSet;

use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::model::gardener::go_quote::{push_escaped, quote};
use crate::model::json::{Json, Type};

/// The fields that a service account has.
const FIELDS: [&str; 11] = [
    "type",
    "project_id",
    "client_email",
    "universe_domain",
    "auth_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
    "client_id",
    "private_key_id",
    "private_key",
    "token_uri",
];

/// How many forbidden fields are named. The other JSON that is put there by mistake, a Docker configuration, has three.
const MOST_NAMES: usize = 10;
/// How much of a name is shown, in characters. Names that mean something are shorter.
const LONGEST_NAME: usize = 64;

/// What is wrong with a password of the Secret that is called `key`, in quotes.
///
/// Where Go's decoder would show what it has read, only the place is told; of the content itself nothing is ever shown but
/// names of fields and control characters.
pub(super) fn faults(password: &[u8], key: &str) -> Vec<String> {
    let unreadable = |reason: &str| {
        let of_secret = format!("from the password data entry in the referenced secret {key}");
        format!("failed to unmarshal ServiceAccount json {of_secret}: {reason}")
    };
    // Go replaces what is no Unicode text within strings. Elsewhere it is no JSON in either form.
    let text = String::from_utf8_lossy(password);
    let json = match serde_json::from_str::<&RawValue>(&text) {
        Ok(json) => Json::from(json),
        Err(error) => return vec![unreadable(&reason(&error, &text))],
    };
    match json.json_type() {
        Type::Object => {}
        Type::Null => return Vec::new(), // Go makes nothing of it, and reports nothing.
        other => return vec![unreadable(&wrong_type(other, "map[string]string"))],
    }
    let fields = json.fields();
    if fields.is_empty() && !is_empty_object(json) {
        return vec![unreadable("the name of a field is no Unicode text")];
    }
    let mut faults = Vec::new();
    let types = fields.iter().map(|(_, value)| value.json_type());
    if let Some(first) = types.into_iter().find(|found| !matches!(found, Type::String | Type::Null)) {
        faults.push(unreadable(&wrong_type(first, "string")));
    }
    let names: BTreeSet<&str> = fields.iter().map(|(name, _)| &**name).collect();
    let forbidden = names.into_iter().filter(|name| !FIELDS.contains(name)).take(MOST_NAMES);
    faults.extend(forbidden.map(|name| {
        let name = quote(&shortened(name));
        format!("forbidden ServiceAccount field {name} present in the password data entry in the referenced secret {key}")
    }));
    faults
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}...", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn is_empty_object(json: Json<'_>) -> bool {
    json.raw().bytes().all(|byte| byte.is_ascii_whitespace() || b"{}".contains(&byte))
}

/// Go's words for a value of another type.
fn wrong_type(found: Type, expected: &str) -> String {
    let found = match found {
        Type::List => "array",
        Type::Object => "object",
        Type::String => "string",
        Type::Boolean => "bool",
        Type::Number | Type::Null => "number",
    };
    format!("json: cannot unmarshal {found} into Go value of type {expected}")
}

/// Why a text is no JSON: in Go's words where they show nothing of it, otherwise where it ends to be JSON.
fn reason(error: &serde_json::Error, text: &str) -> String {
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    // The most frequent one: `\n` in a private key that a shell has turned into line breaks.
    if error.to_string().starts_with("control character")
        && let Some(character) = control_character_in_string(text)
    {
        let mut shown = String::new();
        push_escaped(&mut shown, character);
        return format!("invalid character '{shown}' in string literal");
    }
    format!("a syntax error at line {}, column {}", error.line(), error.column())
}

/// The first control character in a string of what is JSON up to there.
fn control_character_in_string(text: &str) -> Option<char> {
    let (mut is_string, mut is_escaped) = (false, false);
    text.chars().find(|character| {
        let was_escaped = is_escaped;
        is_escaped = is_string && !was_escaped && *character == '\\';
        if *character == '"' && !was_escaped {
            is_string = !is_string;
        }
        is_string && character.is_ascii_control()
    })
}
