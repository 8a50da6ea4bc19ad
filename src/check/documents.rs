//! The documents of a text, each with the line it begins on.
//!
//! A text is divided at the lines that begin with `---` or `...`, as kubectl does and as YAML guarantees: no scalar can
//! hold such a line. So a document that cannot be read leaves the others readable. A part that begins with a brace is
//! read as JSON, and as YAML only if it is none.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_json::value::RawValue;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

use super::problem::{Place, Problem, Reason};
use super::value::{Allowance, Strict, TOO_MUCH};
use crate::model::Text;

/// How deep a document may nest: as deep as `serde_json` goes.
pub(super) const MAXIMUM_DEPTH: usize = 128;
/// The most events of the YAML parser for one document: a little over two for each value that is allowed.
const MAXIMUM_EVENTS: usize = 5_000_000;

/// The most events that anchors may hold for their aliases. Templates repeat a container or a list of labels; aliases
/// within anchors are counted with what they stand for, so that this is what ends an exponential document early.
const MAXIMUM_ANCHORED_EVENTS: usize = 100_000;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) body: Body,
}

/// What a document holds.
#[derive(Debug)]
pub(super) enum Body {
    /// A value.
    Value(Value),
    /// A recorded `AdmissionReview`, byte for byte, for the server's decoder decides what can be read of it.
    Review(String),
}

/// A part of a text.
struct Part<'a> {
    text: &'a str,
    /// The line in the whole text that its first line is.
    first_line: usize,
    /// What follows markers and comments.
    content: &'a str,
    /// The line in the whole text that its content begins on.
    content_line: usize,
}

/// All documents of a text. Those that are empty, or nothing but comments, are left out.
pub(super) fn documents(file: &Arc<str>, text: &str, is_json: bool) -> Vec<Result<Document, Problem>> {
    let mut documents = Vec::new();
    for part in parts(text) {
        let read = if is_json || part.content.starts_with(['{', '[']) {
            let from_json = json(&part);
            // In YAML braces may stand around what is no JSON.
            let is_other = !is_json && matches!(from_json.as_slice(), [Err((error, _))] if error.is_syntax());
            if is_other { vec![yaml(file, &part)] } else { located(file, from_json) }
        } else {
            vec![yaml(file, &part)]
        };
        documents.extend(
            read.into_iter()
                .filter(|document| !matches!(document, Ok(Document { body: Body::Value(Value::Null), .. }))),
        );
    }
    documents
}

/// Divides a text; parts without content are left out.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut part = Begun { begin: 0, first_line: 1, content: None };
    let mut position = 0;
    for (line_number, line) in (1..).zip(text.split_inclusive('\n')) {
        if position > part.begin && is_marker(line, "---") {
            parts.extend(part.end(text, position));
            part = Begun { begin: position, first_line: line_number, content: None };
        }
        if part.content.is_none()
            && let Some(offset) = content(line)
        {
            part.content = Some((position + offset, line_number));
        }
        position += line.len();
        if is_marker(line, "...") {
            parts.extend(part.end(text, position));
            part = Begun { begin: position, first_line: line_number + 1, content: None };
        }
    }
    parts.extend(part.end(text, position));
    parts
}

/// A part whose end has not been found yet.
struct Begun {
    begin: usize,
    first_line: usize,
    /// Where its content begins, and on which line.
    content: Option<(usize, usize)>,
}

