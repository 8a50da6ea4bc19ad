//! What is said about a `ModuleTemplate` that replaces another.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{decide, label, layer, refusal, template, v2};
use crate::model::module::SelectedSecret;
use crate::policy::Reason;
use crate::policy::tests::review_of;

fn unlabelled(names: &[&str]) -> Value {
    let layers: Vec<Value> = names.iter().map(|name| layer(name, json!([]))).collect();
    template(&v2(layers.into()))
}

fn updated(old: &Value, new: &Value) -> crate::policy::Decision {
    decide(&review_of(new, Some(old)), "", &[])
}

#[test]
fn one_whose_spec_stays_is_not_concerned() {
    let old = unlabelled(&["raw-manifest"]);
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(updated(&old, &new).reason, Reason::NotConcerned);
}

#[test]
fn one_that_is_being_deleted_is_not_concerned() {
    let mut new = unlabelled(&["raw-manifest"]);
    new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(updated(&template(&json!({})), &new).reason, Reason::NotConcerned);
}

#[test]
fn what_was_wrong_before_is_warned_of_and_what_is_new_refused() {
    let mut old = unlabelled(&["raw-manifest"]);
    old["spec"]["channel"] = "fast".into();
    let same = updated(&old, &unlabelled(&["raw-manifest"]));
    assert_eq!((same.reason, refusal(&same)), (Reason::Warned, ""));
    assert_eq!(same.warnings.texts(), ["these layers have no label oci-registry-cred: raw-manifest"]);
    let more = updated(&old, &unlabelled(&["raw-manifest", "config"]));
    assert!(refusal(&more).contains("pull them with: config."), "{}", refusal(&more));
    assert_eq!(more.warnings.texts().len(), 1);
    let twice = updated(&old, &unlabelled(&["raw-manifest", "raw-manifest"]));
    assert!(refusal(&twice).contains("pull them with: raw-manifest."));
}

#[rstest]
#[case::taken_away(json!([label()]), json!([]))]
#[case::garbled(json!([label()]), json!([{"name": "oci-registry-cred", "value": {}}]))]
#[case::garbled_where_it_was_missing(json!([]), json!([{"name": "oci-registry-cred", "value": {}}]))]
#[case::taken_away_where_it_was_garbled(json!([{"name": "oci-registry-cred", "value": {}}]), json!([]))]
#[case::garbled_in_another_way(
    json!([{"name": "oci-registry-cred", "value": "a=b"}]), json!([{"name": "oci-registry-cred", "value": {}}])
)]
fn another_mistake_than_before_is_new(#[case] before: Value, #[case] after: Value) {
    let of = |labels: Value| template(&v2(json!([layer("raw-manifest", labels)])));
    assert_eq!(updated(&of(before), &of(after)).reason, Reason::Refused);
}

#[test]
fn what_was_in_a_public_registry_before_was_not_wrong_there() {
    let mut old = unlabelled(&["raw-manifest"]);
    old["spec"]["descriptor"]["component"]["repositoryContexts"] = json!([{"baseUrl": "public.example"}]);
    let review = review_of(&unlabelled(&["raw-manifest"]), Some(&old));
    let decision = decide(&review, "modules: {publicRegistries: [public.example]}", &[]);
    assert_eq!(decision.reason, Reason::Refused);
}

#[rstest]
#[case::the_same("ghcr.io/org", Reason::Warned)]
#[case::for_another_registry("ghcr.io/team", Reason::Warned)]
fn secrets_that_were_missing_before_are_warned_of(#[case] former: &str, #[case] expected: Reason) {
    let mut old = template(&v2(json!([layer("raw-manifest", json!([label()]))])));
    let new = old.clone();
    old["spec"]["channel"] = "fast".into();
    old["spec"]["descriptor"]["component"]["repositoryContexts"] = json!([{"baseUrl": former}]);
    let decision = decide(&review_of(&new, Some(&old)), "modules: {findings: {noSecret: Deny}}", &[]);
    assert_eq!(decision.reason, expected);
}

/// As regcred does where a credential says how.
#[test]
fn a_label_that_is_added_to_what_had_none_is_no_reason_to_refuse_it_for_its_secrets() {
    let mut new = template(&v2(json!([layer("raw-manifest", json!([label()]))])));
    new["spec"]["channel"] = "fast".into();
    let review = review_of(&new, Some(&unlabelled(&["raw-manifest"])));
    let decision = decide(&review, "modules: {findings: {noSecret: Deny}}", &[]);
    assert_eq!((decision.reason, refusal(&decision)), (Reason::Warned, ""));
}

#[test]
fn a_secret_that_was_missing_before_is_missing_still_whatever_the_module_is_called() {
    let old = template(&v2(json!([layer("raw-manifest", json!([label()]))])));
    let mut new = old.clone();
    new["spec"]["descriptor"]["component"]["name"] = "example.io/module/renamed".into();
    let opaque = serde_json::from_value::<k8s_openapi::api::core::v1::Secret>(json!({
        "metadata": {"namespace": "kcp-system", "name": "opaque"}, "type": "Opaque",
    }));
    let opaque = [SelectedSecret::from(&opaque.unwrap())];
    for (finding, secrets) in
        [("noSecret", &[][..]), ("unusableSecret", &opaque), ("unmanagedSecret", &opaque)]
    {
        let denying = format!("modules: {{findings: {{{finding}: Deny}}}}");
        let renamed = decide(&review_of(&new, Some(&old)), &denying, secrets);
        assert_eq!(renamed.reason, Reason::Warned, "{finding}");
        assert_eq!(decide(&review_of(&new, None), &denying, secrets).reason, Reason::Refused, "{finding}");
    }
}

#[test]
fn a_layer_without_a_name_is_the_same_wherever_it_stands() {
    let unnamed = json!({"access": {"type": "localBlob"}});
    let image = json!({"name": "image", "access": {"type": "ociArtifact"}});
    let old = template(&v2(json!([unnamed])));
    let moved = template(&v2(json!([image, unnamed])));
    assert_eq!(updated(&old, &moved).reason, Reason::Warned);
    assert_eq!(updated(&old, &template(&v2(json!([unnamed, unnamed])))).reason, Reason::Refused);
}
