//! What is read from the API server, and written to it: one Secret and two webhook configurations, each by name.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use thiserror::Error;

use super::address::Address;
use super::bundles::{self, CONFIGURATION, Change, Configuration, Kind};
use super::record::Record;
use crate::cluster::FIELD_MANAGER;
use crate::cluster::error::{told, told_of_watch};

/// The Secret of the authority, in our own namespace.
pub(super) const SECRET: &str = "regcred-authority";
/// A call has no other end than this; the API server itself gives up after a minute, and what is here is not urgent.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one watch request lasts, in seconds. A connection that has died unnoticed is found out 5 s after that.
const WATCH_SECONDS: u32 = 60;

/// Why the API server did not do what it was asked to.
#[derive(Debug, Error)]
pub(super) enum AccessError {
    /// Somebody was faster; what was decided may be wrong now.
    #[error("{0} has changed meanwhile")]
    Conflict(&'static str),
    #[error("{what} could not be {verb}: {reason}")]
    Refused { what: &'static str, verb: &'static str, reason: String },
}

/// The API server, as far as certificates go.
#[derive(Clone)]
pub(super) struct Cluster {
    namespace: String,
    address: Address,
    client: Client,
}

impl Cluster {
    pub(super) fn new(client: Client, namespace: &str, address: Address) -> Self {
        Self { namespace: namespace.to_owned(), address, client }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Secret as it is now.
    pub(super) async fn secret(&self) -> Result<Option<Secret>, AccessError> {
        call("Secret regcred-authority", "read", self.secrets().get_opt(SECRET)).await
    }

    /// Those of the two configurations that are there, as they are now.
    pub(super) async fn configurations(&self) -> Result<Vec<Configuration>, AccessError> {
        let mutating = Api::<MutatingWebhookConfiguration>::all(self.client.clone());
        let validating = Api::<ValidatingWebhookConfiguration>::all(self.client.clone());
        let (mutating, validating) = tokio::try_join!(
            call(describe(Kind::Mutating), "read", mutating.get_opt(CONFIGURATION)),
            call(describe(Kind::Validating), "read", validating.get_opt(CONFIGURATION)),
        )?;
        let mutating = mutating.map(|read| bundles::of_mutating(&read, &self.address));
        let validating = validating.map(|read| bundles::of_validating(&read, &self.address));
        Ok(mutating.into_iter().chain(validating).collect())
    }

    /// Stores a record: creates the Secret if none was there, else replaces the content of the one that was read.
    pub(super) async fn store(&self, read: Option<Secret>, record: &Record) -> Result<(), AccessError> {
        let (what, verb) = ("Secret regcred-authority", "written");
        let data = record.write().ok_or_else(|| AccessError::Refused {
            what,
            verb,
            reason: "a time in it is after the year 9999".to_owned(),
        })?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
        if let Some(read) = read {
            // With the resource version that was read, and whatever labels somebody has added.
            let replaced = Secret { data: Some(data), string_data: None, ..read };
            call(what, verb, self.secrets().replace(SECRET, &parameters, &replaced)).await?;
        } else {
            let labels = [("app.kubernetes.io/name", "regcred"), ("app.kubernetes.io/component", "webhook")];
            let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let metadata = ObjectMeta {
                name: Some(SECRET.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels),
                ..ObjectMeta::default()
            };
            let type_ = Some("kubernetes.io/tls".to_owned());
            let secret = Secret { metadata, type_, data: Some(data), ..Secret::default() };
            call(what, "created", self.secrets().create(&parameters, &secret)).await?;
        }
        Ok(())
    }

    /// Changes what entries of a configuration trust.
    pub(super) async fn publish(
        &self,
        configuration: &Configuration,
        changes: &[Change],
    ) -> Result<(), AccessError> {
        let patch = Patch::Json::<()>(bundles::patch(configuration, changes));
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = describe(configuration.kind);
        match configuration.kind {
            Kind::Mutating => {
                let api = Api::<MutatingWebhookConfiguration>::all(self.client.clone());
                call(what, "patched", api.patch(CONFIGURATION, &parameters, &patch)).await.map(drop)
            }
            Kind::Validating => {
                let api = Api::<ValidatingWebhookConfiguration>::all(self.client.clone());
                call(what, "patched", api.patch(CONFIGURATION, &parameters, &patch)).await.map(drop)
            }
        }
    }

    /// Yields whenever one of the three may have changed. What is watched is their metadata: they are read anew, all
    /// together, before anything is decided.
    pub(super) fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        let secrets = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), &self.namespace);
        stream::select_all([
            changes_of(secrets, SECRET).boxed(),
            changes_of(
                Api::<PartialObjectMeta<MutatingWebhookConfiguration>>::all(self.client.clone()),
                CONFIGURATION,
            )
            .boxed(),
            changes_of(
                Api::<PartialObjectMeta<ValidatingWebhookConfiguration>>::all(self.client.clone()),
                CONFIGURATION,
            )
            .boxed(),
        ])
    }
}

/// Changes of the one object of this name: the only one that the account may watch.
fn changes_of<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> impl Stream<Item = ()> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    let kind = K::kind(&()).into_owned();
    watcher(api, config).default_backoff().filter_map(move |event| {
        let changed = match event {
            Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => Some(()),
            Ok(Event::Init | Event::InitApply(_)) => None,
            Err(error) => {
                // Nothing is missed by it: everything is read once a minute anyway.
                tracing::debug!(kind, error = told_of_watch(&error), "a watch failed");
                None
            }
        };
        std::future::ready(changed)
    })
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Mutating => "MutatingWebhookConfiguration regcred",
        Kind::Validating => "ValidatingWebhookConfiguration regcred",
    }
}

async fn call<T>(
    what: &'static str,
    verb: &'static str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, AccessError> {
    let refused = |reason: String| AccessError::Refused { what, verb, reason };
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) if is_conflict(status.code, verb) => {
            Err(AccessError::Conflict(what))
        }
        Ok(Err(error)) => Err(refused(told(&error).to_owned())),
        Err(_) => Err(refused(format!("no answer within {CALL_TIMEOUT:?}"))),
    }
}

/// 409: another resource version, or created meanwhile. 404: deleted meanwhile, but of a creation it says that there is no
/// such namespace. 422 to a patch: a test in it failed.
fn is_conflict(code: u16, verb: &str) -> bool {
    match code {
        409 => true,
        404 => !["read", "created"].contains(&verb),
        422 => verb == "patched",
        _ => false,
    }
}
