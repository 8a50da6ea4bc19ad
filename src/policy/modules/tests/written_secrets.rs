//! What is said about a Secret that modules are pulled with, when it is written.

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine};
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::decide_by;
use crate::policy::tests::Cluster;
use crate::policy::tests::review_of;
use crate::policy::{Decision, Outcome, Reason, Rule};

const KEY: &str = "operator.kyma-project.io/oci-registry-cred";

/// A Secret that nothing is wrong with.
fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {
            "name": "modules", "namespace": "kcp-system",
            "labels": {KEY: "modules", "operator.kyma-project.io/managed-by": "lifecycle-manager"},
        },
        "data": {".dockerconfigjson": STANDARD.encode(r#"{"auths":{"ghcr.io":{"auth":"dTpw"}}}"#)},
    })
}

/// It with one field replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut secret = secret();
    *secret.pointer_mut(pointer).unwrap() = value;
    secret
}

fn holding(document: &str) -> Value {
    with("/data", json!({".dockerconfigjson": STANDARD.encode(document)}))
}

/// Credentials that label modules, for ghcr.io by its key, for quay.io by its images.
fn cluster() -> Cluster {
    let spec = |value: &str, images: &[&str]| json!({"namespaces": ["*"], "images": images, "moduleLabels": {KEY: value}});
    Cluster::new().offering("ghcr", &spec("modules", &["ghcr.io/org"]), &["ghcr.io", "example.io"]).offering(
        "quay",
        &spec("others", &[]),
        &["quay.io"],
    )
}

fn judged(secret: &Value, old: Option<&Value>, configuration: &str) -> Decision {
    decide_by(Rule::ModuleSecrets, &review_of(secret, old), configuration, &cluster())
}

#[rstest]
#[case::nothing(secret(), None)]
#[case::of_the_older_type(
    {
        let mut secret = with("/type", json!("kubernetes.io/dockercfg"));
        secret["data"] = json!({".dockercfg": STANDARD.encode(r#"{"ghcr.io":{"auth":"dTpw"}}"#)});
        secret
    },
    None
)]
#[case::by_a_glob(holding(r#"{"auths":{"*.io":{"auth":"dTpw"}}}"#), None)]
#[case::by_a_longer_key(holding(r#"{"auths":{"https://ghcr.io/org":{"auth":"dTpw"}}}"#), None)]
#[case::of_another_type(
    with("/type", json!("Opaque")),
    Some((
        "unusableSecret",
        "Lifecycle Manager passes over a Secret of type Opaque: write a new one, of kubernetes.io/dockerconfigjson"
    ))
)]
#[case::no_json(
    holding("not json"),
    Some((
        "unusableSecret",
        "no module can be pulled with this Secret, nor with others beside it: a syntax error at line 1, column 2 of its JSON"
    ))
)]
#[case::no_registry(
    holding(r#"{"auths":{}}"#),
    Some(("uncoveredRegistry", "this Secret has credentials for no registry: modules would be pulled without any"))
)]
#[case::an_empty_entry(
    holding(r#"{"auths":{"ghcr.io":{}}}"#),
    Some((
        "uncoveredRegistry",
        "the entry of a registry is empty: modules there would be pulled without credentials"
    ))
)]
#[case::another_registry(
    holding(r#"{"auths":{"quay.io":{"auth":"dTpw"}}}"#),
    Some((
        "uncoveredRegistry",
        "no credentials for ghcr.io, whose modules are to be pulled with it by moduleLabels of regcred ghcr"
    ))
)]
#[case::unmanaged(
    with("/metadata/labels", json!({KEY: "modules"})),
    Some((
        "unmanagedSecret",
        "Lifecycle Manager before 2024 wants label operator.kyma-project.io/managed-by: lifecycle-manager"
    ))
)]
fn each_thing_is_warned_of_unless_it_is_to_be_ignored_and_never_refused(
    #[case] secret: Value,
    #[case] expected: Option<(&str, &str)>,
) {
    let decision = judged(&secret, None, "");
    let Some((finding, warning)) = expected else {
        assert_eq!((decision.reason, decision.warnings.texts().len()), (Reason::Accepted, 0));
        return;
    };
    assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Warned, &[warning.to_owned()][..]));
    let denying = judged(&secret, None, &format!("modules: {{findings: {{{finding}: Deny}}}}"));
    assert_eq!((denying.outcome, denying.reason), (Outcome::Allowed, Reason::Warned));
    let ignoring = judged(&secret, None, &format!("modules: {{findings: {{{finding}: Ignore}}}}"));
    assert_eq!(ignoring.reason, Reason::Accepted);
}

#[rstest]
#[case::as_kubectl_writes_it("https://index.docker.io/v1/", Reason::Accepted)]
#[case::by_its_short_name("docker.io", Reason::Warned)]
fn docker_hub_is_covered_by_the_key_that_go_containerregistry_looks_for(
    #[case] key: &str,
    #[case] expected: Reason,
) {
    let labelling = json!({"namespaces": ["*"], "moduleLabels": {KEY: "modules"}});
    let cluster = Cluster::new().offering("hub", &labelling, &["https://index.docker.io/v1/"]);
    let secret = holding(&json!({"auths": {key: {"auth": "dTpw"}}}).to_string());
    let decision = decide_by(Rule::ModuleSecrets, &review_of(&secret, None), "", &cluster);
    assert_eq!(decision.reason, expected, "{decision:?}");
}

#[test]
fn a_secret_where_nobody_looks_is_warned_of() {
    let decision = judged(&secret(), None, "modules: {secretNamespaces: [kyma-system]}");
    assert_eq!(
        decision.warnings.texts(),
        ["Lifecycle Manager looks for no Secret in kcp-system, by modules.secretNamespaces of regcred"]
    );
    assert_eq!(judged(&secret(), None, "modules: {secretNamespaces: [kcp-system]}").reason, Reason::Accepted);
}

#[rstest]
#[case::where_credentials_are_not_looked_at("kube-system")]
#[case::regcreds_own("regcred-system")]
fn a_secret_of_a_namespace_that_regcred_keeps_out_of_is_not_looked_at(#[case] namespace: &str) {
    let mut bad = with("/type", json!("Opaque"));
    bad["metadata"]["namespace"] = namespace.into();
    assert_eq!(judged(&bad, None, "").reason, Reason::SystemNamespace);
}

#[test]
fn a_secret_that_no_module_is_pulled_with_or_that_stays_or_goes_is_not_looked_at() {
    let bad = with("/type", json!("Opaque"));
    let mut unlabelled = bad.clone();
    unlabelled["metadata"]["labels"] = json!({"a": "b"});
    unlabelled["data"] = json!("not even an object");
    let mut annotated = bad.clone();
    annotated["metadata"]["annotations"] = json!({"a": "b"});
    let mut going = bad.clone();
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    for (object, old) in [(&unlabelled, None), (&annotated, Some(&bad)), (&going, Some(&secret()))] {
        assert_eq!(judged(object, old, "").reason, Reason::NotConcerned, "{object}");
    }
    assert_eq!(judged(&bad, Some(&secret()), "").reason, Reason::Warned);
    assert_eq!(judged(&bad, Some(&unlabelled), "").reason, Reason::Warned, "the label is new");
}

#[test]
fn a_secret_that_cannot_be_read_is_warned_of_without_a_word_of_it() {
    let decision = judged(&with("/data", json!({"a": ["hunter2"]})), None, "");
    assert_eq!(decision.reason, Reason::Unreadable);
    assert!(!format!("{decision:?}").contains("hunter2"));
}
