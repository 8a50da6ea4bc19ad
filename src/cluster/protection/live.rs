//! What points to a Secret, or is about to, as the API server has it now.

use std::sync::Arc;

use kube::api::{DynamicObject, GetParams};
use kube::core::{ApiResource, Request};
use kube::{Client, Resource};
use serde_json::value::RawValue;

use super::call;
use super::kinds::{Kinds, Trust};
use crate::cluster::brief;
use crate::model::json::Json;
use crate::model::protection::LiveReferrer;
use crate::model::reference::{Pointers, Referrer};

/// A referrer as it is.
pub(super) async fn read(client: &Client, kinds: &Kinds, referrer: &Referrer) -> LiveReferrer {
    // It stands in an annotation of a Secret, where people can write what they like; no path is made of that.
    if !referrer.key.can_exist() {
        return LiveReferrer::Absent;
    }
    match tokio::time::timeout(call::ONE_OBJECT, look(client, kinds, referrer)).await {
        Ok(Ok(live)) => live,
        Ok(Err(error)) => LiveReferrer::Unknown(brief(&error).into()),
        Err(_) => LiveReferrer::Unknown(call::LATE.into()),
    }
}

async fn look(client: &Client, kinds: &Kinds, referrer: &Referrer) -> Result<LiveReferrer, kube::Error> {
    let Some(resource) = kinds.find(&referrer.kind, Trust::Fresh).await? else {
        return Ok(LiveReferrer::Absent);
    };
    match get(client, &resource, referrer).await {
        // Not the object but its kind is not there, in this version at least.
        Err(error) if call::code(&error) == Some(call::NOT_FOUND) && !call::is_absent_object(&error) => {
            kinds.forget(&referrer.kind);
            let Some(resource) = kinds.find(&referrer.kind, Trust::Fresh).await? else {
                return Ok(LiveReferrer::Absent);
            };
            get(client, &resource, referrer).await
        }
        answer => answer,
    }
}

async fn get(
    client: &Client,
    resource: &ApiResource,
    referrer: &Referrer,
) -> Result<LiveReferrer, kube::Error> {
    let url = DynamicObject::url_path(resource, Some(&referrer.key.namespace));
    let request = Request::new(url).get(&referrer.key.name, &GetParams::default());
    match call::text(client, request.map_err(kube::Error::BuildRequest)).await {
        Ok(text) => found(&text, referrer),
        Err(error) if call::is_absent_object(&error) => Ok(LiveReferrer::Absent),
        Err(error) => Err(error),
    }
}

fn found(text: &str, referrer: &Referrer) -> Result<LiveReferrer, kube::Error> {
    let object: &RawValue = serde_json::from_str(text).map_err(kube::Error::SerdeError)?;
    let metadata = Json::from(object).field("metadata").map(Json::fields).unwrap_or_default();
    let text = |field| metadata.get(field).and_then(Json::text).map(|text| Arc::from(&*text));
    Ok(match (text("uid"), text("resourceVersion")) {
        (Some(uid), Some(resource_version)) => {
            LiveReferrer::Found { uid, resource_version, pointers: Pointers::of(referrer, object) }
        }
        _ => LiveReferrer::Unknown("the API server's answer is no object".into()),
    })
}
