//! Bindings: through them Shoots use Secrets, of any namespace.

use std::fmt;

use serde_json::value::RawValue;

use crate::model::ObjectKey;
use crate::model::json::Json;
use crate::model::reference::Reference;

/// The kinds of bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingKind {
    /// `core.gardener.cloud`
    SecretBinding,
    /// `security.gardener.cloud`
    CredentialsBinding,
}

impl fmt::Display for BindingKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SecretBinding => "SecretBinding",
            Self::CredentialsBinding => "CredentialsBinding",
        })
    }
}

/// A binding, as far as it is about a Secret.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    kind: BindingKind,
    object: Json<'a>,
}

impl<'a> Binding<'a> {
    /// Reads an object, whatever it holds.
    pub fn read(kind: BindingKind, object: &'a RawValue) -> Self {
        Self { kind, object: object.into() }
    }

    /// The Secret that it binds, in its own namespace unless it names another. It holds the Secret until it is gone from
    /// storage, whether a Shoot uses it or not.
    pub fn reference(self, namespace: &str) -> Option<Reference> {
        let path = match self.kind {
            BindingKind::SecretBinding => "secretRef",
            BindingKind::CredentialsBinding => "credentialsRef",
        };
        let fields = self.object.field(path)?.fields();
        let text = |field| fields.get(field).and_then(Json::text).filter(|text| !text.is_empty());
        let is = |field, expected: &str| text(field).is_some_and(|text| &*text == expected);
        // A SecretBinding can name nothing else.
        let is_secret =
            self.kind == BindingKind::SecretBinding || (is("apiVersion", "v1") && is("kind", "Secret"));
        let name = text("name").filter(|_| is_secret)?;
        let secret = ObjectKey::new(text("namespace").as_deref().unwrap_or(namespace), &name);
        Some(Reference::new(secret, path))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::beside_it(BindingKind::SecretBinding, json!({"secretRef": {"name": "a"}}), Some("garden-dev/a"))]
    #[case::elsewhere(
        BindingKind::SecretBinding, json!({"secretRef": {"name": "a", "namespace": "garden-core"}}), Some("garden-core/a")
    )]
    #[case::by_its_kind(
        BindingKind::CredentialsBinding,
        json!({"credentialsRef": {"apiVersion": "v1", "kind": "Secret", "name": "a", "namespace": "garden-core"}}),
        Some("garden-core/a")
    )]
    #[case::of_another_kind(
        BindingKind::CredentialsBinding,
        json!({"credentialsRef": {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "InternalSecret", "name": "a"}}),
        None
    )]
    #[case::an_identity(
        BindingKind::CredentialsBinding,
        json!({"credentialsRef": {
            "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "WorkloadIdentity", "name": "a"
        }}),
        None
    )]
    #[case::without_a_name(BindingKind::SecretBinding, json!({"secretRef": {}}), None)]
    #[case::without_a_reference(BindingKind::SecretBinding, json!({}), None)]
    #[case::with_that_of_another_kind_of_binding(
        BindingKind::SecretBinding,
        json!({"credentialsRef": {"apiVersion": "v1", "kind": "Secret", "name": "a"}}),
        None
    )]
    fn a_binding_names_a_secret(
        #[case] kind: BindingKind,
        #[case] object: Value,
        #[case] expected: Option<&str>,
    ) {
        let raw = to_raw_value(&object).unwrap();
        let reference = Binding::read(kind, &raw).reference("garden-dev");
        assert_eq!(reference.map(|reference| reference.secret.to_string()).as_deref(), expected);
    }
}
