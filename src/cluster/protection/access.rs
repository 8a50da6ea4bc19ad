//! What others may do.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::call;
use crate::cluster::error::told;
use crate::model::ObjectKey;
use crate::review::Requester;

/// What somebody must be allowed to do who lets a Secret go although it is in use. There are no such objects: it is a right alone.
const VERB: &str = "bypass";
const GROUP: &str = "regcred.dev";
const RESOURCE: &str = "secretprotections";

/// Whether somebody may let a Secret go although it is in use; not if nobody can say.
pub(super) async fn may_bypass(client: &Client, requester: &Requester, secret: &ObjectKey) -> bool {
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let (parameters, review) = (PostParams::default(), review(requester, secret));
    let why_not = match tokio::time::timeout(call::ONE_OBJECT, api.create(&parameters, &review)).await {
        Ok(Ok(answer)) => {
            return answer.status.is_some_and(|status| status.allowed && status.denied != Some(true));
        }
        Ok(Err(error)) => told(&error).to_owned(),
        Err(_) => call::LATE.to_owned(),
    };
    tracing::warn!(user = requester.username, secret = %secret, error = why_not, "could not ask who may let a Secret in use go");
    false
}

fn review(requester: &Requester, secret: &ObjectKey) -> SubjectAccessReview {
    let attributes = ResourceAttributes {
        verb: Some(VERB.to_owned()),
        group: Some(GROUP.to_owned()),
        resource: Some(RESOURCE.to_owned()),
        namespace: Some(secret.namespace.to_string()),
        name: Some(secret.name.to_string()),
        ..ResourceAttributes::default()
    };
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: text(&requester.username),
            uid: text(&requester.uid),
            groups: Some(requester.groups.clone()),
            extra: Some(requester.extra.clone()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}
