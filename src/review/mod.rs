//! `AdmissionReview` (`admission.k8s.io/v1`), read borrowed and written by hand.
//!
//! Own types, because an answer must carry the request's uid whatever the object holds, and because a patch is
//! base64 text.

mod request;
mod response;

pub use request::{
    GroupVersionKind, GroupVersionResource, Request, Requester, ReviewError, UserInfo, decode,
};
pub use response::encode;
