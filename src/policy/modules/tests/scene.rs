//! `ModuleTemplates`, and what is said about them.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

use std::time::Instant;

use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::knowledge::Index;
use crate::model::module::SelectedSecret;
use crate::model::scope::Scope;
use crate::policy::tests::Cluster;
use crate::policy::{Answers, Decision, Need, Outcome, Rule, SecretsAnswer, Step};
use crate::review;

/// The selector of a well-formed label.
pub(super) const SELECTOR: (&str, &str) = ("operator.kyma-project.io/oci-registry-cred", "ghcr");

/// A label that selects Secrets.
pub(super) fn label() -> Value {
    json!({"name": "oci-registry-cred", "value": {SELECTOR.0: SELECTOR.1}})
}

/// A resource of a name, with labels.
pub(super) fn layer(name: &str, labels: Value) -> Value {
    resource(name, "localBlob", labels)
}

/// A resource with an access type.
pub(super) fn resource(name: &str, access_type: &str, labels: Value) -> Value {
    json!({"name": name, "access": {"type": access_type, "localReference": "sha256:1"}, "labels": labels})
}

/// A descriptor of schema v2.
pub(super) fn v2(resources: Value) -> Value {
    json!({
        "meta": {"schemaVersion": "v2"},
        "component": {
            "name": "example.io/module/sample", "version": "1.0.0",
            "repositoryContexts": [{"baseUrl": "example.io/former"}, {"type": "OCIRegistry", "baseUrl": "ghcr.io/org"}],
            "resources": resources,
        },
    })
}

/// A descriptor of schema v3alpha1.
pub(super) fn v3(resources: Value) -> Value {
    json!({
        "apiVersion": "ocm.software/v3alpha1", "kind": "ComponentVersion",
        "metadata": {"name": "example.io/module/sample", "version": "1.0.0"},
        "repositoryContexts": [{"type": "OCIRegistry", "baseUrl": "ghcr.io/org"}],
        "spec": {"resources": resources},
    })
}

/// A `ModuleTemplate` with a descriptor.
pub(super) fn template(descriptor: &Value) -> Value {
    json!({
        "apiVersion": "operator.kyma-project.io/v1beta2", "kind": "ModuleTemplate",
        "metadata": {"name": "sample-1.0.0", "namespace": "kyma-system"},
        "spec": {"channel": "regular", "descriptor": descriptor},
    })
}

/// Decides, with these Secrets being selected whatever the selector is.
pub(super) fn decide(review: &Value, configuration: &str, secrets: &[SelectedSecret]) -> Decision {
    decide_with(review, configuration, SecretsAnswer::Found(secrets.to_vec())).0
}

/// Decides, and says for which selectors Secrets were looked for.
pub(super) fn decide_with(
    review: &Value,
    configuration: &str,
    answer: SecretsAnswer,
) -> (Decision, Vec<String>) {
    decide_within(&Scope::All, review, configuration, answer)
}

/// The same where regcred sees the Secrets of some namespaces alone.
pub(super) fn decide_within(
    scope: &Scope,
    review: &Value,
    configuration: &str,
    answer: SecretsAnswer,
) -> (Decision, Vec<String>) {
    let body = review.to_string();
    let request = review::decode(body.as_bytes()).unwrap();
    let known = Index::new("regcred-system").with_scope(scope.clone()).snapshot();
    let configuration = configured(configuration);
    let (mut answers, mut asked) = (Answers::default(), Vec::new());
    for _ in 0..2 {
        match Rule::Modules.decide(&request, &known, &configuration, &answers, Instant::now()) {
            Step::Decided(decision) => return (decision, asked),
            Step::Needs(needs) => {
                for need in needs {
                    let Need::Secrets(query) = need else { panic!("{need:?}") };
                    asked.push(query.selector.to_string());
                    answers.secrets.insert(query.selector, answer.clone());
                }
            }
        }
    }
    panic!("one look at the Secrets was not enough");
}

pub(super) fn configured(text: &str) -> Configuration {
    let text = format!("apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n{text}");
    Configuration::parse(&text).unwrap()
}

/// Decides how layers are labelled.
pub(super) fn label_by(review: &Value, configuration: &str, cluster: &Cluster) -> Decision {
    decide_by(Rule::ModuleLabels, review, configuration, cluster)
}

/// Decides by a rule that asks nobody.
pub(super) fn decide_by(rule: Rule, review: &Value, configuration: &str, cluster: &Cluster) -> Decision {
    let body = review.to_string();
    let request = review::decode(body.as_bytes()).unwrap();
    let (known, answers) = (cluster.0.snapshot(), Answers::default());
    assert!(rule.looks_at(&request));
    match rule.decide(&request, &known, &configured(configuration), &answers, Instant::now()) {
        Step::Decided(decision) => decision,
        Step::Needs(needs) => panic!("nobody need be asked: {needs:?}"),
    }
}

/// An object as the API server makes it of a patch.
pub(super) fn patched(object: &Value, decision: &Decision) -> Value {
    let mut object = object.clone();
    if let Some(patch) = &decision.patch {
        let operations: json_patch::Patch =
            serde_json::from_value(serde_json::to_value(patch).unwrap()).unwrap();
        json_patch::patch(&mut object, &operations).unwrap();
    }
    object
}

/// Why it is refused; empty if it is not.
pub(super) fn refusal(decision: &Decision) -> &str {
    match &decision.outcome {
        Outcome::Allowed => "",
        Outcome::Denied(message) | Outcome::Postponed(message) => message,
    }
}
