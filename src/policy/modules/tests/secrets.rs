//! What is said about the Secrets that a label selects.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::json;

use super::scene::{decide, decide_with, label, layer, refusal, review_of, template, v2};
use crate::model::module::SelectedSecret;
use crate::policy::{Reason, SecretsAnswer};

const COVERING: &str = r#"{"auths":{"ghcr.io":{"auth":"Zm9vOmJhcg=="}}}"#;

fn secret(name: &str, document: &str) -> Secret {
    let mut secret: Secret = serde_json::from_value(json!({
        "metadata": {
            "namespace": "kcp-system", "name": name, "labels": {"operator.kyma-project.io/managed-by": "lifecycle-manager"},
        },
        "type": "kubernetes.io/dockerconfigjson",
    }))
    .unwrap();
    secret.data = Some([(".dockerconfigjson".to_owned(), ByteString(document.as_bytes().to_vec()))].into());
    secret
}

fn covering(name: &str) -> Secret {
    secret(name, COVERING)
}

fn of_type(secret_type: &str) -> Secret {
    Secret { type_: Some(secret_type.into()), ..covering("modules") }
}

fn unmanaged() -> Secret {
    let mut secret = covering("modules");
    secret.metadata.labels = None;
    secret
}

/// A template whose one layer has the label.
fn review() -> serde_json::Value {
    review_of(&template(&v2(json!([layer("raw-manifest", json!([label()]))]))), None)
}

#[rstest]
#[case::usable(vec![covering("modules")], "", None)]
#[case::longer_key_elsewhere(
    vec![covering("modules"), secret("other", r#"{"auths":{"quay.io":{}}}"#)], "", None
)]
#[case::more_special(
    vec![covering("modules"), secret("other", r#"{"auths":{"ghcr.io/org":{}}}"#)], "", None
)]
#[case::none(vec![], "noSecret", Some("selects no Secret"))]
#[case::of_another_type(
    vec![of_type("Opaque"), covering("other")], "unusableSecret",
    Some("selects kcp-system/modules, whose type Opaque is passed over")
)]
#[case::broken(
    vec![secret("modules", "{"), covering("other")], "unusableSecret",
    Some("selects kcp-system/modules, which is broken: it ends too early at line 1, column 1 of its JSON")
)]
#[case::of_another_registry(
    vec![secret("modules", r#"{"auths":{"quay.io":{}}}"#)], "uncoveredRegistry",
    Some("selects no Secret with credentials for ghcr.io/org")
)]
#[case::of_another_path(
    vec![secret("modules", r#"{"auths":{"ghcr.io/team":{}}}"#)], "uncoveredRegistry",
    Some("selects no Secret with credentials for ghcr.io/org")
)]
#[case::ambiguous(
    vec![covering("modules"), covering("other")], "ambiguousSecrets",
    Some("selects 2 Secrets for ghcr.io/org, as kcp-system/modules and kcp-system/other: any may be used")
)]
#[case::unmanaged(
    vec![unmanaged()], "unmanagedSecret",
    Some("selects kcp-system/modules, which lacks label operator.kyma-project.io/managed-by: lifecycle-manager")
)]
fn each_thing_about_a_secret_is_warned_of_or_refused_as_configured(
    #[case] secrets: Vec<Secret>,
    #[case] finding: &str,
    #[case] expected: Option<&str>,
) {
    let secrets: Vec<SelectedSecret> = secrets.iter().map(SelectedSecret::from).collect();
    let decision = decide(&review(), "", &secrets);
    let selector = "operator.kyma-project.io/oci-registry-cred=ghcr";
    let Some(expected) = expected else {
        assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Accepted, &[][..]));
        return;
    };
    let told = format!("{selector} {expected}");
    let told: String =
        if told.chars().count() > 120 { told.chars().take(119).chain(['…']).collect() } else { told };
    assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Warned, &[told][..]));
    let configured = decide(&review(), &format!("modules: {{findings: {{{finding}: Deny}}}}"), &secrets);
    assert_eq!(
        refusal(&configured),
        format!(
            "The label oci-registry-cred of module example.io/module/sample in ghcr.io/org ({selector}) {expected}."
        )
    );
    let ignored = decide(&review(), &format!("modules: {{findings: {{{finding}: Ignore}}}}"), &secrets);
    assert_eq!(ignored.reason, Reason::Accepted);
}

#[rstest]
#[case::as_kubectl_writes_it("https://index.docker.io/v1/", Reason::Accepted)]
#[case::by_its_host("index.docker.io", Reason::Accepted)]
#[case::by_its_short_name("docker.io", Reason::Warned)]
fn docker_hub_is_covered_by_the_key_that_go_containerregistry_looks_for(
    #[case] key: &str,
    #[case] expected: Reason,
) {
    let mut descriptor = v2(json!([layer("raw-manifest", json!([label()]))]));
    descriptor["component"]["repositoryContexts"] = json!([{"baseUrl": "docker.io/org"}]);
    let secrets = [SelectedSecret::from(&secret("modules", &json!({"auths": {key: {}}}).to_string()))];
    assert_eq!(decide(&review_of(&template(&descriptor), None), "", &secrets).reason, expected);
}

#[test]
fn a_secret_where_nobody_looks_is_of_no_use() {
    let secrets = [SelectedSecret::from(&covering("modules"))];
    let elsewhere = decide(&review(), "modules: {secretNamespaces: [kyma-system]}", &secrets);
    assert!(
        elsewhere.warnings.texts()[0]
            .contains("selects kcp-system/modules, which is where Lifecycle Manager")
    );
    let there = decide(&review(), "modules: {secretNamespaces: [kyma-system, kcp-system]}", &secrets);
    assert_eq!(there.reason, Reason::Accepted);
}

#[test]
fn a_look_up_that_fails_is_a_warning_whatever_is_configured() {
    let configuration = "modules: {findings: {noSecret: Deny, uncoveredRegistry: Deny}}";
    let answer = SecretsAnswer::Unknown("secrets is forbidden".into());
    let (decision, asked) = decide_with(&review(), configuration, answer);
    assert_eq!((decision.reason, refusal(&decision)), (Reason::Warned, ""));
    assert_eq!(asked, ["operator.kyma-project.io/oci-registry-cred=ghcr"]);
}

#[test]
fn secrets_are_looked_for_once_and_by_the_selector_of_the_layer_that_is_installed() {
    let other = json!({"name": "oci-registry-cred", "value": {"c": "d", "a": "b"}});
    for (layers, expected) in [
        (json!([layer("config", json!([label()])), layer("raw-manifest", json!([other]))]), "a=b,c=d"),
        (json!([layer("my-chart", json!([other])), layer("config", json!([label()]))]), "a=b,c=d"),
        (json!([layer("config", json!([other]))]), "a=b,c=d"),
    ] {
        let review = review_of(&template(&v2(layers)), None);
        let (_, asked) = decide_with(&review, "", SecretsAnswer::Found(Vec::new()));
        assert_eq!(asked, [expected]);
    }
}

#[test]
fn of_a_template_that_is_refused_anyway_no_secrets_are_looked_for() {
    let layers = json!([layer("raw-manifest", json!([label()])), layer("config", json!([]))]);
    let (decision, asked) =
        decide_with(&review_of(&template(&v2(layers)), None), "", SecretsAnswer::Found(Vec::new()));
    assert_eq!((decision.reason, asked.len()), (Reason::Refused, 0));
}