impl Begun {
    fn end(self, text: &str, end: usize) -> Option<Part<'_>> {
        let (content, content_line) = self.content?;
        let (content, text) = (text.get(content..end)?, text.get(self.begin..end)?);
        Some(Part { text, first_line: self.first_line, content, content_line })
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Where a line has more than a marker, a comment or a directive.
fn content(line: &str) -> Option<usize> {
    if line.starts_with('%') || is_marker(line, "...") {
        return None;
    }
    let rest = if is_marker(line, "---") { line.get(3..)? } else { line };
    let rest = rest.trim_start();
    (!rest.is_empty() && !rest.starts_with('#')).then_some(line.len() - rest.len())
}

/// Reads YAML as kubectl does: `yes` is true and `0755` is octal, for its parser speaks YAML 1.1.
fn yaml(file: &Arc<str>, part: &Part<'_>) -> Result<Document, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MAXIMUM_EVENTS,
            max_nodes: MAXIMUM_EVENTS,
            max_depth: MAXIMUM_DEPTH,
            max_recorded_anchor_events: MAXIMUM_ANCHORED_EVENTS,
            // What aliases expand to is bounded by the allowance, whatever their number.
            enforce_alias_anchor_ratio: false,
        },
        legacy_octal_numbers: true,
        // A snippet would show the text, which may be a Secret's.
        with_snippet: false,
    };
    // The error itself does not always tell, for one within an alias is wrapped.
    let is_too_much = Rc::new(Cell::new(false));
    let noted = Rc::clone(&is_too_much);
    let options = options.with_budget_report(move |report| noted.set(report.breached.is_some()));
    let allowance = Allowance::new();
    let read = serde_saphyr::with_deserializer_from_str_with_options(part.text, options, |deserializer| {
        Strict(&allowance).deserialize(deserializer)
    });
    let place = |line| Place { file: Arc::clone(file), line: Some(line) };
    match read {
        Ok(value) => {
            let body = if is_review(&value) { Body::Review(value.to_string()) } else { Body::Value(value) };
            Ok(Document { place: place(part.content_line), body })
        }
        Err(error) => {
            let within = error.location().and_then(|location| usize::try_from(location.line()).ok());
            let line = within.map_or(part.content_line, |line| part.first_line + line.saturating_sub(1));
            // The parser's own words name keys, but quote no value.
            let words = UserMessageFormatter.format_message(error.without_snippet());
            let words = if is_too_much.get() { TOO_MUCH.to_owned() } else { words.into_owned() };
            Err(Problem { place: place(line), reason: Reason::Yaml(words) })
        }
    }
}

/// Whether a value is a review, of whatever version.
pub(super) fn is_review(value: &Value) -> bool {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    is_review_head(text("apiVersion"), text("kind"))
}

fn is_review_head(api_version: &str, kind: &str) -> bool {
    kind == "AdmissionReview" && api_version.starts_with("admission.k8s.io/")
}

/// The fields that tell what an object is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Head<'a> {
    api_version: Text<'a>,
    kind: Text<'a>,
}

/// A JSON value with its first line, or an error with its line.
type Read = Result<(Body, usize), (serde_json::Error, usize)>;

/// Reads JSON values that follow one another. After an error the rest of the part cannot be read.
fn json(part: &Part<'_>) -> Vec<Read> {
    let mut read = Vec::new();
    let mut values = serde_json::Deserializer::from_str(part.content).into_iter::<&RawValue>();
    let (mut counted, mut line) = (0, part.content_line);
    while let Some(value) = values.next() {
        let raw = match value {
            Ok(raw) => raw.get(),
            Err(error) => {
                let line = part.content_line + error.line().saturating_sub(1);
                read.push(Err((error, line)));
                break;
            }
        };
        let begin = values.byte_offset() - raw.len();
        line += part.content.get(counted..begin).unwrap_or_default().matches('\n').count();
        counted = begin;
        let is_review = serde_json::from_str::<Head<'_>>(raw)
            .is_ok_and(|head| is_review_head(&head.api_version, &head.kind));
        read.push(if is_review {
            Ok((Body::Review(raw.to_owned()), line))
        } else {
            strict(raw).map(|value| (Body::Value(value), line)).map_err(|error| {
                let line = line + error.line().saturating_sub(1);
                (error, line)
            })
        });
    }
    read
}

fn strict(raw: &str) -> Result<Value, serde_json::Error> {
    Strict(&Allowance::new()).deserialize(&mut serde_json::Deserializer::from_str(raw))
}

fn located(file: &Arc<str>, read: Vec<Read>) -> Vec<Result<Document, Problem>> {
    let place = |line| Place { file: Arc::clone(file), line: Some(line) };
    let locate = |read: Read| match read {
        Ok((body, line)) => Ok(Document { place: place(line), body }),
        Err((error, line)) => {
            // The line is told already, counted from the begin of the file.
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or_default().to_owned();
            Err(Problem { place: place(line), reason: Reason::Json(message) })
        }
    };
    read.into_iter().map(locate).collect()
}
