//! The rules' tables, decided on an index filled as the watches fill it.

mod audit;
mod explain;
mod injection;
mod outcomes;
mod pods;
mod properties;

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Answers, Decision, NamespaceAnswer, Need, Patch, Rule, SecretsAnswer, Step};
use crate::configuration::Configuration;
use crate::knowledge::Index;
use crate::model::copy::CopyAnswer;
use crate::model::credential::Credential;
use crate::model::namespace::Namespace;
use crate::review;

/// A credential of this name for all namespaces.
pub(crate) fn credential(name: &str) -> Arc<Credential> {
    let object = credential_object(name, &json!({"namespaces": ["*"]}));
    Arc::new(Credential::parse(&serde_json::from_value(object).unwrap()).unwrap())
}

fn credential_object(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}")},
        "spec": {"secretRef": {"namespace": "sources", "name": name}},
    });
    object["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
    object
}

/// A cluster: namespaces `team-a` and `labelled`, and what a test adds.
pub(crate) struct Cluster(pub(crate) Index);

impl Cluster {
    pub(crate) fn new() -> Self {
        let index = Index::new("regcred-system");
        let namespace = |name: &str, labels: Value| ObjectMeta {
            name: Some(name.into()),
            labels: serde_json::from_value(labels).unwrap(),
            ..ObjectMeta::default()
        };
        index.apply_namespace(&namespace("team-a", json!({})));
        index.apply_namespace(&namespace("labelled", json!({"pull": "yes"})));
        index.apply_namespace(&namespace("opted-out", json!({"regcred.dev/inject": "disabled"})));
        Self(index)
    }

    /// A credential whose source holds keys for these registries.
    pub(crate) fn offering(self, name: &str, spec: &Value, registries: &[&str]) -> Self {
        let auths: serde_json::Map<_, _> =
            registries.iter().map(|registry| ((*registry).to_owned(), json!({"auth": "dTpw"}))).collect();
        self.with_credential(name, spec).with_source(name, &json!({"auths": auths}).to_string())
    }

    pub(crate) fn with_credential(self, name: &str, spec: &Value) -> Self {
        self.0.apply_credential(&serde_json::from_value(credential_object(name, spec)).unwrap()).unwrap();
        self
    }

    fn with_source(self, name: &str, document: &str) -> Self {
        self.0.apply_source(&Secret {
            metadata: ObjectMeta {
                namespace: Some("sources".into()),
                name: Some(name.into()),
                uid: Some(format!("uid-of-source-{name}")),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/dockerconfigjson".into()),
            data: Some([(".dockerconfigjson".into(), ByteString(document.as_bytes().to_vec()))].into()),
            ..Secret::default()
        });
        self
    }

    fn with_copy(self, namespace: &str, name: &str) -> Self {
        self.with_changed_copy(namespace, name, |_| {})
    }

    fn with_marked_copy(self, namespace: &str, name: &str) -> Self {
        self.with_changed_copy(namespace, name, |copy| {
            let annotations = copy.metadata.annotations.get_or_insert_default();
            annotations.insert("regcred.dev/unneeded-since".into(), "2026-01-01T00:00:00Z".into());
        })
    }

    fn with_changed_copy(self, namespace: &str, name: &str, change: impl FnOnce(&mut Secret)) -> Self {
        let snapshot = self.0.snapshot();
        let credential = &snapshot.credentials[name];
        let source = crate::model::source::tests::source_secret("{}");
        let mut copy = crate::model::copy::copy_of(&source, credential, &credential.copy_in(namespace));
        copy.metadata.uid = Some("uid-of-copy".into());
        change(&mut copy);
        self.0.apply_copy(&copy);
        self
    }

    /// Decides once, with these answers.
    fn step(&self, review: &Value, answers: &Answers) -> Step {
        let body = review.to_string();
        let request = review::decode(body.as_bytes()).unwrap();
        Rule::for_request(&request).next().unwrap().decide(
            &request,
            &self.0.snapshot(),
            &Configuration::default(),
            answers,
            Instant::now(),
        )
    }

    /// Decides to the end, every missing copy being created.
    fn decide(&self, review: &Value) -> Decision {
        self.decide_with(review, &CopyAnswer::Created)
    }

    /// Decides to the end, every missing copy being answered so; an unknown namespace has no labels.
    fn decide_with(&self, review: &Value, answer: &CopyAnswer) -> Decision {
        let mut answers = Answers::default();
        for _ in 0..3 {
            match self.step(review, &answers) {
                Step::Decided(decision) => return decision,
                Step::Needs(needs) => {
                    for need in needs {
                        match need {
                            Need::Namespace(_) => {
                                answers.namespace =
                                    Some(NamespaceAnswer::Found(Arc::new(Namespace::default())));
                            }
                            Need::Secrets(query) => {
                                answers.secrets.insert(query.selector, SecretsAnswer::Found(Vec::new()));
                            }
                            Need::Copy { wanted, .. } => {
                                answers.copies.insert(wanted.credential.name.clone(), answer.clone());
                            }
                            need => panic!("no pod asks for {need:?}"),
                        }
                    }
                }
            }
        }
        panic!("three rounds of needs were not enough");
    }
}

/// The review of an object that is created, or that replaces another.
pub(crate) fn review_of(object: &Value, old: Option<&Value>) -> Value {
    let (kind, metadata) = (object["kind"].as_str().unwrap(), &object["metadata"]);
    let (group, version) = object["apiVersion"].as_str().unwrap().rsplit_once('/').unwrap_or(("", "v1"));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "attempt", "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "name": metadata["name"], "namespace": metadata["namespace"],
            "kind": {"group": group, "version": version, "kind": kind},
            "resource": {"group": group, "version": version, "resource": format!("{}s", kind.to_lowercase())},
            "userInfo": {"username": "alice"},
            "object": object, "oldObject": old,
        },
    })
}

/// JSON that has these keys in most places, and these values in many.
pub(crate) fn json_of(words: Vec<&'static str>, keys: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => ".{0,8}".prop_map(Value::from),
        4 => prop::sample::select(words).prop_map(Value::from),
    ];
    let key = prop_oneof![9 => prop::sample::select(keys).prop_map(str::to_owned), 1 => ".{0,8}"];
    leaf.prop_recursive(7, 96, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(key.clone(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// The review of a pod that is being created.
fn creation(namespace: &str, pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "namespace": namespace,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "userInfo": {"username": "someone"},
            "object": pod,
        },
    })
}

fn pod(images: &[&str]) -> Value {
    let containers: Vec<_> = images.iter().map(|image| json!({"name": "c", "image": image})).collect();
    json!({"metadata": {"generateName": "app-"}, "spec": {"containers": containers}})
}

/// The names that a decision appends.
fn added(decision: &Decision) -> Vec<&str> {
    decision.patch.as_ref().map_or(&[][..], Patch::pull_secrets).iter().map(String::as_str).collect()
}

/// The names that it would append, were no credential in mode Audit.
fn audited(decision: &Decision) -> Vec<&str> {
    decision.audited.as_ref().map_or(&[][..], Patch::pull_secrets).iter().map(String::as_str).collect()
}
