//! Secrets that something points to, or is about to.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde_json::json;

use super::call;
use crate::cluster::{FIELD_MANAGER, brief};
use crate::model::ObjectKey;
use crate::model::protection::{IN_USE_LABEL, IN_USE_VALUE, Reservation, SecretAnswer, WholeSecret};
use crate::model::pruned::Pruned;

/// The longest that leaving a reservation takes, of the 10 s that a review has. Many objects may come to point to one Secret at the
/// same time, and the API server takes up their patches one after the other.
const RESERVING: Duration = Duration::from_secs(8);
/// How often a reservation is left on a Secret that is another one each time.
const ATTEMPTS: u32 = 3;
/// What the API server answers to a patch with the uid of another object (422; 409 where it is taken for a precondition).
const OF_ANOTHER: [u16; 2] = [CONFLICT, 422];
/// The object was changed meanwhile, again and again.
const CONFLICT: u16 = 409;

/// A Secret as it is.
pub(super) async fn read(client: &Client, key: &ObjectKey) -> SecretAnswer {
    let request = of(key).get(&key.name, &GetParams::default()).map_err(kube::Error::BuildRequest);
    match tokio::time::timeout(call::ONE_OBJECT, call::text(client, request)).await {
        Ok(answer) => answered(answer.and_then(|text| whole(&text))),
        Err(_) => SecretAnswer::Unknown(call::LATE.into()),
    }
}

/// Leaves a reservation and the label, in one write. Without a resource version: what others change meanwhile is no obstacle. With
/// the uid, so that it lands on the Secret that is told of. A patch never creates one.
pub(super) async fn reserve(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    reservation: &Reservation,
) -> SecretAnswer {
    let left = tokio::time::timeout(RESERVING, keep_reserving(client, key, uid, reservation)).await;
    left.unwrap_or_else(|_| SecretAnswer::Unknown(call::LATE.into()))
}

async fn keep_reserving(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    reservation: &Reservation,
) -> SecretAnswer {
    let (mut uid, mut others) = (uid.to_owned(), 0);
    loop {
        let error = match patch(client, key, &uid, reservation).await {
            Err(error) if call::code(&error).is_some_and(|code| OF_ANOTHER.contains(&code)) => error,
            patched => return answered(patched),
        };
        match read(client, key).await {
            SecretAnswer::Found(secret) if secret.uid() != uid => {
                secret.uid().clone_into(&mut uid);
                others += 1;
                if others >= ATTEMPTS {
                    return SecretAnswer::Unknown("it is created anew again and again".into());
                }
            }
            // So many others patch it that the API server has given up: once more.
            SecretAnswer::Found(_) if call::code(&error) == Some(CONFLICT) => {}
            SecretAnswer::Found(_) => return SecretAnswer::Unknown(brief(&error).into()),
            answer => return answer,
        }
    }
}

async fn patch(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    reservation: &Reservation,
) -> Result<WholeSecret, kube::Error> {
    let patch = Patch::Merge(json!({"metadata": {
        "uid": uid,
        "labels": {IN_USE_LABEL: IN_USE_VALUE},
        "annotations": {reservation.annotation(): reservation.value()},
    }}));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let request = of(key).patch(&key.name, &parameters, &patch).map_err(kube::Error::BuildRequest);
    whole(&call::text(client, request).await?)
}

fn of(key: &ObjectKey) -> Request {
    Request::new(Secret::url_path(&(), Some(&key.namespace)))
}

fn whole(text: &str) -> Result<WholeSecret, kube::Error> {
    let Pruned(secret) = serde_json::from_str::<Pruned<Secret>>(text).map_err(kube::Error::SerdeError)?;
    Ok(WholeSecret::from(secret))
}

fn answered(answer: Result<WholeSecret, kube::Error>) -> SecretAnswer {
    match answer {
        Ok(secret) => SecretAnswer::Found(secret),
        Err(error) if call::code(&error) == Some(call::NOT_FOUND) => SecretAnswer::Absent,
        Err(error) => SecretAnswer::Unknown(brief(&error).into()),
    }
}
