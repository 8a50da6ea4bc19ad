//! Kyma's way to ask for a registry cache, which it makes a Shoot of.

use serde_json::value::RawValue;

use crate::model::ObjectKey;
use crate::model::json::Json;
use crate::model::reference::Reference;

/// A `RegistryCacheConfig` (`core.kyma-project.io`), as far as it is about a Secret.
#[derive(Debug, Clone, Copy)]
pub struct RegistryCacheConfig<'a> {
    object: Json<'a>,
}

impl<'a> RegistryCacheConfig<'a> {
    /// Reads an object, whatever it holds.
    pub fn read(object: &'a RawValue) -> Self {
        Self { object: object.into() }
    }

    /// The Secret with the credentials of the upstream: by its own name, in the same namespace, unlike in a Shoot.
    pub fn reference(self, namespace: &str) -> Option<Reference> {
        let name = self.object.at(&["spec", "secretReferenceName"]).and_then(Json::text);
        let name = name.filter(|name| !name.is_empty())?;
        Some(Reference::new(ObjectKey::new(namespace, &name), "spec.secretReferenceName"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::named(json!({"spec": {"upstream": "docker.io", "secretReferenceName": "a"}}), Some("team/a"))]
    #[case::empty(json!({"spec": {"secretReferenceName": ""}}), None)]
    #[case::no_text(json!({"spec": {"secretReferenceName": {"name": "a"}}}), None)]
    #[case::none(json!({"spec": {"upstream": "docker.io"}}), None)]
    #[case::nothing(json!({}), None)]
    fn a_config_names_a_secret(#[case] object: Value, #[case] expected: Option<&str>) {
        let raw = to_raw_value(&object).unwrap();
        let reference = RegistryCacheConfig::read(&raw).reference("team");
        assert_eq!(reference.map(|reference| reference.secret.to_string()).as_deref(), expected);
    }
}
