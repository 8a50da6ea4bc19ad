//! Secrets that modules are pulled with, what needs them, and what is said to whoever takes one away.

use std::time::Instant;

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine};
use k8s_openapi::api::core::v1::Secret;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::knowledge::Index;
use crate::model::ObjectKey;
use crate::model::module::{SelectedSecret, Selector};
use crate::model::protection::LiveReferrer;
use crate::model::reference::{Pointers, Referrer, ReferrerKind};
use crate::model::scope::Scope;
use crate::policy::modules::tests::scene::{configured, label, layer, template, v2};
use crate::policy::{Answers, Decision, Need, Rule, SecretsAnswer, Step};
use crate::review;

pub(super) const KEY: &str = "operator.kyma-project.io/oci-registry-cred";
pub(super) const OWN_USER: &str = "system:serviceaccount:regcred-system:regcred";

/// A Secret for a registry, with the label that the module asks for.
pub(super) fn secret(name: &str, registry: &str) -> Value {
    let document = json!({"auths": {registry: {"auth": "dTpw"}}}).to_string();
    json!({
        "metadata": {
            "namespace": "kcp-system", "name": name,
            "labels": {KEY: "ghcr", "operator.kyma-project.io/managed-by": "lifecycle-manager"},
        },
        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": STANDARD.encode(document)},
    })
}

/// The Secret that is taken away.
pub(super) fn taken() -> Value {
    secret("modules", "ghcr.io")
}

/// An object with another value at a place.
pub(super) fn with(mut object: Value, path: &[&str], value: Value) -> Value {
    *path.iter().fold(&mut object, |part, name| &mut part[*name]) = value;
    object
}

pub(super) fn labelled(object: Value, labels: Value) -> Value {
    with(object, &["metadata", "labels"], labels)
}

pub(super) fn going(object: Value) -> Value {
    with(object, &["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z".into())
}

pub(super) fn referrer(kind: ReferrerKind, name: &str) -> Referrer {
    Referrer { kind, key: ObjectKey::new("kyma-system", name) }
}

/// A module that is pulled with the Secret.
pub(super) fn module() -> (Referrer, Value) {
    let object = template(&v2(json!([layer("raw-manifest", json!([label()]))])));
    (referrer(ReferrerKind::ModuleTemplate, "sample"), object)
}

/// A Manifest that is pulled from a repository with Secrets of a label.
pub(super) fn manifest(name: &str, repository: &str, key: &str, value: &str) -> (Referrer, Value) {
    let source =
        json!({"repo": repository, "name": "m", "credSecretSelector": {"matchLabels": {key: value}}});
    (referrer(ReferrerKind::Manifest, name), json!({"spec": {"install": {"source": source}}}))
}

/// What there is.
pub(super) struct World {
    /// What the watches have shown.
    pub(super) watched: Vec<(Referrer, Value)>,
    /// What is there now; whatever else is watched is gone.
    pub(super) live: Vec<(Referrer, Value)>,
    /// Why objects cannot be read now.
    pub(super) unreadable: Option<&'static str>,
    pub(super) secrets: Vec<Value>,
    /// Why these cannot be listed now.
    pub(super) unlisted: Option<&'static str>,
    pub(super) scope: Scope,
    pub(super) configuration: &'static str,
}

impl World {
    /// One in which these objects are there, and these Secrets.
    pub(super) fn of(objects: Vec<(Referrer, Value)>, secrets: Vec<Value>) -> Self {
        Self {
            watched: objects.clone(),
            live: objects,
            unreadable: None,
            secrets,
            unlisted: None,
            scope: Scope::All,
            configuration: "",
        }
    }

    /// One module, and no Secret but the one that is taken away.
    pub(super) fn with_one() -> Self {
        Self::of(vec![module()], vec![taken()])
    }

    pub(super) fn configured(self, configuration: &'static str) -> Self {
        Self { configuration, ..self }
    }

    pub(super) fn denying(self) -> Self {
        self.configured("modules: {findings: {lastSecret: Deny}}")
    }

    /// What is said to somebody who deletes the Secret, and what was asked for that.
    pub(super) fn delete(&self, old: &Value) -> (Decision, Vec<String>) {
        self.decide(old, &Value::Null, "jane")
    }

    /// The same of somebody who makes another one of it, or deletes it.
    pub(super) fn decide(&self, old: &Value, new: &Value, username: &str) -> (Decision, Vec<String>) {
        let index = Index::new("regcred-system").with_scope(self.scope.clone());
        index.know_own_user(OWN_USER);
        for (referrer, object) in &self.watched {
            index.apply_referrer(referrer.clone(), pointers(referrer, object));
        }
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "review", "operation": if new.is_null() { "DELETE" } else { "UPDATE" },
            "namespace": old["metadata"]["namespace"],
            "kind": {"group": "", "version": "v1", "kind": "Secret"},
            "resource": {"group": "", "version": "v1", "resource": "secrets"},
            "userInfo": {"username": username}, "object": new, "oldObject": old,
        }})
        .to_string();
        let request = review::decode(review.as_bytes()).unwrap();
        assert!(Rule::ModuleSecrets.looks_at(&request));
        let (known, configuration) = (index.snapshot(), configured(self.configuration));
        let (mut answers, mut asked) = (Answers::default(), Vec::new());
        for _ in 0..3 {
            match Rule::ModuleSecrets.decide(&request, &known, &configuration, &answers, Instant::now()) {
                Step::Decided(decision) => return (decision, asked),
                Step::Needs(needs) => {
                    assert!(!needs.is_empty());
                    asked.extend(needs.into_iter().map(|need| self.answer(need, &mut answers)));
                }
            }
        }
        panic!("it goes on asking: {asked:?}");
    }

    fn answer(&self, need: Need, answers: &mut Answers) -> String {
        match need {
            Need::Secrets(query) => {
                let asked = format!("list {}", query.selector);
                let answer = match self.unlisted {
                    Some(reason) => SecretsAnswer::Unknown(reason.into()),
                    None => SecretsAnswer::for_query(&query, self.selected(&query.selector)),
                };
                assert!(answers.secrets.insert(query.selector, answer).is_none(), "{asked} twice");
                asked
            }
            Need::Referrer(referrer) => {
                let object = self.live.iter().find(|(live, _)| *live == referrer);
                let live = match (self.unreadable, object) {
                    (Some(reason), _) => LiveReferrer::Unknown(reason.into()),
                    (None, None) => LiveReferrer::Absent,
                    (None, Some((referrer, object))) => LiveReferrer::Found {
                        uid: "1".into(),
                        resource_version: "2".into(),
                        pointers: pointers(referrer, object),
                    },
                };
                let asked = format!("get {referrer}");
                assert!(answers.referrers.insert(referrer, live).is_none(), "{asked} twice");
                asked
            }
            need => panic!("{need:?} is not asked about a module's Secret"),
        }
    }

    fn selected(&self, selector: &Selector) -> Vec<SelectedSecret> {
        let secrets = self.secrets.iter().map(|secret| serde_json::from_value(secret.clone()).unwrap());
        let secrets = secrets
            .filter(|secret: &Secret| selector.selects(&secret.metadata.labels.clone().unwrap_or_default()));
        secrets.map(|secret| SelectedSecret::from(&secret)).collect()
    }
}

fn pointers(referrer: &Referrer, object: &Value) -> Pointers {
    Pointers::of(referrer, &to_raw_value(object).unwrap())
}
