//! The objects that stand for the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::core::ObjectMeta;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};

use super::objects::{ApiObject, Content, each};
use super::problem::{Place, Problem, Reason};
use crate::api::RegistryCredential;
use crate::configuration::Configuration;
use crate::knowledge::index::key_of;
use crate::knowledge::{Index, Snapshot};
use crate::model::ObjectKey;
use crate::model::consent::Consent;
use crate::model::copy::{CopyAnswer, Origin};
use crate::model::credential::CredentialError;
use crate::model::module::SelectedSecret;
use crate::model::namespace::{Namespace, REGCRED_NAMESPACE};
use crate::model::protection::{
    Bypass, Listing, LiveReferrer, RESERVATION_PREFIX, SecretAnswer, WholeSecret,
};
use crate::model::reference::{Pointers, Referrer};
use crate::model::scope::{self, Scope};
use crate::policy::{Answers, NamespaceAnswer, Need, SecretsAnswer};

/// The label that the API server gives every namespace, with its name as value (`corev1.LabelMetadataName`).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What `regcred serve` is told, as far as verdicts depend on it.
#[derive(Debug, Clone, Args)]
pub(crate) struct AsServed {
    /// Whether namespaces are asked, by their labels, if they consent to a credential, as given to regcred serve
    #[arg(long, env = "REGCRED_CONSENT", value_enum, value_name = "WHO", default_value = "off")]
    consent: Consent,

    /// The namespaces that regcred is limited to, as given to regcred serve; by default all
    #[arg(
        long, env = "REGCRED_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = scope::parse_name
    )]
    namespaces: Vec<Arc<str>>,

    /// The namespace that regcred serve runs in, which gets no copies
    #[arg(long, env = "REGCRED_NAMESPACE", value_name = "NAME", default_value = REGCRED_NAMESPACE)]
    regcred_namespace: String,
}

/// What is known of the cluster, and what is found out while deciding.
pub(crate) struct State {
    /// What the watches would have seen.
    pub(crate) known: Arc<Snapshot>,
    /// All Secrets, for a copy's place may be taken.
    secrets: HashMap<ObjectKey, ObjectMeta>,
    /// The same with what is in them, for what points to them may need that.
    whole_secrets: HashMap<ObjectKey, WholeSecret>,
    /// The Secrets with labels, by which a module's label may select them, and what is in each.
    labelled: Vec<(BTreeMap<String, String>, SelectedSecret)>,
    /// What the rules are to be.
    pub(crate) configuration: Configuration,
    /// The pull Secrets that ServiceAccounts give to their pods.
    account_pull_secrets: HashMap<ObjectKey, Vec<String>>,
    /// What may point to Secrets, also if it points to none.
    referrers: HashMap<Referrer, Pointers>,
    /// Namespaces that were asked for and are not there.
    pub(crate) absent_namespaces: BTreeSet<Arc<str>>,
    /// What else must be told, each once.
    pub(super) notes: BTreeSet<Note>,
}

/// What people may not expect of verdicts on files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// A Secret was asked for where there is none.
    NoSecrets,
    /// What points to a Secret was asked for where there is nothing that may.
    NoReferrers,
    /// A Secret has reservations.
    Reservations(ObjectKey),
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecrets => formatter.write_str("--state holds no Secret, so there is none to point to"),
            Self::NoReferrers => formatter
                .write_str("--state holds nothing that could point to a Secret, so each may be deleted"),
            Self::Reservations(secret) => write!(
                formatter,
                "the reservations of Secret {secret} are taken to be over, for files do not show what is under way"
            ),
        }
    }
}

/// The objects of the kinds that are looked at.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) credentials: Vec<(Place, RegistryCredential)>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) namespaces: Vec<ObjectMeta>,
    pub(crate) service_accounts: Vec<ServiceAccount>,
    pub(crate) referrers: Vec<(Referrer, Pointers)>,
}

impl State {
    /// Reads the state. Objects that name no namespace are taken to be in `namespace`.
    pub(crate) fn read(
        arguments: &[PathBuf],
        namespace: &str,
        served: &AsServed,
        configuration: Configuration,
        mut report: impl FnMut(Problem),
    ) -> Self {
        let mut objects = Objects::default();
        each(arguments, |object| match object {
            Ok(object) => {
                if let Content::Object(content) = object.content
                    && let Err(reason) = objects.take(&object.place, content, namespace, &configuration)
                {
                    report(Problem { place: object.place, reason });
                }
            }
            Err(problem) => report(problem),
        });
        Self { configuration, ..objects.into_state(served, report) }
    }

