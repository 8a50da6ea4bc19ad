//! What the labels of layers must be: the rows of a table.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{decide, decide_with, label, layer, refusal, resource, template, v2, v3};
use crate::policy::tests::review_of;
use crate::policy::{Reason, SecretsAnswer};

fn judged(descriptor: &Value) -> crate::policy::Decision {
    decide(&review_of(&template(descriptor), None), "", &[])
}

#[rstest]
#[case::empty(json!({}))]
#[case::null(Value::Null)]
#[case::no_resources(v2(json!([])))]
#[case::resources_null(v2(Value::Null))]
#[case::no_resources_v3(v3(json!([])))]
#[case::an_image_alone(v2(json!([resource("module-image", "ociArtifact", json!([]))])))]
fn a_descriptor_of_which_nothing_is_pulled_is_not_concerned(#[case] descriptor: Value) {
    let decision = judged(&descriptor);
    assert_eq!((decision.reason, refusal(&decision)), (Reason::NotConcerned, ""));
    assert!(decision.warnings.texts().is_empty());
}

#[rstest]
#[case::v2("component")]
#[case::v3("v3")]
fn without_a_repository_context_nothing_is_pulled(#[case] schema: &str) {
    let resources = json!([layer("raw-manifest", json!([]))]);
    let mut descriptor = if schema == "v3" { v3(resources) } else { v2(resources) };
    let contexts = if schema == "v3" { &mut descriptor } else { &mut descriptor["component"] };
    contexts["repositoryContexts"] = json!([]);
    assert_eq!(judged(&descriptor).reason, Reason::NotConcerned);
}

#[rstest]
#[case::without_an_address(json!([{}]))]
#[case::with_an_empty_one(json!([{"baseUrl": ""}]))]
#[case::null_after_another(json!([{"baseUrl": "ghcr.io"}, null]))]
fn a_repository_context_that_names_no_registry_makes_no_layer_public(#[case] contexts: Value) {
    for schema in [v2, v3] {
        let mut descriptor = schema(json!([layer("raw-manifest", json!([]))]));
        let holder =
            if descriptor["component"].is_null() { &mut descriptor } else { &mut descriptor["component"] };
        holder["repositoryContexts"] = contexts.clone();
        let decision = judged(&descriptor);
        let message = refusal(&decision);
        assert!(
            message.starts_with("These layers of module example.io/module/sample have no label"),
            "{message}"
        );
        assert!(message.ends_with("operator.kyma-project.io/oci-registry-cred=NAME."), "{message}");
    }
}

#[rstest]
#[case::both_marks(json!({"apiVersion": "ocm.software/v3alpha1", "meta": {"schemaVersion": "v2"}, "component": {}}))]
#[case::both_structures(json!({"component": {}, "spec": {}}))]
#[case::neither(json!({"modules": []}))]
#[case::a_list(json!([1]))]
#[case::a_string(json!("descriptor"))]
fn a_descriptor_of_no_known_schema_is_allowed_with_a_warning(#[case] descriptor: Value) {
    let decision = judged(&descriptor);
    assert_eq!((decision.reason, refusal(&decision)), (Reason::Unreadable, ""));
    assert_eq!(decision.warnings.texts().len(), 1);
}

/// What stands beside the structure that the mark names is an unknown field.
#[rstest]
#[case::v2(v2(json!([layer("raw-manifest", json!([]))])), "spec")]
#[case::v3(v3(json!([layer("raw-manifest", json!([]))])), "component")]
fn a_field_with_the_name_of_the_other_schemas_structure_hides_nothing(
    #[case] mut descriptor: Value,
    #[case] other: &str,
) {
    descriptor[other] = json!({});
    assert!(!refusal(&judged(&descriptor)).is_empty(), "{descriptor}");
}

#[rstest]
#[case::local_blob("localBlob", true)]
#[case::local_blob_v1("localBlob/v1", true)]
#[case::local_oci_blob("localOciBlob", true)]
#[case::local_oci_blob_v1("localOciBlob/v1", true)]
#[case::artifact("ociArtifact", false)]
#[case::artifact_v1("ociArtifact/v1", false)]
#[case::registry("ociRegistry", false)]
#[case::registry_v1("ociRegistry/v1", false)]
#[case::relative("relativeOciReference", false)]
#[case::blob("ociBlob", false)]
#[case::image("OCIImage", false)]
#[case::helm("helm", false)]
#[case::none("none", false)]
#[case::empty("", false)]
fn only_local_blobs_need_the_label(#[case] access_type: &str, #[case] needs: bool) {
    for schema in [v2, v3] {
        for labels in [json!([]), json!([{"name": "oci-registry-cred", "value": "malformed"}])] {
            let decision = judged(&schema(json!([resource("raw-manifest", access_type, labels)])));
            assert_eq!(decision.reason == Reason::Refused, needs);
        }
    }
}

