//! Objects, from the arguments that name them.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::documents::{Body, Document, documents};
use super::problem::{Place, Problem, Reason};
use super::read::{Input, inputs};
use crate::configuration::Configuration;
use crate::model::ObjectKey;
use crate::model::reference::Referrer;

/// One object of an input.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What an object is.
#[derive(Debug)]
pub(crate) enum Content {
    /// An object of the API, with a kind.
    Object(ApiObject),
    /// A recorded `AdmissionReview`, as JSON.
    Review(String),
}

/// An object of the API.
#[derive(Debug)]
pub(crate) struct ApiObject {
    /// API group; empty for the core group.
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) value: Value,
}

/// What tells an object from others.
pub(crate) type Identity = (String, String, String, String);

impl ApiObject {
    /// `None` for a value without kind or version.
    pub(crate) fn new(value: Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (api_version, kind) = (text("apiVersion")?, text("kind")?.to_owned());
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Some(Self { group: group.to_owned(), version: version.to_owned(), kind, value })
    }

    /// A text of its metadata; empty when absent.
    pub(crate) fn metadata(&self, field: &str) -> &str {
        let metadata = self.value.get("metadata");
        metadata.and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Group, kind, namespace and name. Whether a kind has namespaces is not known offline, so that of an object
    /// which names none is taken for `namespace`, on both sides of a comparison.
    pub(crate) fn identity(&self, namespace: &str) -> Identity {
        let own = self.metadata("namespace");
        let namespace = if own.is_empty() { namespace } else { own };
        (self.group.clone(), self.kind.clone(), namespace.to_owned(), self.metadata("name").to_owned())
    }

    /// The object as one that may point to Secrets, by its kind or because of how that is configured.
    pub(crate) fn referrer(&self, namespace: &str, configuration: &Configuration) -> Option<Referrer> {
        let kind = configuration.referrer_kinds().find(|kind| self.is(kind.group(), &kind.to_string()))?;
        let (_, _, namespace, name) = self.identity(namespace);
        Some(Referrer { kind, key: ObjectKey::new(&namespace, &name) })
    }

    /// Its kind and name, for sentences.
    pub(crate) fn description(&self) -> String {
        let (namespace, name) = (self.metadata("namespace"), self.metadata("name"));
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{} {namespace}{slash}{name}", self.kind)
    }
}

/// Calls `take` for each object of the inputs, in their order, and for each problem with one.
pub(crate) fn each(arguments: &[PathBuf], mut take: impl FnMut(Result<Object, Problem>)) {
    for argument in arguments {
        let mut is_empty = true;
        let mut last_name = Arc::from(super::report::visible(&argument.to_string_lossy()));
        for input in inputs(argument) {
            let read = input.and_then(|input| {
                last_name = Arc::clone(&input.name);
                read(&input)
            });
            match read {
                Ok(documents) => {
                    for document in documents {
                        is_empty = false;
                        match document {
                            Ok(document) => expand(document, &mut take),
                            Err(problem) => take(Err(problem)),
                        }
                    }
                }
                Err(problem) => {
                    is_empty = false;
                    take(Err(problem));
                }
            }
        }
        // What is meant to be judged and is not there must not count as judged: `make-manifests | regcred check -f -`.
        if is_empty {
            take(Err(Reason::NoObject.with(&last_name)));
        }
    }
}

fn read(input: &Input) -> Result<Vec<Result<Document, Problem>>, Problem> {
    Ok(documents(&input.name, &input.text()?, input.is_json()))
}

/// Takes lists apart, also those of one kind; their items may leave out what the list says.
fn expand(document: Document, take: &mut impl FnMut(Result<Object, Problem>)) {
    let place = document.place;
    let value = match document.body {
        Body::Review(review) => return take(Ok(Object { place, content: Content::Review(review) })),
        Body::Value(value) => value,
    };
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        let content = match ApiObject::new(value) {
            Some(mut list) if list.kind.ends_with("List") && list.value.get("items").is_some_and(is_list) => {
                let api_version = list.value.get("apiVersion").cloned().unwrap_or_default();
                let kind = list.kind.strip_suffix("List").unwrap_or_default();
                if let Some(Value::Array(items)) = list.value.get_mut("items").map(Value::take) {
                    waiting.extend(items.into_iter().rev().map(|item| complete(item, &api_version, kind)));
                }
                continue;
            }
            Some(object) if super::documents::is_review(&object.value) => {
                Content::Review(object.value.to_string())
            }
            Some(object) => Content::Object(object),
            None => {
                take(Err(Problem { place: place.clone(), reason: Reason::NotAnObject }));
                continue;
            }
        };
        take(Ok(Object { place: place.clone(), content }));
    }
}

/// `items: null` is how an API server may write an empty list.
fn is_list(items: &Value) -> bool {
    items.is_array() || items.is_null()
}

fn complete(mut item: Value, api_version: &Value, kind: &str) -> Value {
    if let Value::Object(fields) = &mut item
        && !kind.is_empty()
        && !fields.contains_key("kind")
    {
        fields.insert("kind".to_owned(), kind.into());
        fields.entry("apiVersion").or_insert_with(|| api_version.clone());
    }
    item
}
