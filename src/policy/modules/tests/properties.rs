//! What holds for whatever somebody writes.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::scene::{decide, refusal, template};
use crate::policy::Reason;
use crate::policy::tests::{json_of, review_of};

/// Any JSON, in which the words that decide come often.
fn any_json() -> impl Strategy<Value = Value> {
    let words = vec!["localBlob", "oci-registry-cred", "v2", "ocm.software/v3alpha1", "ghcr.io", ""];
    let keys = vec![
        "component",
        "spec",
        "metadata",
        "meta",
        "schemaVersion",
        "apiVersion",
        "resources",
        "repositoryContexts",
        "labels",
        "name",
        "value",
        "access",
        "type",
        "baseUrl",
        "subPath",
    ];
    json_of(words, keys)
}

/// A descriptor whose parts may be anything.
pub(super) fn any_descriptor() -> impl Strategy<Value = Value> {
    let labels = prop_oneof![any_json(), vec(any_json(), 0..3).prop_map(Value::from)];
    let resource = prop_oneof![
        1 => any_json(),
        4 => (any_json(), labels).prop_map(|(name, labels)| {
            json!({"name": name, "labels": labels, "access": {"type": "localBlob"}})
        }),
        1 => (any_json(), any_json()).prop_map(|(value, other)| {
            json!({
                "name": "a", "labels": [other, {"name": "oci-registry-cred", "value": value}],
                "access": {"type": "localOciBlob"},
            })
        }),
    ];
    prop_oneof![
        1 => any_json(),
        3 => (vec(resource, 0..5), any_json(), any_json(), any::<bool>()).prop_map(|(resources, context, name, is_v2)| {
            let contexts = json!([context, {"baseUrl": "ghcr.io/org"}]);
            if is_v2 {
                let component = json!({"name": name, "resources": resources, "repositoryContexts": contexts});
                json!({"component": component})
            } else {
                json!({"metadata": {"name": name}, "repositoryContexts": contexts, "spec": {"resources": resources}})
            }
        }),
    ]
}

proptest! {
    #[test]
    fn any_descriptor_is_judged_and_a_refusal_is_about_labels(descriptor in any_descriptor()) {
        let decision = decide(&review_of(&template(&descriptor), None), "", &[]);
        let message = refusal(&decision);
        prop_assert_eq!(decision.reason == Reason::Refused, !message.is_empty());
        prop_assert!(message.is_empty() || message.contains("oci-registry-cred"), "{}", message);
        prop_assert!(message.len() < 3_000 && !message.contains(char::is_control), "{}", message);
    }

    #[test]
    fn what_was_written_once_can_be_written_again(descriptor in any_descriptor(), channel in "[a-z]{3,8}") {
        let old = template(&descriptor);
        let mut new = old.clone();
        new["spec"]["channel"] = channel.into();
        let decision = decide(&review_of(&new, Some(&old)), "", &[]);
        prop_assert_eq!(refusal(&decision), "");
    }
}
