//! What is said about the Secrets that a label selects.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::json;

use super::scene::{decide, decide_with, decide_within, label, layer, refusal, template, v2};
use crate::model::module::SelectedSecret;
use crate::model::scope::Scope;
use crate::policy::tests::review_of;
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
    vec![covering("modules"), secret("other", r#"{"auths":{"quay.io":{"auth":"dTpw"}}}"#)], "", None
)]
#[case::more_special(
    vec![covering("modules"), secret("other", r#"{"auths":{"ghcr.io/org":{"auth":"dTpw"}}}"#)], "", None
)]
#[case::none(
    vec![], "noSecret",
    Some((
        "no Secret has the labels operator.kyma-project.io/oci-registry-cred=ghcr",
        "Give them to the Secret for the registry, or correct the labels of the layers."
    ))
)]
#[case::of_another_type(
    vec![of_type("Opaque"), covering("other")], "unusableSecret",
    Some((
        "Lifecycle Manager passes over Secrets of another type: kcp-system/modules (Opaque)",
        "Delete it and write it as kubectl create secret docker-registry does."
    ))
)]
#[case::broken(
    vec![secret("modules", "{"), covering("other")], "unusableSecret",
    Some((
        "every pull fails because of broken Secrets: kcp-system/modules (it ends too early at line 1, column 1 of its JSON)",
        "Mend it, or take the labels from it."
    ))
)]
#[case::of_another_registry(
    vec![secret("modules", r#"{"auths":{"quay.io":{"auth":"dTpw"}}}"#)], "uncoveredRegistry",
    Some((
        "no Secret has credentials for ghcr.io/org, not even: kcp-system/modules",
        "Add the registry to the auths of the Secret."
    ))
)]
#[case::of_another_path(
    vec![secret("modules", r#"{"auths":{"ghcr.io/team":{"auth":"dTpw"}}}"#)], "uncoveredRegistry",
    Some((
        "no Secret has credentials for ghcr.io/org, not even: kcp-system/modules",
        "Add the registry to the auths of the Secret."
    ))
)]
#[case::with_an_empty_entry(
    vec![secret("modules", r#"{"auths":{"ghcr.io":{}}}"#)], "uncoveredRegistry",
    Some((
        "the entry for ghcr.io/org is empty in kcp-system/modules",
        "Write user name and password into it, which docker login may have put into a credential store."
    ))
)]
#[case::with_an_empty_entry_beside_a_usable_one(
    vec![secret("modules", r#"{"auths":{"ghcr.io":{}}}"#), covering("other")], "ambiguousSecrets",
    Some((
        "any one of several Secrets for ghcr.io/org may be used: kcp-system/modules, kcp-system/other",
        "Take the labels from all but one."
    ))
)]
#[case::of_no_registry_beside_one_that_covers(
    vec![covering("modules"), secret("other", r#"{"auths":{}}"#)], "", None
)]
#[case::ambiguous(
    vec![covering("other"), covering("modules")], "ambiguousSecrets",
    Some((
        "any one of several Secrets for ghcr.io/org may be used: kcp-system/modules, kcp-system/other",
        "Take the labels from all but one."
    ))
)]
#[case::unmanaged(
    vec![unmanaged()], "unmanagedSecret",
    Some((
        "no label operator.kyma-project.io/managed-by: lifecycle-manager on: kcp-system/modules",
        "Lifecycle Manager before 2024 wants it: add it."
    ))
)]
fn each_thing_about_a_secret_is_warned_of_or_refused_as_configured(
    #[case] secrets: Vec<Secret>,
    #[case] finding: &str,
    #[case] expected: Option<(&str, &str)>,
) {
    let secrets: Vec<SelectedSecret> = secrets.iter().map(SelectedSecret::from).collect();
    let decision = decide(&review(), "", &secrets);
    let Some((expected, remedy)) = expected else {
        assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Accepted, &[][..]));
        return;
    };
    assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Warned, &[expected.to_owned()][..]));
    let configured = decide(&review(), &format!("modules: {{findings: {{{finding}: Deny}}}}"), &secrets);
    assert_eq!(
        refusal(&configured),
        format!(
            "The Secrets that the label oci-registry-cred selects for module example.io/module/sample in ghcr.io/org \
             (operator.kyma-project.io/oci-registry-cred=ghcr): {expected}. {remedy}"
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
    let secrets =
        [SelectedSecret::from(&secret("modules", &json!({"auths": {key: {"auth": "dTpw"}}}).to_string()))];
    assert_eq!(decide(&review_of(&template(&descriptor), None), "", &secrets).reason, expected);
}

#[test]
fn a_secret_where_nobody_looks_is_of_no_use() {
    let secrets = [SelectedSecret::from(&covering("modules"))];
    let elsewhere = decide(&review(), "modules: {secretNamespaces: [kyma-system]}", &secrets);
    assert_eq!(
        elsewhere.warnings.texts(),
        ["Lifecycle Manager does not look where the Secrets are: kcp-system/modules"]
    );
    let denied = "modules: {secretNamespaces: [kyma-system], findings: {secretElsewhere: Deny}}";
    assert_eq!(
        refusal(&decide(&review(), denied, &secrets)),
        "The Secrets that the label oci-registry-cred selects for module example.io/module/sample in ghcr.io/org \
         (operator.kyma-project.io/oci-registry-cred=ghcr): Lifecycle Manager does not look where the Secrets are: \
         kcp-system/modules. Write the Secret in a namespace of modules.secretNamespaces of regcred's configuration."
    );
    let ignored = "modules: {secretNamespaces: [kyma-system], findings: {secretElsewhere: Ignore}}";
    assert_eq!(decide(&review(), ignored, &secrets).reason, Reason::Accepted);
    let there = decide(&review(), "modules: {secretNamespaces: [kyma-system, kcp-system]}", &secrets);
    assert_eq!(there.reason, Reason::Accepted);
}

/// There may be one elsewhere.
#[rstest]
#[case::everywhere("", false)]
#[case::in_more("secretNamespaces: [kcp-system, istio-system], ", false)]
#[case::in_those("secretNamespaces: [kcp-system], ", true)]
fn where_lifecycle_manager_sees_more_than_regcred_a_secret_that_is_not_seen_is_no_reason_to_refuse(
    #[case] namespaces: &str,
    #[case] refused: bool,
) {
    let scope = Scope::of(&["kcp-system".into(), "team".into()]);
    let judged = |secrets: &[SelectedSecret]| {
        let configuration =
            format!("modules: {{{namespaces}findings: {{noSecret: Deny, uncoveredRegistry: Deny}}}}");
        decide_within(&scope, &review(), &configuration, SecretsAnswer::Found(secrets.to_vec())).0
    };
    let expected = if refused { Reason::Refused } else { Reason::Warned };
    let (none, another) = (
        judged(&[]),
        judged(&[SelectedSecret::from(&secret("modules", r#"{"auths":{"quay.io":{"auth":"dTpw"}}}"#))]),
    );
    assert_eq!((none.reason, another.reason), (expected, expected));
    if !refused {
        for decision in [none, another] {
            let [warning] = decision.warnings.texts() else { panic!("{decision:?}") };
            assert!(warning.starts_with("no Secret that regcred can see has "), "{warning}");
        }
    }
}

#[test]
fn of_many_secrets_five_are_named_and_what_is_said_stays_short() {
    let name = |number: usize| format!("{number:02}-{}", "x".repeat(200));
    let secrets = (0..20).map(|number| Secret { type_: Some("y".repeat(500)), ..covering(&name(number)) });
    let broken = (20..40).map(|number| secret(&name(number), "{"));
    let covering = (40..60).map(|number| covering(&name(number)));
    let secrets = secrets.chain(broken).chain(covering).map(|mut secret| {
        secret.metadata.labels = None;
        SelectedSecret::from(&secret)
    });
    let secrets: Vec<SelectedSecret> = secrets.collect();
    let decision = decide(&review(), "", &secrets);
    let beginnings =
        ["Lifecycle Manager passes over", "every pull fails", "no label operator", "any one of several"];
    for (warning, beginning) in decision.warnings.texts().iter().zip(beginnings) {
        assert!(warning.starts_with(beginning), "{warning}");
    }
    assert_eq!(decision.warnings.texts().len(), beginnings.len());
    let refused =
        "modules: {findings: {unusableSecret: Deny, unmanagedSecret: Deny, ambiguousSecrets: Deny}}";
    let refused = decide(&review(), refused, &secrets);
    assert_eq!(refusal(&refused).matches(" and 15 more. ").count(), 3);
    assert_eq!(refusal(&refused).matches(" and 55 more. ").count(), 1);
    assert!(refusal(&refused).len() < 8_000, "{}", refusal(&refused).len());
}

#[test]
fn a_look_up_that_fails_is_a_warning_whatever_is_configured() {
    let configuration = "modules: {findings: {noSecret: Deny, uncoveredRegistry: Deny}}";
    let answer = SecretsAnswer::Unknown("secrets is forbidden".into());
    let (decision, asked) = decide_with(&review(), configuration, answer);
    assert_eq!((decision.reason, refusal(&decision)), (Reason::Warned, ""));
    assert_eq!(
        decision.warnings.texts(),
        [
            "could not look for Secrets (secrets is forbidden) with operator.kyma-project.io/oci-registry-cred=ghcr"
        ]
    );
    assert_eq!(asked, ["operator.kyma-project.io/oci-registry-cred=ghcr"]);
}

#[test]
fn secrets_are_looked_for_once_and_by_the_selector_of_the_layer_that_is_installed() {
    let other = json!({"name": "oci-registry-cred", "value": {"c": "d", "a": "b"}});
    for (layers, expected) in [
        (json!([layer("config", json!([label()])), layer("raw-manifest", json!([other]))]), "a=b,c=d"),
        (json!([layer("my-chart", json!([other])), layer("config", json!([label()]))]), "a=b,c=d"),
        (json!([layer("config", json!([other]))]), "a=b,c=d"),
        (json!([layer("first", json!([label()])), layer("last", json!([other]))]), "a=b,c=d"),
        (json!([layer("my-chart", json!([other])), layer("crds", json!([label()]))]), "a=b,c=d"),
        (json!([layer("raw-manifest", json!([other])), layer("default-cr", json!([label()]))]), "a=b,c=d"),
        (json!([layer("raw-manifest", json!([label()])), layer("raw-manifest", json!([other]))]), "a=b,c=d"),
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
