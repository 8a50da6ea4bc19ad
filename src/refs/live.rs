//! The objects of a cluster, with the rights of whoever asks.

use std::collections::BTreeSet;

use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::ApiGroup;
use kube::{Api, Client, ResourceExt, discovery};
use serde_json::value::to_raw_value;

use super::Arguments;
use crate::cluster::kubeconfig::{self, ReadError};
use crate::configuration::Configuration;
use crate::knowledge::References;
use crate::model::ObjectKey;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};

/// How many objects come in one page of a list: a Shoot has some 6 KiB.
const PER_PAGE: u32 = 500;

/// Reads what may point to the Secret, and says which one that is.
pub(super) async fn read(
    arguments: &Arguments,
    configuration: &Configuration,
) -> Result<(ObjectKey, References), ReadError> {
    let (client, default_namespace) = kubeconfig::client(arguments.cluster.context.as_deref()).await?;
    let secret = arguments.name.within(arguments.namespace.as_deref().unwrap_or(&default_namespace));
    let mut references = References::default();
    let (of_all_namespaces, others): (Vec<ReferrerKind>, Vec<_>) =
        configuration.referrer_kinds().partition(ReferrerKind::crosses_namespaces);
    for kind in of_all_namespaces {
        if let Some(resource) = resource(&client, &kind).await? {
            list(&Api::all_with(client.clone(), &resource), &kind, &mut references).await?;
        }
    }
    // The Shoots that use a binding are in its namespace.
    let is_binding = |kind: &ReferrerKind| matches!(kind, ReferrerKind::Binding(_));
    let bindings = references.of(&secret).into_iter().filter(|one| is_binding(&one.referrer.kind));
    let of_bindings = bindings.map(|one| one.referrer.key.namespace.to_string());
    let namespaces: BTreeSet<String> = of_bindings.chain([secret.namespace.to_string()]).collect();
    for kind in others {
        if let Some(resource) = resource(&client, &kind).await? {
            for namespace in &namespaces {
                let api = Api::namespaced_with(client.clone(), namespace, &resource);
                list(&api, &kind, &mut references).await?;
            }
        }
    }
    Ok((secret, references))
}

/// How the cluster serves a kind; `None` if it does not know it.
async fn resource(client: &Client, kind: &ReferrerKind) -> Result<Option<ApiResource>, ReadError> {
    match discovery::group(client, kind.group()).await {
        Ok(group) => Ok(newest(&group, kind)),
        Err(error) if is_unknown(&error) => Ok(None),
        Err(error) => {
            Err(ReadError::of(&format!("find out which kinds of {} there are", kind.group()), &error))
        }
    }
}

/// A kind as the first of the versions serves it that do, if any will do: the one that a group prefers need not have all its kinds.
fn newest(group: &ApiGroup, kind: &ReferrerKind) -> Option<ApiResource> {
    let mut versions =
        group.versions().filter(|version| kind.version().is_none_or(|wanted| wanted == *version));
    versions.find_map(|version| {
        let resources = group.versioned_resources(version).into_iter();
        resources.map(|(resource, _)| resource).find(|resource| resource.plural == kind.resource())
    })
}

/// A group that is not there is one that does not answer to its name.
fn is_unknown(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 404,
        kube::Error::Discovery(discovery) => {
            matches!(discovery, kube::error::DiscoveryError::MissingApiGroup(_))
        }
        _ => false,
    }
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
