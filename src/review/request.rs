//! The request of an `AdmissionReview`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::model::Text;

/// The API version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";

/// What a review asks. The object is left unread until a rule wants it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Request<'a> {
    /// Identifies the review; the answer repeats it.
    pub uid: Text<'a>,
    /// Kind of the object.
    pub kind: GroupVersionKind<'a>,
    /// The resource that is written.
    pub resource: GroupVersionResource<'a>,
    sub_resource: Option<Text<'a>>,
    name: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    /// CREATE, UPDATE, DELETE or CONNECT.
    pub operation: Text<'a>,
    /// Who asks.
    #[serde(default)]
    pub user_info: UserInfo<'a>,
    /// The object as it is to be stored; none on DELETE.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    /// The object as it is stored; none on CREATE.
    #[serde(borrow)]
    pub old_object: Option<&'a RawValue>,
    dry_run: Option<bool>,
}

/// Group, version and kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct GroupVersionKind<'a> {
    /// API group; empty for the core group.
    pub group: Text<'a>,
    /// Version in the group.
    pub version: Text<'a>,
    /// Kind.
    pub kind: Text<'a>,
}

/// Group, version and resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct GroupVersionResource<'a> {
    /// API group; empty for the core group.
    pub group: Text<'a>,
    /// Version in the group.
    pub version: Text<'a>,
    /// Resource, in plural.
    pub resource: Text<'a>,
}

/// The user of a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct UserInfo<'a> {
    username: Option<Text<'a>>,
    uid: Option<Text<'a>>,
    groups: Option<Vec<Text<'a>>>,
    extra: Option<BTreeMap<Text<'a>, Option<Vec<Text<'a>>>>>,
}

/// The user of a request, as the API server is asked what they may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requester {
    /// Name.
    pub username: String,
    /// What tells one of that name from another, where there is such a thing.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// What else the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo<'_> {
    /// The name; empty if there is none.
    pub fn username(&self) -> &str {
        self.username.as_deref().unwrap_or_default()
    }

    /// All of it.
    pub fn requester(&self) -> Requester {
        let owned = |texts: &Option<Vec<Text<'_>>>| texts.iter().flatten().map(ToString::to_string).collect();
        let extra = self.extra.iter().flatten().map(|(key, values)| (key.to_string(), owned(values)));
        Requester {
            username: self.username().to_owned(),
            uid: self.uid.as_deref().unwrap_or_default().to_owned(),
            groups: owned(&self.groups),
            extra: extra.collect(),
        }
    }

    /// Whether this is a kubelet, by name and by group, as the node authorizer requires.
    pub fn is_node(&self) -> bool {
        self.username.as_deref().is_some_and(|name| name.starts_with("system:node:"))
            && self.groups.iter().flatten().any(|group| &**group == "system:nodes")
    }
}

impl<'a> Request<'a> {
    /// The same request as it is asked about once another webhook has changed the object.
    pub fn about<'b>(&self, object: &'b RawValue) -> Request<'b>
    where
        'a: 'b,
    {
        Request { object: Some(object), ..self.clone() }
    }

    /// The same request about other objects.
    pub fn between<'b>(&self, old: Option<&'b RawValue>, object: Option<&'b RawValue>) -> Request<'b>
    where
        'a: 'b,
    {
        Request { object, old_object: old, ..self.clone() }
    }

    /// The namespace; empty for cluster-scoped objects. The object's own may be absent.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The name; empty on a CREATE with `generateName` and in a deletecollection.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The subresource; empty for the resource itself.
    pub fn sub_resource(&self) -> &str {
        self.sub_resource.as_deref().unwrap_or_default()
    }

    /// Whether nothing may be written.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// Why a body is no review that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReviewError {
    /// No JSON at all.
    #[error("the body is not JSON (line {line}, column {column}); send an AdmissionReview of {API_VERSION}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but another object or version.
    #[error(
        "the body is no AdmissionReview of {API_VERSION} with a request; admissionReviewVersions must be [\"v1\"]"
    )]
    NotAReview,
    /// A review whose request cannot be read beyond its uid, which must be answered.
    #[error("the request of the AdmissionReview cannot be read")]
    UnreadableRequest {
        /// The uid to repeat.
        uid: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Review<'a> {
    api_version: Text<'a>,
    kind: Text<'a>,
    request: Request<'a>,
}

/// Reads a review from a body.
///
/// # Errors
/// When the body is no review; with its uid, if that much can be read.
pub fn decode(body: &[u8]) -> Result<Request<'_>, ReviewError> {
    let review: Review<'_> = match serde_json::from_slice(body) {
        Ok(review) => review,
        Err(error) if error.is_data() => return Err(unreadable(body)),
        Err(error) => {
            return Err(ReviewError::NotJson { line: error.line(), column: error.column() });
        }
    };
    if &*review.api_version != API_VERSION || &*review.kind != "AdmissionReview" {
        return Err(ReviewError::NotAReview);
    }
    Ok(review.request)
}

/// The slow path of a review that does not fit its types, such as one with a field twice: looks for the uid
/// alone. Of a repeated field the last one counts, as in Go.
fn unreadable(body: &[u8]) -> ReviewError {
    let Ok(review) = serde_json::from_slice::<serde_json::Value>(body) else {
        return ReviewError::NotAReview;
    };
    let is_review = review.get("apiVersion").is_some_and(|version| version == API_VERSION)
        && review.get("kind").is_some_and(|kind| kind == "AdmissionReview");
    match review.pointer("/request/uid") {
        Some(serde_json::Value::String(uid)) if is_review => {
            ReviewError::UnreadableRequest { uid: uid.clone() }
        }
        _ => ReviewError::NotAReview,
    }
}
