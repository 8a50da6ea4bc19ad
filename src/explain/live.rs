//! What the cluster itself tells, with the rights of whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};

use super::error::ExplainError;
use super::in_cluster;
use super::source::{Cluster, Subjects, pods};
use crate::api::RegistryCredential;
use crate::check::objects::ApiObject;
use crate::check::problem::{Place, Problem};
use crate::check::state::{AsServed, Objects};
use crate::cluster::brief;
use crate::cluster::kubeconfig::{self, ReadError};
use crate::model::ObjectKey;
use crate::model::copy::Origin;
use crate::model::credential::Credential;
use crate::policy::NamespaceAnswer;

/// How many Secrets are read at once: as many calls as an API server takes from one client without making it wait.
const READS_AT_ONCE: usize = 8;

/// Reads the pods, and of the cluster what decides about them.
pub(super) async fn read(
    subjects: &Subjects<'_>,
    context: Option<&str>,
    namespace: Option<&str>,
    served: &AsServed,
    complain: &mut dyn FnMut(Problem),
) -> Result<Cluster, ExplainError> {
    let (client, default_namespace) = kubeconfig::client(context).await?;
    let default_namespace = namespace.map_or(default_namespace, str::to_owned);
    let pods = match subjects {
        Subjects::Files(files) => pods(files, complain),
        Subjects::Named { namespace, name } => {
            vec![pod(&client, namespace.unwrap_or(&default_namespace), name).await?]
        }
    };
    let mut reader = Reader {
        client,
        objects: Objects::default(),
        namespaces: BTreeMap::new(),
        hidden: BTreeMap::new(),
        notes: Vec::new(),
    };
    let credentials = reader.credentials().await?;
    let mut places = BTreeSet::new();
    for (_, pod) in &pods {
        places.insert(pod.identity(&default_namespace).2);
        let account = pod.value.pointer("/spec/serviceAccountName").and_then(serde_json::Value::as_str);
        reader.service_account(&pod.identity(&default_namespace).2, account.unwrap_or("default")).await;
    }
    for namespace in &places {
        reader.namespace(namespace).await;
    }
    reader.secrets(&credentials, &places).await;
    Ok(Cluster {
        pods,
        exists: matches!(subjects, Subjects::Named { .. }),
        namespace: default_namespace,
        state: reader.objects.into_state(served, complain),
        namespaces: reader.namespaces,
        hidden: reader.hidden,
        notes: reader.notes,
    })
}

/// A pod as it is stored, with all its fields.
async fn pod(client: &Client, namespace: &str, name: &str) -> Result<(Place, ApiObject), ExplainError> {
    let kind = ApiResource::erase::<Pod>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let found = api
        .get_opt(name)
        .await
        .map_err(|error| ReadError::of(&format!("get pod {namespace}/{name}"), &error))?;
    let found = found.and_then(|pod| ApiObject::new(serde_json::to_value(pod).ok()?));
    let found = found
        .ok_or_else(|| ExplainError::NoPod { namespace: namespace.to_owned(), name: name.to_owned() })?;
    Ok((in_cluster(), found))
}

/// Reads what there is, and keeps what cannot be read.
struct Reader {
    client: Client,
    objects: Objects,
    namespaces: BTreeMap<Arc<str>, NamespaceAnswer>,
    hidden: BTreeMap<ObjectKey, String>,
    notes: Vec<String>,
}

impl Reader {
    async fn credentials(&mut self) -> Result<Vec<Credential>, ExplainError> {
        let api: Api<RegistryCredential> = Api::all(self.client.clone());
        let listed = api.list(&ListParams::default()).await.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 404 => ExplainError::NotInstalled,
            _ => ReadError::of("list RegistryCredentials", &error).into(),
        })?;
        let usable = listed.items.iter().filter_map(|object| Credential::parse(object).ok()).collect();
        self.objects.credentials = listed.items.into_iter().map(|object| (in_cluster(), object)).collect();
        Ok(usable)
    }

    async fn namespace(&mut self, name: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let answer = match api.get_metadata_opt(name).await {
            Ok(Some(found)) => return self.objects.namespaces.push(found.metadata),
            Ok(None) => NamespaceAnswer::Absent,
            Err(error) => {
                self.notes.push(format!("note: namespace {name} could not be read: {}", brief(&error)));
                NamespaceAnswer::Unknown(brief(&error).into())
            }
        };
        self.namespaces.insert(name.into(), answer);
    }

    async fn service_account(&mut self, namespace: &str, name: &str) {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(found)) => self.objects.service_accounts.push(found),
            Ok(None) => {}
            Err(error) => self.notes.push(format!(
                "note: ServiceAccount {namespace}/{name} could not be read, so it is taken to allow all pull Secrets: {}",
                brief(&error)
            )),
        }
    }

    /// The sources, and what stands in the places of the copies.
    async fn secrets(&mut self, credentials: &[Credential], namespaces: &BTreeSet<String>) {
        let copies = credentials.iter().flat_map(|credential| {
            namespaces.iter().map(move |namespace| (credential.copy_in(namespace), credential))
        });
        let copies: Vec<(ObjectKey, &Credential)> = copies.collect();
        let sources = credentials.iter().map(|credential| credential.source.clone());
        let wanted: BTreeSet<ObjectKey> =
            copies.iter().map(|(place, _)| place.clone()).chain(sources).collect();
        let client = self.client.clone();
        let mut reads = stream::iter(wanted)
            .map(|key| {
                let api: Api<Secret> = Api::namespaced(client.clone(), &key.namespace);
                async move {
                    let read = api.get_opt(&key.name).await;
                    (key, read)
                }
            })
            .buffer_unordered(READS_AT_ONCE);
        while let Some((key, read)) = reads.next().await {
            match read {
                Ok(Some(secret)) => self.objects.secrets.push(secret),
                Ok(None) => {}
                Err(error) => drop(self.hidden.insert(key, brief(&error))),
            }
        }
        for (place, credential) in copies {
            self.let_copy_stand_for_source(&place, credential);
        }
    }

    /// A copy holds the bytes of its source, so it tells its keys to whoever may not read the source.
    fn let_copy_stand_for_source(&mut self, place: &ObjectKey, credential: &Credential) {
        if !self.hidden.contains_key(&credential.source) {
            return;
        }
        let is_copy = |secret: &&Secret| {
            let metadata = &secret.metadata;
            metadata.namespace.as_deref() == Some(&*place.namespace)
                && metadata.name.as_deref() == Some(&*place.name)
                && Origin::of(metadata).is_some_and(|origin| origin.is_of(credential))
        };
        if let Some(mut source) = self.objects.secrets.iter().find(is_copy).cloned() {
            source.metadata.namespace = Some(credential.source.namespace.to_string());
            source.metadata.name = Some(credential.source.name.to_string());
            self.objects.secrets.push(source);
            self.hidden.remove(&credential.source);
        }
    }
}
