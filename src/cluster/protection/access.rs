//! What others may do.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::call;
use crate::cluster::error::told;
use crate::model::ObjectKey;
use crate::model::protection::{BYPASS_GROUP, BYPASS_RESOURCE, BYPASS_VERB, Bypass};
use crate::review::Requester;

/// Whether somebody may let a Secret go although it is in use.
pub(super) async fn bypass(client: &Client, requester: &Requester, secret: &ObjectKey) -> Bypass {
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let (parameters, review) = (PostParams::default(), review(requester, secret));
    let why_not = match tokio::time::timeout(call::ONE_OBJECT, api.create(&parameters, &review)).await {
        Ok(Ok(answer)) => {
            let is_allowed =
                answer.status.is_some_and(|status| status.allowed && status.denied != Some(true));
            return if is_allowed { Bypass::Allowed } else { Bypass::Denied };
        }
        Ok(Err(error)) => told(&error).to_owned(),
        Err(_) => call::LATE.to_owned(),
    };
    tracing::warn!(user = requester.username, secret = %secret, error = why_not, "could not ask who may let a Secret in use go");
    Bypass::Unknown(why_not.into())
}

fn review(requester: &Requester, secret: &ObjectKey) -> SubjectAccessReview {
    let attributes = ResourceAttributes {
        verb: Some(BYPASS_VERB.to_owned()),
        group: Some(BYPASS_GROUP.to_owned()),
        resource: Some(BYPASS_RESOURCE.to_owned()),
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
