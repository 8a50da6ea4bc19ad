//! The objects of a cluster, with the rights of whoever asks.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt};
use serde_json::value::to_raw_value;

use super::{Arguments, Labels};
use crate::cluster::kubeconfig::{self, ReadError};
use crate::cluster::protection::{Kinds, Trust};
use crate::configuration::Configuration;
use crate::knowledge::References;
use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};

/// How many objects come in one page of a list: a Shoot has some 6 KiB.
const PER_PAGE: u32 = 500;

/// Reads what may point to the Secret, and its labels where something selects Secrets by theirs; and says which one it is.
pub(super) async fn read(
    arguments: &Arguments,
    configuration: &Configuration,
    complain: &mut dyn FnMut(String),
) -> Result<(ObjectKey, References, Labels), ReadError> {
    let (client, default_namespace) = kubeconfig::client(arguments.cluster.context.as_deref()).await?;
    let secret = arguments.name.within(arguments.namespace.as_deref().unwrap_or(&default_namespace));
    let (mut references, kinds) = (References::default(), Kinds::new(client.clone()));
    let (selecting, naming): (Vec<ReferrerKind>, Vec<_>) =
        configuration.referrer_kinds().partition(ReferrerKind::selects);
    let (of_all_namespaces, others): (Vec<ReferrerKind>, Vec<_>) =
        naming.into_iter().partition(ReferrerKind::crosses_namespaces);
    for kind in of_all_namespaces {
        if let Some(resource) = resource(&kinds, &kind).await? {
            list(&Api::all_with(client.clone(), &resource), &kind, &mut references).await?;
        }
    }
    // The Shoots that use a binding are in its namespace.
    let is_binding = |kind: &ReferrerKind| matches!(kind, ReferrerKind::Binding(_));
    let bindings = references.of(&secret).into_iter().filter(|one| is_binding(&one.referrer.kind));
    let of_bindings = bindings.map(|one| one.referrer.key.namespace.to_string());
    let namespaces: BTreeSet<String> = of_bindings.chain([secret.namespace.to_string()]).collect();
    for kind in others {
        if let Some(resource) = resource(&kinds, &kind).await? {
            for namespace in &namespaces {
                let api = Api::namespaced_with(client.clone(), namespace, &resource);
                list(&api, &kind, &mut references).await?;
            }
        }
    }
    let labels = selected_by((&client, &kinds), &selecting, &secret, &mut references, complain).await;
    Ok((secret, references, labels))
}

/// Reads what selects Secrets, and the labels of one; neither where that can find nothing. What names the Secret is certain without
/// them, so what cannot be read is complained of.
async fn selected_by(
    (client, kinds): (&Client, &Kinds),
    selecting: &[ReferrerKind],
    secret: &ObjectKey,
    references: &mut References,
    complain: &mut dyn FnMut(String),
) -> Labels {
    let mut served = Vec::new();
    for kind in selecting {
        match resource(kinds, kind).await {
            Ok(resource) => served.extend(resource.map(|resource| (kind, resource))),
            Err(error) => complain(error.to_string()),
        }
    }
    if served.is_empty() {
        return Labels::new();
    }
    let labels = labels_of(client, secret).await.unwrap_or_else(|error| {
        complain(error.to_string());
        Labels::new()
    });
    for (kind, resource) in served.iter().filter(|_| !labels.is_empty()) {
        if let Err(error) = list(&Api::all_with(client.clone(), resource), kind, references).await {
            complain(error.to_string());
        }
    }
    labels
}

/// None of a Secret that is not there.
async fn labels_of(client: &Client, secret: &ObjectKey) -> Result<Labels, ReadError> {
    let api = Api::<Secret>::namespaced(client.clone(), &secret.namespace);
    let found = api.get_metadata_opt(&secret.name).await;
    let found = found.map_err(|error| ReadError::of(&format!("get Secret {secret}"), &error))?;
    Ok(found.and_then(|found| found.metadata.labels).unwrap_or_default())
}

/// How the cluster serves a kind; `None` if it does not know it.
async fn resource(kinds: &Kinds, kind: &ReferrerKind) -> Result<Option<ApiResource>, ReadError> {
    let found = kinds.find(kind, Trust::Fresh).await;
    found.map_err(|error| {
        ReadError::of(&format!("find out if there are {} of {}", kind.resource(), kind.group()), &error)
    })
}

async fn list(
    api: &Api<DynamicObject>,
    kind: &ReferrerKind,
    references: &mut References,
) -> Result<(), ReadError> {
    let mut page = ListParams::default().limit(PER_PAGE);
    loop {
        let listed =
            api.list(&page).await.map_err(|error| ReadError::of(&format!("list {kind}s"), &error))?;
        for object in &listed.items {
            let key = ObjectKey::new(&object.namespace().unwrap_or_default(), &object.name_any());
            let referrer = Referrer { kind: kind.clone(), key };
            let what = || format!("read {referrer}");
            let raw = to_raw_value(object)
                .map_err(|error| ReadError::Api { what: what(), reason: error.to_string() })?;
            let pointers = Pointers::of(&referrer, &raw);
            references.apply(referrer, pointers);
        }
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}
