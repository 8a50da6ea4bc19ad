//! JSON paths (RFC 9535), as far as their evaluation costs no more than a few looks at each value of an object.

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

/// The longest path, in bytes.
const LONGEST: usize = 256;
/// How many commas there may be: each multiplies what is found.
const COMMAS: usize = 4;

/// A path.
pub(super) struct Path(JpQuery);

impl Path {
    /// Understands a path, or says what is wrong with it.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let about = |what: &str| format!("the path {text:?} {what}");
        if text.len() > LONGEST {
            return Err(format!("a path has at most {LONGEST} bytes"));
        }
        if !text.starts_with('$') {
            return Err(about("does not begin with $"));
        }
        if costs_too_much(text) {
            return Err(about(&format!(
                "is too much to look for: at most one `..`, one filter without `$` and {COMMAS} commas"
            )));
        }
        parse_json_path(text).map(Self).map_err(|error| {
            let reason = error.to_string();
            // The parser draws the place; its last line has the reason.
            let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("= ").to_owned();
            about(&format!("is no JSONPath of RFC 9535 ({reason})"))
        })
    }

    /// What it leads to, and the place of each as a normalized path.
    pub(super) fn nodes<'a>(&self, value: &'a Value) -> Vec<(&'a Value, String)> {
        let nodes = js_path_process(&self.0, value).unwrap_or_default();
        nodes.into_iter().map(|node| (node.val, node.path)).collect()
    }
}

/// Whether it could take more than a multiple of an object's size. What stands in quotes does not count.
fn costs_too_much(text: &str) -> bool {
    let (mut quote, mut is_escaped, mut before) = (None, false, ' ');
    let (mut descents, mut filters, mut roots, mut commas) = (0, 0, 0, 0);
    for character in text.chars() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if character == '\\' => is_escaped = true,
            Some(end) if character == end => quote = None,
            Some(_) => {}
            None => match character {
                '\'' | '"' => quote = Some(character),
                '.' if before == '.' => descents += 1,
                '?' => filters += 1,
                '$' => roots += 1,
                ',' => commas += 1,
                _ => {}
            },
        }
        before = character;
    }
    descents > 1 || filters > 1 || roots > 1 || commas > COMMAS
}

/// The place of something as people write it: `spec.resources[0]`. What would be misread stays in brackets.
pub(super) fn for_people(at: &str, then: &str) -> String {
    let normalized = format!("{}{}", at.trim_start_matches('$'), then.trim_start_matches('$'));
    let mut text = String::with_capacity(normalized.len());
    let mut rest = normalized.as_str();
    while let Some((name, after)) = rest.strip_prefix("['").and_then(|rest| rest.split_once("']")) {
        let is_plain =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match (is_plain, text.is_empty()) {
            (true, true) => text.push_str(name),
            (true, false) => text.extend([".", name]),
            (false, _) => text.extend(["['", name, "']"]),
        }
        let end = after.find("['").unwrap_or(after.len());
        let (indices, following) = after.split_at(end);
        text.push_str(indices);
        rest = following;
    }
    text.push_str(rest);
    text
}
