//! The part about Secrets in use.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigurationError;
use crate::model::configured_kind::{ConfiguredKind, Definition, Place};
use crate::model::reference::ReferrerKind;

/// Until when a Pod needs its Secrets.
const UNFINISHED: &str = "!(has(object.status.phase) && object.status.phase in ['Succeeded', 'Failed'])";

/// What keeps Secrets in use, beside what regcred knows by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Protection {
    kinds: Vec<ReferrerKind>,
}

impl Protection {
    pub(super) fn compile(document: Document) -> Result<Self, ConfigurationError> {
        let described = document.kinds.into_iter().enumerate();
        let shipped = document.image_pull_secrets_of.into_iter().enumerate();
        let definitions = described
            .map(|(number, definition)| (format!("protection.kinds[{number}]"), definition))
            .chain(shipped.map(|(number, kind)| {
                (format!("protection.imagePullSecretsOf[{number}]"), kind.definition())
            }));
        let mut kinds: Vec<ReferrerKind> = Vec::new();
        for (field, definition) in definitions {
            let resource = (definition.group.as_str(), definition.resource.as_str());
            let is_known = |kind: &ReferrerKind| (kind.group(), kind.resource()) == resource;
            if kinds.iter().chain(&ReferrerKind::ALL).any(is_known) {
                let reason = format!("{} are there already; a kind has one description", definition.resource);
                return Err(ConfigurationError::Value { field, reason });
            }
            let kind = ConfiguredKind::compile(definition).map_err(|error| ConfigurationError::Value {
                field: format!("{field}.{}", error.field),
                reason: error.reason,
            })?;
            kinds.push(ReferrerKind::Configured(Arc::new(kind)));
        }
        Ok(Self { kinds })
    }

    /// The kinds that are described.
    pub fn kinds(&self) -> &[ReferrerKind] {
        &self.kinds
    }
}

/// The rule about Secrets in use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Protection")]
pub(super) struct Document {
    /// Further kinds of objects that keep the Secrets that they name, with the rights that `regcred manifests protection-rbac` prints.
    /// Whoever writes such an object is not asked about it: one that is written at the very moment in which its Secret is deleted can end
    /// without it. By default none.
    kinds: Vec<Definition>,
    /// Kinds whose imagePullSecrets are kept, likewise. By default none.
    image_pull_secrets_of: Vec<Shipped>,
}

/// Kinds that need no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
enum Shipped {
    /// `ServiceAccounts`, which are watched.
    ServiceAccount,
    /// Pods that have not ended, which are listed when a Secret of their namespace is to be deleted.
    Pod,
}

impl Shipped {
    fn definition(self) -> Definition {
        let name = "$.imagePullSecrets[*].name".to_owned();
        let (resource, kind, name, needs_secrets) = match self {
            Self::ServiceAccount => ("serviceaccounts", "ServiceAccount", name, None),
            Self::Pod => {
                ("pods", "Pod", "$.spec.imagePullSecrets[*].name".to_owned(), Some(UNFINISHED.to_owned()))
            }
        };
        Definition {
            group: String::new(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            secrets: vec![Place { each: None, name, namespace: None }],
            needs_secrets,
            watched: self == Self::ServiceAccount,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ObjectKey;
    use crate::model::reference::{Pointers, Referrer};

    fn shipped(kind: Shipped) -> ReferrerKind {
        let document = Document { image_pull_secrets_of: vec![kind], ..Document::default() };
        let mut kinds = Protection::compile(document).unwrap().kinds;
        kinds.pop().unwrap()
    }

    #[rstest]
    #[case::of_an_account(Shipped::ServiceAccount, json!({"imagePullSecrets": [{"name": "a"}, {}]}), &["imagePullSecrets[0].name"])]
    #[case::of_an_account_its_tokens_are_not(Shipped::ServiceAccount, json!({"secrets": [{"name": "a"}]}), &[])]
    #[case::of_a_new_pod(
        Shipped::Pod, json!({"spec": {"imagePullSecrets": [{"name": "a"}]}}), &["spec.imagePullSecrets[0].name"]
    )]
    #[case::of_a_pod_that_runs(
        Shipped::Pod,
        json!({"spec": {"imagePullSecrets": [{"name": "a"}]}, "status": {"phase": "Running"}}),
        &["spec.imagePullSecrets[0].name"]
    )]
    #[case::of_a_pod_that_has_ended(
        Shipped::Pod, json!({"spec": {"imagePullSecrets": [{"name": "a"}]}, "status": {"phase": "Failed"}}), &[]
    )]
    fn what_is_shipped_names_pull_secrets(
        #[case] kind: Shipped,
        #[case] object: Value,
        #[case] expected: &[&str],
    ) {
        let kind = shipped(kind);
        assert!(!kind.crosses_namespaces() && !kind.reserves());
        let referrer = Referrer { kind, key: ObjectKey::new("team-a", "one") };
        let pointers = Pointers::of(&referrer, &to_raw_value(&object).unwrap());
        assert_eq!(pointers.secrets.iter().map(|one| &*one.path).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pods_are_listed_and_accounts_watched() {
        assert!(!shipped(Shipped::Pod).is_watched());
        assert!(shipped(Shipped::ServiceAccount).is_watched());
    }
}