    /// Gives a pod that is to be created what the API server gives it before it asks: the pull Secrets of its
    /// ServiceAccount, unless it has its own (`k8s.io/kubernetes/plugin/pkg/admission/serviceaccount`). A mirror pod is
    /// left alone there as well.
    pub(crate) fn complete(&self, pod: &mut ApiObject, namespace: &str) {
        let own = pod.metadata("namespace");
        let namespace = if own.is_empty() { namespace } else { own };
        let text = |pointer: &str| {
            pod.value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let account = text("/spec/serviceAccountName").unwrap_or("default");
        let is_mirror = pod.value.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some();
        let given = self.account_pull_secrets.get(&ObjectKey::new(namespace, account));
        let given = given.filter(|names| !names.is_empty() && !is_mirror && pod.is("", "Pod"));
        let (Some(names), Some(Value::Object(spec))) = (given, pod.value.get_mut("spec")) else {
            return;
        };
        let has_none = spec
            .get("imagePullSecrets")
            .is_none_or(|list| list.is_null() || list.as_array().is_some_and(Vec::is_empty));
        if has_none {
            let references = names.iter().map(|name| serde_json::json!({"name": name}));
            spec.insert("imagePullSecrets".to_owned(), references.collect());
        }
    }

    /// Answers what a decision needs: a namespace that is not there is taken to be there, without labels of its own,
    /// and a copy can be created unless its place is taken.
    pub(crate) fn answer(&mut self, needs: Vec<Need>, answers: &mut Answers) {
        for need in needs {
            match need {
                Need::Namespace(name) => {
                    let metadata = ObjectMeta { name: Some(name.to_string()), ..ObjectMeta::default() };
                    let labels = with_name_label(metadata).labels.unwrap_or_default();
                    self.absent_namespaces.insert(name);
                    let namespace = Namespace { labels, terminating: false };
                    answers.namespace = Some(NamespaceAnswer::Found(Arc::new(namespace)));
                }
                Need::Secrets(query) => {
                    let selected = self.labelled.iter().filter(|(labels, _)| query.selector.selects(labels));
                    let selected =
                        selected.filter(|(_, secret)| self.known.scope.covers(&secret.key.namespace));
                    let selected = selected.map(|(_, secret)| secret.clone()).collect();
                    let answer = SecretsAnswer::for_query(&query, selected);
                    answers.secrets.insert(query.selector, answer);
                }
                Need::Copy { wanted, is_dry_run } => {
                    let missing = if is_dry_run { CopyAnswer::Absent } else { CopyAnswer::Created };
                    let found = self.secrets.get(&wanted.place);
                    let answer =
                        found.map_or(missing, |found| CopyAnswer::of_existing(found, &wanted.credential));
                    answers.copies.insert(wanted.credential.name.clone(), answer);
                }
                need => self.answer_of_protection(need, answers),
            }
        }
    }

    /// Answers what is asked about Secrets that are pointed to. What is not in the state is not there.
    fn answer_of_protection(&mut self, need: Need, answers: &mut Answers) {
        match need {
            Need::ReferencedSecret(key) => {
                let answer = self.whole_secret(&key);
                answers.referenced.insert(key, answer);
            }
            // Nothing is written here, and nobody else writes.
            Need::Reserve { secret, .. } => {
                let answer = self.whole_secret(&secret);
                answers.reserved.insert(secret, answer);
            }
            Need::Referrer(referrer) => {
                let pointers = self.referrers.get(&referrer).cloned();
                // Only reservations are compared with these, and those of files are taken off.
                let found = pointers.map(|pointers| LiveReferrer::Found {
                    uid: Arc::default(),
                    resource_version: Arc::default(),
                    pointers,
                });
                answers.referrers.insert(referrer, found.unwrap_or(LiveReferrer::Absent));
            }
            Need::Referrers { secret, .. } => {
                if self.referrers.is_empty() {
                    self.notes.insert(Note::NoReferrers);
                }
                let uses = self.known.references.of(&secret).into_iter();
                answers.listing =
                    Some(Listing::Complete(uses.map(|one| (one.referrer, one.places)).collect()));
            }
            // Who asks is not known, so the annotation counts for nobody.
            Need::Bypass { .. } => answers.bypass = Some(Bypass::Denied),
            Need::Namespace(_) | Need::Secrets(_) | Need::Copy { .. } => {}
        }
    }

    fn whole_secret(&mut self, key: &ObjectKey) -> SecretAnswer {
        if self.whole_secrets.is_empty() {
            self.notes.insert(Note::NoSecrets);
        }
        self.whole_secrets.get(key).map_or(SecretAnswer::Absent, |secret| SecretAnswer::Found(secret.clone()))
    }
}

impl Objects {
    fn take(
        &mut self,
        place: &Place,
        object: ApiObject,
        namespace: &str,
        configuration: &Configuration,
    ) -> Result<(), Reason> {
        if let Some(referrer) = object.referrer(namespace, configuration)
            && let Ok(raw) = to_raw_value(&object.value)
        {
            let pointers = Pointers::of(&referrer, &raw);
            self.referrers.push((referrer, pointers));
        }
        match (object.group.as_str(), object.kind.as_str()) {
            ("regcred.dev", "RegistryCredential") => {
                let credential = serde_json::from_value(object.value).map_err(Reason::CredentialForm)?;
                self.credentials.push((place.clone(), credential));
            }
            ("", "Secret") => self.secrets.push(secret(object, namespace)?),
            ("", "Namespace") => self.namespaces.push(with_name_label(metadata("a Namespace", object)?)),
            ("", "ServiceAccount") => {
                let mut account: ServiceAccount = serde_json::from_value(object.value)
                    .map_err(|error| Reason::Metadata { kind: "a ServiceAccount", error })?;
                account.metadata = placed(account.metadata, namespace);
                self.service_accounts.push(account);
            }
            _ => {}
        }
        Ok(())
    }

