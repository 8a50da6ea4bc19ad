//! A cluster that answers what is asked, and the objects that are written to it.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::knowledge::Index;
use crate::model::ObjectKey;
use crate::model::protection::{LiveReferrer, Reservation, SecretAnswer, WholeSecret};
use crate::model::reference::Referrer;
use crate::model::scope::Scope;
use crate::policy::tests::review_of;
use crate::policy::{Answers, Decision, Need, Outcome, Rule, Step};
use crate::review;

/// How often a decision may be asked for.
const MOST_ROUNDS: usize = 4;

/// What is there.
pub(super) struct Scene {
    pub(super) index: Index,
    pub(super) secrets: BTreeMap<ObjectKey, SecretAnswer>,
    /// What leaving a reservation brings, where that is something else than the Secret as it was read.
    pub(super) reserved: BTreeMap<ObjectKey, SecretAnswer>,
    pub(super) referrers: BTreeMap<Referrer, LiveReferrer>,
}

/// What properties show of it.
impl fmt::Debug for Scene {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (&self.secrets, &self.reserved, &self.referrers).fmt(formatter)
    }
}

/// How a review ended.
pub(super) struct Ended {
    pub(super) decision: Decision,
    /// What was asked, in words.
    pub(super) asked: Vec<String>,
    /// The reservations, with the Secret and its uid.
    pub(super) reservations: Vec<(ObjectKey, String, Reservation)>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            index: Index::new("regcred-system"),
            secrets: BTreeMap::new(),
            reserved: BTreeMap::new(),
            referrers: BTreeMap::new(),
        }
    }

    pub(super) fn limited_to(self, namespaces: &[&str]) -> Self {
        let names: Vec<_> = namespaces.iter().map(|name| (*name).into()).collect();
        Self { index: self.index.with_scope(Scope::of(&names)), ..self }
    }

    /// With these Secrets.
    pub(super) fn with(mut self, secrets: impl IntoIterator<Item = Value>) -> Self {
        self.secrets.extend(secrets.into_iter().map(found));
        self
    }

    /// With the Secrets of all rows.
    pub(super) fn full() -> Self {
        Self::new().with([
            credentials("docker-creds-v1"),
            credentials("docker-creds-v2"),
            ca_bundle("ca-bundle-v1"),
        ])
    }

    pub(super) fn run(&self, review: &Value) -> Ended {
        let body = review.to_string();
        let request = review::decode(body.as_bytes()).unwrap();
        assert!(Rule::SecretReferences.looks_at(&request));
        let (known, configuration) = (self.index.snapshot(), Configuration::default());
        let (mut answers, mut asked, mut reservations) = (Answers::default(), Vec::new(), Vec::new());
        for _ in 0..MOST_ROUNDS {
            match Rule::SecretReferences.decide(&request, &known, &configuration, &answers, Instant::now()) {
                Step::Decided(decision) => return Ended { decision, asked, reservations },
                Step::Needs(needs) => {
                    assert!(!needs.is_empty());
                    for need in needs {
                        match need {
                            Need::ReferencedSecret(key) => {
                                asked.push(format!("read {key}"));
                                let answer = self.secrets.get(&key).cloned().unwrap_or(SecretAnswer::Absent);
                                answers.referenced.insert(key, answer);
                            }
                            Need::Reserve { secret, uid, reservation } => {
                                asked.push(format!("reserve {secret}"));
                                let answer = self.reserved.get(&secret).or_else(|| self.secrets.get(&secret));
                                let answer = answer.cloned().unwrap_or(SecretAnswer::Absent);
                                answers.reserved.insert(secret.clone(), answer);
                                reservations.push((secret, uid.to_string(), reservation));
                            }
                            Need::Referrer(referrer) => {
                                asked.push(format!("look at {referrer}"));
                                let answer =
                                    self.referrers.get(&referrer).cloned().unwrap_or(LiveReferrer::Absent);
                                answers.referrers.insert(referrer, answer);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
            }
        }
        panic!("asked for too often: {asked:?}");
    }

    /// Why it is refused, now or for good; empty if it is not.
    pub(super) fn refusal(&self, review: &Value) -> String {
        refusal(&self.run(review).decision).to_owned()
    }
}

pub(super) fn refusal(decision: &Decision) -> &str {
    match &decision.outcome {
        Outcome::Allowed => "",
        Outcome::Denied(message) | Outcome::Postponed(message) => message,
    }
}

/// The key of a Secret, and what reading it brings.
pub(super) fn found(secret: Value) -> (ObjectKey, SecretAnswer) {
    let key = ObjectKey::new(
        secret["metadata"]["namespace"].as_str().unwrap(),
        secret["metadata"]["name"].as_str().unwrap(),
    );
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(secret).unwrap();
    (key, SecretAnswer::Found(WholeSecret::from(secret)))
}

/// A Secret of garden-dev; the data are texts.
pub(super) fn secret(name: &str, immutable: Value, data: Value) -> Value {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let data = data.as_object().unwrap().iter();
    let data = data.map(|(key, text)| (key.clone(), BASE64_STANDARD.encode(text.as_str().unwrap()).into()));
    json!({
        "metadata": {"namespace": "garden-dev", "name": name, "uid": format!("uid-of-{name}")},
        "immutable": immutable, "data": data.collect::<serde_json::Map<_, _>>(),
    })
}

/// A Secret that a cache can log in with.
pub(super) fn credentials(name: &str) -> Value {
    secret(name, json!(true), json!({"username": "john", "password": "swordfish"}))
}

/// A Secret that a mirror can be trusted by.
pub(super) fn ca_bundle(name: &str) -> Value {
    let certificate = rcgen::generate_simple_self_signed(["mirror.example".to_owned()]).unwrap().cert.pem();
    secret(name, json!(true), json!({"bundle.crt": certificate}))
}

/// A Shoot of upstream's tests: one worker with containerd.
pub(super) fn shoot(extensions: Value, resources: Value) -> Value {
    json!({
        "apiVersion": "core.gardener.cloud/v1beta1", "kind": "Shoot",
        "metadata": {"namespace": "garden-dev", "name": "crazy-botany", "uid": "uid-of-shoot", "resourceVersion": "7"},
        "spec": {
            "extensions": extensions, "resources": resources,
            "provider": {"workers": [{"name": "worker", "cri": {"name": "containerd"}}]},
        },
    })
}

/// The same with what a pointer leads to being another value.
pub(super) fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

/// An entry of `spec.resources`.
pub(super) fn resource(name: &str, kind: &str, target: &str) -> Value {
    json!({"name": name, "resourceRef": {"apiVersion": "v1", "kind": kind, "name": target}})
}

pub(super) fn extension(extension_type: &str, config: Value) -> Value {
    json!({"type": extension_type, "providerConfig": config})
}

/// The extension with a configuration of these caches.
pub(super) fn caches(caches: Value) -> Value {
    let config = json!({
        "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig", "caches": caches,
    });
    extension("registry-cache", config)
}

/// A cache for docker.io of this size.
pub(super) fn cache(size: &str) -> Value {
    json!({"upstream": "docker.io", "volume": {"size": size}})
}

/// A cache for docker.io that logs in.
pub(super) fn private_cache() -> Value {
    json!({"upstream": "docker.io", "volume": {"size": "20Gi"}, "secretReferenceName": "docker-creds"})
}

/// The extension with a configuration of these mirrors.
pub(super) fn mirrors(mirrors: Value) -> Value {
    let config = json!({
        "apiVersion": "mirror.extensions.gardener.cloud/v1alpha1", "kind": "MirrorConfig", "mirrors": mirrors,
    });
    extension("registry-mirror", config)
}

pub(super) fn mirror() -> Value {
    json!({"upstream": "docker.io", "hosts": [{"host": "https://mirror.gcr.io"}]})
}

pub(super) fn trusted_mirror() -> Value {
    json!({"upstream": "docker.io", "hosts": [
        {"host": "https://mirror.example", "caBundleSecretReferenceName": "ca-bundle"},
    ]})
}

/// A Shoot with a private cache, whose credentials are in this Secret.
pub(super) fn with_private_cache(secret: &str) -> Value {
    shoot(json!([caches(json!([private_cache()]))]), json!([resource("docker-creds", "Secret", secret)]))
}

pub(super) fn create(object: &Value) -> Value {
    review_of(object, None)
}

pub(super) fn update(old: &Value, new: &Value) -> Value {
    review_of(new, Some(old))
}
