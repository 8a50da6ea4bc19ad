//! The objects that stand for the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use serde_json::Value;

use super::objects::{ApiObject, Content, each};
use super::problem::{Place, Problem, Reason};
use crate::api::RegistryCredential;
use crate::knowledge::index::key_of;
use crate::knowledge::{Index, Snapshot};
use crate::model::ObjectKey;
use crate::model::copy::{CopyAnswer, Origin};
use crate::model::credential::CredentialError;
use crate::model::namespace::Namespace;
use crate::policy::{Answers, NamespaceAnswer, Need};

/// The label that the API server gives every namespace, with its name as value (`corev1.LabelMetadataName`).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What is known of the cluster, and what is found out while deciding.
pub(super) struct State {
    /// What the watches would have seen.
    pub(super) known: Arc<Snapshot>,
    /// All Secrets, for a copy's place may be taken.
    secrets: HashMap<ObjectKey, ObjectMeta>,
    /// Namespaces that were asked for and are not there.
    pub(super) absent_namespaces: BTreeSet<Arc<str>>,
}

/// The objects of the kinds that are looked at.
#[derive(Default)]
struct Objects {
    credentials: Vec<(Place, RegistryCredential)>,
    secrets: Vec<Secret>,
    namespaces: Vec<ObjectMeta>,
    service_accounts: Vec<ObjectMeta>,
}

impl State {
    /// Reads the state into an index that knows nothing yet. Objects that name no namespace are taken to be in `namespace`.
    pub(super) fn read(
        arguments: &[PathBuf],
        namespace: &str,
        index: &Index,
        mut report: impl FnMut(Problem),
    ) -> Self {
        let mut objects = Objects::default();
        each(arguments, |object| match object {
            Ok(object) => {
                if let Content::Object(content) = object.content
                    && let Err(reason) = objects.take(&object.place, content, namespace)
                {
                    report(Problem { place: object.place, reason });
                }
            }
            Err(problem) => report(problem),
        });
        objects.into_state(index, report)
    }

    /// Answers what a decision needs: a namespace that is not there is taken to be there, without labels of its own,
    /// and a copy can be created unless its place is taken.
    pub(super) fn answer(&mut self, needs: Vec<Need>, answers: &mut Answers) {
        for need in needs {
            match need {
                Need::Namespace(name) => {
                    let metadata = ObjectMeta { name: Some(name.to_string()), ..ObjectMeta::default() };
                    let labels = with_name_label(metadata).labels.unwrap_or_default();
                    self.absent_namespaces.insert(name);
                    let namespace = Namespace { labels, terminating: false };
                    answers.namespace = Some(NamespaceAnswer::Found(Arc::new(namespace)));
                }
                Need::Copy { wanted, is_dry_run } => {
                    let missing = if is_dry_run { CopyAnswer::Absent } else { CopyAnswer::Created };
                    let found = self.secrets.get(&wanted.place);
                    let answer =
                        found.map_or(missing, |found| CopyAnswer::of_existing(found, &wanted.credential));
                    answers.copies.insert(wanted.credential.name.clone(), answer);
                }
            }
        }
    }
}

impl Objects {
    fn take(&mut self, place: &Place, object: ApiObject, namespace: &str) -> Result<(), Reason> {
        match (object.group.as_str(), object.kind.as_str()) {
            ("regcred.dev", "RegistryCredential") => {
                let credential = serde_json::from_value(object.value).map_err(Reason::CredentialForm)?;
                self.credentials.push((place.clone(), credential));
            }
            ("", "Secret") => self.secrets.push(secret(object, namespace)?),
            ("", "Namespace") => self.namespaces.push(with_name_label(metadata("a Namespace", object)?)),
            ("", "ServiceAccount") => {
                self.service_accounts.push(placed(metadata("a ServiceAccount", object)?, namespace));
            }
            _ => {}
        }
        Ok(())
    }

    fn into_state(self, index: &Index, mut report: impl FnMut(Problem)) -> State {
        // The uids by which the copies that are there name their credentials.
        let mut uids: BTreeMap<String, String> = BTreeMap::new();
        for origin in self.secrets.iter().filter_map(|secret| Origin::of(&secret.metadata)) {
            uids.entry(origin.credential).or_insert(origin.credential_uid);
        }
        for (place, mut credential) in self.credentials {
            let name = credential.metadata.name.clone().unwrap_or_default();
            // An object that never was in a cluster has none; then it is the one that its copies are of.
            credential
                .metadata
                .uid
                .get_or_insert_with(|| uids.remove(&name).unwrap_or_else(|| format!("uid-of-{name}")));
            match index.apply_credential(&credential) {
                // Nothing is wrong with one that is no business of this regcred.
                Ok(()) | Err(CredentialError::OutOfScope(_)) => {}
                Err(error) => report(Problem { place, reason: Reason::Credential { name, error } }),
            }
        }
        for secret in &self.secrets {
            index.apply_source(secret);
            index.apply_copy(secret);
        }
        self.namespaces.iter().for_each(|metadata| index.apply_namespace(metadata));
        self.service_accounts.iter().for_each(|metadata| index.apply_service_account(metadata));
        let secrets =
            self.secrets.into_iter().filter_map(|secret| Some((key_of(&secret.metadata)?, secret.metadata)));
        State { known: index.snapshot(), secrets: secrets.collect(), absent_namespaces: BTreeSet::new() }
    }
}

/// A Secret as the API server would store it: `stringData` goes into `data`, and base64 may have line breaks.
fn secret(mut object: ApiObject, namespace: &str) -> Result<Secret, Reason> {
    let description = object.metadata("name").to_owned();
    if let Some(Value::Object(data)) = object.value.get_mut("data") {
        for value in data.values_mut() {
            if let Value::String(text) = value {
                text.retain(|character| !matches!(character, '\r' | '\n'));
            }
        }
    }
    let mut secret: Secret =
        serde_json::from_value(object.value).map_err(|_| Reason::SecretForm(description))?;
    let strings = secret.string_data.take().unwrap_or_default().into_iter();
    secret
        .data
        .get_or_insert_default()
        .extend(strings.map(|(key, text)| (key, ByteString(text.into_bytes()))));
    secret.metadata = placed(secret.metadata, namespace);
    Ok(secret)
}

fn metadata(kind: &'static str, mut object: ApiObject) -> Result<ObjectMeta, Reason> {
    let metadata = object.value.get_mut("metadata").map(Value::take).unwrap_or_default();
    serde_json::from_value(metadata).map_err(|error| Reason::Metadata { kind, error })
}

fn placed(mut metadata: ObjectMeta, namespace: &str) -> ObjectMeta {
    metadata.namespace.get_or_insert_with(|| namespace.to_owned());
    metadata
}

fn with_name_label(mut metadata: ObjectMeta) -> ObjectMeta {
    if let Some(name) = metadata.name.clone() {
        metadata.labels.get_or_insert_default().insert(NAME_LABEL.to_owned(), name);
    }
    metadata
}
