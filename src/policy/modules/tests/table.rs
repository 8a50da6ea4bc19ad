//! What is decided about a `ModuleTemplate`, row by row.

use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{SELECTOR, decide, label, layer, refusal, resource, template, v2, v3};
use crate::model::module::SelectedSecret;
use crate::policy::Outcome;
use crate::policy::tests::review_of;

/// What comes of it, with a part of what is told.
enum Expected {
    Allowed,
    Warned(&'static str),
    Refused(&'static str),
}
use Expected::{Allowed, Refused, Warned};

const NO_LABEL: &str = "have no label oci-registry-cred";

/// A Secret with the labels that the module asks for.
fn secret(change: impl FnOnce(&mut Value)) -> SelectedSecret {
    let mut secret = json!({
        "metadata": {
            "namespace": "kcp-system", "name": "modules",
            "labels": {SELECTOR.0: SELECTOR.1, "operator.kyma-project.io/managed-by": "lifecycle-manager"},
        },
        "type": "kubernetes.io/dockerconfigjson",
        // {"auths":{"ghcr.io":{"auth":"dTpw"}}}
        "data": {".dockerconfigjson": "eyJhdXRocyI6eyJnaGNyLmlvIjp7ImF1dGgiOiJkVHB3In19fQ=="},
    });
    change(&mut secret);
    SelectedSecret::from(&serde_json::from_value::<Secret>(secret).unwrap())
}

fn usable() -> SelectedSecret {
    secret(|_| {})
}

fn one_layer(labels: Value) -> Value {
    v2(json!([layer("raw-manifest", labels)]))
}

fn being_deleted() -> Value {
    let mut template = template(&one_layer(json!([])));
    template["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    template
}

/// With labels on the component beside those of its one layer.
fn labelled_component(labels: Value) -> Value {
    let mut descriptor = one_layer(labels);
    descriptor["component"]["labels"] = json!([label()]);
    descriptor
}

fn without_contexts() -> Value {
    let mut descriptor = one_layer(json!([]));
    descriptor["component"].as_object_mut().unwrap().remove("repositoryContexts");
    descriptor
}

fn of_value(value: &Value) -> Value {
    one_layer(json!([{"name": "oci-registry-cred", "value": value}]))
}

#[rstest]
#[case::being_deleted(being_deleted(), Some(template(&json!({}))), vec![], Allowed)]
#[case::with_the_spec_that_it_has(
    template(&one_layer(json!([]))), Some(template(&one_layer(json!([])))), vec![], Allowed
)]
#[case::with_an_empty_descriptor(template(&json!({})), None, vec![], Allowed)]
#[case::without_resources(template(&v2(json!([]))), None, vec![], Allowed)]
#[case::without_repository_contexts(template(&without_contexts()), None, vec![], Allowed)]
#[case::of_no_schema(template(&json!({"modules": []})), None, vec![], Warned("neither component nor spec"))]
#[case::of_two_schemas(
    template(&json!({"apiVersion": "ocm.software/v3alpha1", "meta": {"schemaVersion": "v2"}, "component": {}})),
    None, vec![], Warned("looks like both schemas")
)]
#[case::without_the_label(template(&one_layer(json!([]))), None, vec![usable()], Refused(NO_LABEL))]
#[case::of_the_other_schema_without_the_label(
    template(&v3(json!([layer("raw-manifest", json!([]))]))), None, vec![usable()], Refused(NO_LABEL)
)]
#[case::one_layer_of_two_without_the_label(
    template(&v2(json!([layer("raw-manifest", json!([label()])), layer("config", json!([]))]))), None, vec![usable()],
    Refused("pull them with: config.")
)]
#[case::selecting_every_secret(
    template(&of_value(&json!({}))), None, vec![usable()], Refused("raw-manifest (its value is {}, which selects every Secret)")
)]
#[case::with_a_number_in_the_label(
    template(&of_value(&json!({"a": 1}))), None, vec![usable()], Refused(r#"raw-manifest (the value of "a" is a number"#)
)]
#[case::an_image_without_the_label(
    template(&v2(json!([resource("module-image", "ociArtifact", json!([]))]))), None, vec![], Allowed
)]
#[case::an_image_with_a_malformed_label(
    template(&v2(json!([resource("image", "ociRegistry", json!([{"name": "oci-registry-cred", "value": {}}]))]))),
    None, vec![], Allowed
)]
#[case::labelled_on_the_component_alone(
    template(&labelled_component(json!([]))), None, vec![usable()], Refused(NO_LABEL)
)]
#[case::labelled_on_the_component_too(template(&labelled_component(json!([label()]))), None, vec![usable()], Allowed)]
#[case::with_layers_that_disagree(
    template(&v2(json!([
        layer("raw-manifest", json!([label()])),
        layer("config", json!([{"name": "oci-registry-cred", "value": {"a": "b"}}])),
    ]))),
    None, vec![usable()], Warned("takes those of raw-manifest for all")
)]
#[case::without_a_secret(template(&one_layer(json!([label()]))), None, vec![], Warned("no Secret has the labels"))]
#[case::with_a_secret_of_another_type(
    template(&one_layer(json!([label()]))), None,
    vec![usable(), secret(|secret| secret["type"] = "Opaque".into())], Warned("passes over Secrets of another type")
)]
#[case::with_a_secret_that_is_broken(
    template(&one_layer(json!([label()]))), None,
    vec![usable(), secret(|secret| secret["data"] = json!({".dockerconfigjson": "ew=="}))],
    Warned("every pull fails because of broken Secrets")
)]
#[case::with_two_secrets(
    template(&one_layer(json!([label()]))), None, vec![usable(), secret(|secret| secret["metadata"]["name"] = "other".into())],
    Warned("any one of several Secrets")
)]
#[case::with_a_secret_for_another_registry(
    template(&one_layer(json!([label()]))), None,
    // {"auths":{"quay.io":{"auth":"dTpw"}}}
    vec![secret(|secret| secret["data"] = json!({".dockerconfigjson": "eyJhdXRocyI6eyJxdWF5LmlvIjp7ImF1dGgiOiJkVHB3In19fQ=="}))],
    Warned("no Secret has credentials for ghcr.io/org")
)]
#[case::with_a_secret_that_is_not_managed(
    template(&one_layer(json!([label()]))), None,
    vec![secret(|secret| secret["metadata"]["labels"] = json!({SELECTOR.0: SELECTOR.1}))],
    Warned("no label operator.kyma-project.io/managed-by: lifecycle-manager")
)]
#[case::as_it_should_be(template(&one_layer(json!([label()]))), None, vec![usable()], Allowed)]
fn a_module_template(
    #[case] written: Value,
    #[case] before: Option<Value>,
    #[case] secrets: Vec<SelectedSecret>,
    #[case] expected: Expected,
) {
    let decision = decide(&review_of(&written, before.as_ref()), "", &secrets);
    let (message, warnings) = (refusal(&decision), decision.warnings.texts());
    match expected {
        Allowed => assert_eq!((&decision.outcome, warnings), (&Outcome::Allowed, &[][..])),
        Warned(part) => {
            assert_eq!(decision.outcome, Outcome::Allowed);
            assert!(warnings.len() == 1 && warnings[0].contains(part), "{warnings:?}");
        }
        Refused(part) => assert!(message.contains(part), "{message}"),
    }
}