#[rstest]
#[case::v2(v2, "spec.descriptor.component.resources[].labels")]
#[case::v3(v3, "spec.descriptor.spec.resources[].labels")]
fn a_layer_without_the_label_is_refused_by_name_and_with_what_to_add(
    #[case] schema: fn(Value) -> Value,
    #[case] path: &str,
) {
    let descriptor = schema(json!([
        layer("config", json!([label()])),
        layer("raw-manifest", json!([{"name": "other", "value": "x"}])),
        resource("module-image", "ociArtifact", json!([])),
        layer("default-cr", Value::Null),
    ]));
    let decision = judged(&descriptor);
    let message = refusal(&decision);
    assert_eq!(
        message,
        format!(
            "These layers of module example.io/module/sample in ghcr.io/org have no label oci-registry-cred, by which \
             Lifecycle Manager finds the Secret to pull them with: raw-manifest, default-cr. Add to each, in {path}: {{name: \
             oci-registry-cred, value: {{operator.kyma-project.io/oci-registry-cred: NAME}}}}, and give the Secret the label \
             operator.kyma-project.io/oci-registry-cred=NAME. If the registry is public, list it in modules.publicRegistries \
             of regcred's configuration; or let regcred add the label, by moduleLabels of the RegistryCredential for the registry."
        )
    );
}

#[test]
fn of_many_layers_five_are_named_and_the_others_counted() {
    let layers: Vec<Value> = (0..5_000).map(|number| layer(&format!("layer-{number}"), json!([]))).collect();
    let decision = judged(&v2(layers.into()));
    assert!(refusal(&decision).contains(": layer-0, layer-1, layer-2, layer-3, layer-4 and 4995 more."));
    assert!(refusal(&decision).len() < 1_000);
}

#[test]
fn a_name_that_turns_the_direction_of_writing_or_breaks_the_line_is_shown_without_that() {
    let decision = judged(&v2(json!([layer("raw\u{202e}-mani\nfest", json!([]))])));
    assert!(refusal(&decision).contains("pull them with: raw -mani fest."), "{}", refusal(&decision));
}

#[test]
fn a_layer_without_a_name_is_told_by_its_place() {
    let decision = judged(&v2(json!([{}, {"access": {"type": "localBlob"}}])));
    assert!(refusal(&decision).contains("pull them with: resources[1]."), "{}", refusal(&decision));
}

#[test]
fn a_label_that_selects_nothing_is_refused_with_why() {
    let malformed = json!([{"name": "oci-registry-cred", "value": "a=b"}]);
    let decision = judged(&v2(json!([layer("raw-manifest", malformed), layer("config", json!([label()]))])));
    assert_eq!(
        refusal(&decision),
        "The label oci-registry-cred of these layers of module example.io/module/sample in ghcr.io/org cannot be used: \
         raw-manifest (its value is a string, not an object: write {\"a\":\"b\"}). Write it, in \
         spec.descriptor.component.resources[].labels, as {name: oci-registry-cred, value: \
         {operator.kyma-project.io/oci-registry-cred: NAME}}: its value is an object of the labels that the Secret has, all strings."
    );
}

#[test]
fn the_label_of_the_component_does_not_count_and_a_warning_says_so() {
    let mut descriptor = v2(json!([layer("raw-manifest", json!([]))]));
    descriptor["component"]["labels"] = json!([label()]);
    let decision = judged(&descriptor);
    assert_eq!(decision.reason, Reason::Refused);
    assert_eq!(
        decision.warnings.texts(),
        ["the label oci-registry-cred of the component itself is read by nobody: it belongs to each layer"]
    );
    let mut descriptor = v3(json!([layer("raw-manifest", json!([]))]));
    descriptor["metadata"]["labels"] = json!([label()]);
    assert_eq!(judged(&descriptor).warnings.texts().len(), 1);
}

