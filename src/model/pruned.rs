//! Objects without `managedFields`: nobody here reads them, and whoever may write an object may write them, as deep as they like. The
//! API server stores what no parser with a limit of depth reads, and one such object must not keep all others from being seen.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use kube::Resource;
use kube::core::ObjectMeta;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

/// An object as it is read from JSON, but for its `managedFields`.
#[derive(Debug, Clone)]
pub struct Pruned<K>(pub K);

impl<K> Deref for Pruned<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.0
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Pruned<K> {
    /// From JSON text alone, of which what is passed over may have any depth.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let pruned = without_managed_fields(&raw);
        let text = pruned.as_deref().unwrap_or_else(|| raw.get());
        serde_json::from_str(text).map(Self).map_err(D::Error::custom)
    }
}

/// The text of an object without them; `None` where there are none to be taken out, or it is no object with metadata.
fn without_managed_fields(object: &RawValue) -> Option<String> {
    type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;
    let mut fields: Fields<'_> = serde_json::from_str(object.get()).ok()?;
    let mut metadata: Fields<'_> = serde_json::from_str(fields.get("metadata")?.get()).ok()?;
    metadata.remove("managedFields")?;
    let metadata = to_raw_value(&metadata).ok()?;
    fields.insert("metadata".into(), &metadata);
    serde_json::to_string(&fields).ok()
}

impl<K: Resource> Resource for Pruned<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &K::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &K::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &K::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &K::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    /// Else all of an object would be asked for where its metadata is meant.
    fn metadata_api() -> bool {
        K::metadata_api()
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::core::PartialObjectMeta;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// A Secret with this much in its `managedFields`, one in the other.
    pub(crate) fn deep_secret(depth: usize) -> String {
        let fields = format!("{}{}{}", r#"{"f:a":"#.repeat(depth), "{}", "}".repeat(depth));
        let secret = json!({
            "metadata": {
                "namespace": "team-a", "name": "deep", "labels": {"a": "b"},
                "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": "FIELDS"}],
            },
            "data": {"password": "aHVudGVyMg=="},
        });
        secret.to_string().replace(r#""FIELDS""#, &fields)
    }

    #[rstest]
    #[case::shallow(1)]
    #[case::deeper_than_parsers_go(200)]
    #[case::as_deep_as_the_api_server_takes_it(9_000)]
    fn a_secret_is_read_however_deep_its_managed_fields_are(#[case] depth: usize) {
        let text = deep_secret(depth);
        assert_eq!(serde_json::from_str::<Secret>(&text).is_ok(), depth == 1, "else nothing is shown here");
        let Pruned(secret) = serde_json::from_str::<Pruned<Secret>>(&text).unwrap();
        assert_eq!(secret.metadata.name.as_deref(), Some("deep"));
        assert_eq!((secret.metadata.labels.unwrap().len(), secret.data.unwrap().len()), (1, 1));
        assert_eq!(secret.metadata.managed_fields, None);
    }

    #[rstest]
    #[case::without_metadata(json!({"data": {}}), true)]
    #[case::of_another_form(json!({"metadata": {"name": 7}}), false)]
    #[case::that_is_none(json!(7), false)]
    fn an_object_is_read_or_refused_as_it_would_be_otherwise(
        #[case] object: serde_json::Value,
        #[case] is_read: bool,
    ) {
        let text = object.to_string();
        assert_eq!(serde_json::from_str::<Secret>(&text).is_ok(), is_read);
        assert_eq!(serde_json::from_str::<Pruned<Secret>>(&text).is_ok(), is_read);
    }

    #[test]
    fn of_metadata_no_more_is_asked_for() {
        assert!(Pruned::<PartialObjectMeta<Secret>>::metadata_api());
        assert!(!Pruned::<Secret>::metadata_api());
    }

    proptest! {
        #[test]
        fn nothing_else_changes(name in ".{0,9}", labels in prop::collection::btree_map(".{0,5}", ".{0,5}", 0..3)) {
            let object = json!({"metadata": {"name": name, "labels": labels, "managedFields": []}, "type": name});
            let text = object.to_string();
            let mut plain: Secret = serde_json::from_str(&text).unwrap();
            plain.metadata.managed_fields = None;
            prop_assert_eq!(serde_json::from_str::<Pruned<Secret>>(&text).unwrap().0, plain);
        }
    }
}