    /// The cluster that holds these.
    pub(crate) fn into_state(self, served: &AsServed, mut report: impl FnMut(Problem)) -> State {
        let index = Index::new(&served.regcred_namespace)
            .with_consent(served.consent)
            .with_scope(Scope::of(&served.namespaces));
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
        self.service_accounts.iter().for_each(|account| index.apply_service_account(&account.metadata));
        let labelled = self.secrets.iter().filter_map(|secret| {
            let labels = secret.metadata.labels.clone().filter(|labels| !labels.is_empty())?;
            Some((labels, SelectedSecret::from(secret)))
        });
        let labelled = labelled.collect();
        let whole = self.secrets.iter().filter_map(|secret| {
            let mut secret = secret.clone();
            if let Some(annotations) = &mut secret.metadata.annotations {
                annotations.retain(|name, _| !name.starts_with(RESERVATION_PREFIX));
            }
            Some((key_of(&secret.metadata)?, secret.into()))
        });
        let whole_secrets = whole.collect();
        // Where regcred has no rights it sees nothing.
        let scope = Scope::of(&served.namespaces);
        let seen = self.referrers.into_iter().filter(|(referrer, _)| scope.covers(&referrer.key.namespace));
        let referrers: HashMap<Referrer, Pointers> = seen.collect();
        for (referrer, pointers) in &referrers {
            index.apply_referrer(referrer.clone(), pointers.clone());
        }
        let secrets =
            self.secrets.into_iter().filter_map(|secret| Some((key_of(&secret.metadata)?, secret.metadata)));
        let account_pull_secrets = self.service_accounts.into_iter().filter_map(|account| {
            let names = account.image_pull_secrets.into_iter().flatten().map(|reference| reference.name);
            Some((key_of(&account.metadata)?, names.collect()))
        });
        State {
            known: index.snapshot(),
            account_pull_secrets: account_pull_secrets.collect(),
            secrets: secrets.collect(),
            whole_secrets,
            labelled,
            configuration: Configuration::default(),
            referrers,
            absent_namespaces: BTreeSet::new(),
            notes: BTreeSet::new(),
        }
    }
}

/// Makes of a Secret what the API server stores and asks about: `stringData` goes into `data`, in whose base64 a file may have
/// line breaks. Strings alone; anything else is left to be found.
pub(super) fn complete_secret(secret: &mut ApiObject) {
    let Some(fields) = secret.value.as_object_mut() else { return };
    if let Some(Value::Object(data)) = fields.get_mut("data") {
        for value in data.values_mut() {
            if let Value::String(text) = value {
                text.retain(|character| !matches!(character, '\r' | '\n'));
            }
        }
    }
    // Go takes null for an empty one.
    let are_strings =
        |strings: &Map<String, Value>| strings.values().all(|text| text.is_string() || text.is_null());
    let can_hold = matches!(fields.get("data"), None | Some(Value::Null | Value::Object(_)));
    let strings = fields.get("stringData").and_then(Value::as_object).filter(|_| can_hold);
    let Some(strings) = strings.filter(|strings| are_strings(strings)).cloned() else { return };
    fields.remove("stringData");
    let encoded = strings
        .into_iter()
        .map(|(key, text)| (key, BASE64_STANDARD.encode(text.as_str().unwrap_or_default())));
    let encoded = encoded.map(|(key, text)| (key, Value::from(text)));
    match fields.get_mut("data") {
        Some(Value::Object(data)) => data.extend(encoded),
        _ => {
            fields.insert("data".to_owned(), Value::Object(encoded.collect()));
        }
    }
}

fn secret(mut object: ApiObject, namespace: &str) -> Result<Secret, Reason> {
    let description = object.metadata("name").to_owned();
    complete_secret(&mut object);
    let mut secret: Secret =
        serde_json::from_value(object.value).map_err(|_| Reason::SecretForm(description))?;
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