#[rstest]
#[case::exact("ghcr.io/org", true)]
#[case::host("ghcr.io", true)]
#[case::another_path("ghcr.io/organisation", false)]
#[case::another_host("quay.io", false)]
#[case::a_former_context("example.io/former", false)]
fn a_module_in_a_public_registry_needs_no_label(#[case] public: &str, #[case] is_public: bool) {
    let configuration = format!("modules: {{publicRegistries: [{public}]}}");
    let review = review_of(&template(&v2(json!([layer("raw-manifest", json!([]))]))), None);
    let expected = if is_public { Reason::NotConcerned } else { Reason::Refused };
    assert_eq!(decide(&review, &configuration, &[]).reason, expected);
}

#[test]
fn a_module_with_a_digest_for_a_name_is_in_the_registry_that_it_says() {
    let mut descriptor = v2(json!([layer("raw-manifest", json!([]))]));
    descriptor["component"]["repositoryContexts"] =
        json!([{"baseUrl": "ghcr.io/org", "componentNameMapping": "sha256-digest"}]);
    let review = review_of(&template(&descriptor), None);
    let decision = decide(&review, "modules: {publicRegistries: [ghcr.io/org]}", &[]);
    assert_eq!(decision.reason, Reason::NotConcerned);
}

#[rstest]
#[case("docker.io/org", "docker.io/org")]
#[case("index.docker.io/org", "docker.io/org")]
#[case("docker.io/org", "index.docker.io")]
#[case("org", "docker.io/org")]
fn docker_hub_is_one_registry_whatever_it_is_called(#[case] base: &str, #[case] public: &str) {
    let mut descriptor = v2(json!([layer("raw-manifest", json!([]))]));
    descriptor["component"]["repositoryContexts"] = json!([{"baseUrl": base}]);
    let configuration = format!("modules: {{publicRegistries: [{public}]}}");
    let review = review_of(&template(&descriptor), None);
    assert_eq!(decide(&review, &configuration, &[]).reason, Reason::NotConcerned);
}

#[rstest]
#[case::installed("raw-manifest", "raw-manifest")]
#[case::as_of_old("my-chart", "my-chart")]
#[case::without_a_name("", "resources[1]")]
fn layers_that_ask_for_different_secrets_are_told_of(#[case] layer_name: &str, #[case] told: &str) {
    let other = json!({"name": "oci-registry-cred", "value": {"a": "b"}});
    let descriptor = v2(json!([layer("config", json!([label()])), layer(layer_name, json!([other]))]));
    let decision = judged(&descriptor);
    let warning =
        format!("the layers ask for different Secrets; Lifecycle Manager takes those of {told} for all");
    assert!(decision.warnings.texts().contains(&warning), "{:?}", decision.warnings.texts());
    assert_eq!(refusal(&decision), "");
}

#[rstest]
#[case::missing("missingLabel", json!([]))]
#[case::malformed("malformedLabel", json!([{"name": "oci-registry-cred", "value": {}}]))]
fn what_is_done_about_a_label_is_configured(#[case] finding: &str, #[case] labels: Value) {
    let review = review_of(&template(&v2(json!([layer("raw-manifest", labels)]))), None);
    for (action, expected) in
        [("Ignore", Reason::Accepted), ("Warn", Reason::Warned), ("Deny", Reason::Refused)]
    {
        let configuration = format!("modules: {{findings: {{{finding}: {action}}}}}");
        assert_eq!(decide(&review, &configuration, &[]).reason, expected, "{action}");
    }
}

/// As for a Lifecycle Manager that does not read labels.
#[test]
fn where_everything_is_ignored_nothing_is_said() {
    let ignored = [
        "missingLabel",
        "malformedLabel",
        "noSecret",
        "secretElsewhere",
        "unusableSecret",
        "uncoveredRegistry",
        "ambiguousSecrets",
        "unmanagedSecret",
    ];
    let ignored: Vec<String> = ignored.iter().map(|finding| format!("{finding}: Ignore")).collect();
    let configuration = format!("modules: {{findings: {{{}}}}}", ignored.join(", "));
    let other = json!({"name": "oci-registry-cred", "value": {"a": "b"}});
    let layers =
        [layer("config", json!([label()])), layer("a", json!([])), layer("raw-manifest", json!([other]))];
    let mut descriptor = v2(json!(layers));
    descriptor["component"]["labels"] = json!([label()]);
    let answer = SecretsAnswer::Found(Vec::new());
    let (decision, asked) = decide_with(&review_of(&template(&descriptor), None), &configuration, answer);
    assert_eq!((decision.reason, decision.warnings.texts(), asked.len()), (Reason::Accepted, &[][..], 0));
}
