//! Which namespaces and images a credential is for.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

pub(super) fn credential(spec: &Value) -> Result<Credential, CredentialError> {
    let mut object = json!({
        "apiVersion": "regcred.dev/v1alpha1",
        "kind": "RegistryCredential",
        "metadata": {"name": "ghcr", "uid": "1"},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}},
    });
    object["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
    Credential::parse(&serde_json::from_value(object).unwrap())
}

#[rstest]
#[case::name(json!({"namespaces": ["team-a"]}), "team-a", &[], Offer::Yes)]
#[case::names_are_anchored(json!({"namespaces": ["team-a"]}), "team-a-x", &[], Offer::No(NotOffered::NotNamed))]
#[case::globs_are_anchored(json!({"namespaces": ["team-*"]}), "my-team-a", &[], Offer::No(NotOffered::NotNamed))]
#[case::glob(json!({"namespaces": ["team-*"]}), "team-a", &[], Offer::Yes)]
#[case::question_mark(json!({"namespaces": ["team-?"]}), "team-ab", &[], Offer::No(NotOffered::NotNamed))]
#[case::all_by_name(json!({"namespaces": ["*"]}), "any", &[], Offer::Yes)]
#[case::all_by_selector(json!({"namespaceSelector": {}}), "any", &[], Offer::Yes)]
#[case::label(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}), "any", &[("a", "b")], Offer::Yes)]
#[case::other_label(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}), "any", &[("a", "c")], Offer::No(NotOffered::NotSelected))]
#[case::either_suffices(json!({"namespaces": ["x"], "namespaceSelector": {"matchLabels": {"a": "b"}}}), "x", &[], Offer::Yes)]
#[case::not_in(
    json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}}),
    "any", &[], Offer::Yes
)]
#[case::exists(
    json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}),
    "any", &[("a", "")], Offer::Yes
)]
#[case::exclusion_wins(json!({"namespaces": ["*"], "excludeNamespaces": ["team-*"]}), "team-a", &[], Offer::No(NotOffered::Excluded))]
#[case::exclusion_wins_over_labels(
    json!({"namespaceSelector": {}, "excludeNamespaces": ["team-a"]}), "team-a", &[], Offer::No(NotOffered::Excluded)
)]
fn namespaces_are_chosen_by_name_or_label(
    #[case] spec: Value,
    #[case] namespace: &str,
    #[case] labels: &[(&str, &str)],
    #[case] expected: Offer,
) {
    let labels: BTreeMap<_, _> = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    assert_eq!(credential(&spec).unwrap().namespaces.offer(namespace, Some(&labels)), expected);
}

#[test]
fn labels_are_asked_for_only_where_they_decide() {
    let by_label =
        credential(&json!({"namespaces": ["x"], "namespaceSelector": {"matchLabels": {"a": "b"}}})).unwrap();
    assert_eq!(by_label.namespaces.offer("y", None), Offer::DependsOnLabels);
    assert_eq!(by_label.namespaces.offer("x", None), Offer::Yes);
    let all = credential(&json!({"namespaceSelector": {}})).unwrap();
    assert_eq!(all.namespaces.offer("y", None), Offer::Yes);
}

#[test]
fn a_credential_for_no_namespace_is_refused() {
    assert_eq!(credential(&json!({})).unwrap_err(), CredentialError::NoNamespaces);
    assert_eq!(credential(&json!({"namespaces": []})).unwrap_err(), CredentialError::NoNamespaces);
}

#[rstest]
#[case::no_narrowing(&[], "ghcr.io/org/app", true)]
#[case::host(&["ghcr.io"], "ghcr.io/org/app", true)]
#[case::other_host(&["ghcr.io"], "quay.io/org/app", false)]
#[case::segment(&["ghcr.io/org"], "ghcr.io/org/app", true)]
#[case::whole_name(&["ghcr.io/org"], "ghcr.io/org", true)]
#[case::part_of_a_segment(&["ghcr.io/org"], "ghcr.io/organisation/app", false)]
#[case::trailing_star(&["ghcr.io/org/*"], "ghcr.io/org/app", true)]
#[case::trailing_star_is_no_other_segment(&["ghcr.io/org/*"], "ghcr.io/organisation/app", false)]
#[case::trailing_slash(&["ghcr.io/org/"], "ghcr.io/org/app", true)]
#[case::glob_in_host(&["*.azurecr.io"], "team.azurecr.io/app", true)]
#[case::glob_spans_no_dot(&["*.io"], "a.b.io/app", false)]
#[case::port(&["registry.example:5000"], "registry.example:5000/app", true)]
#[case::absent_port_is_another(&["registry.example"], "registry.example:5000/app", false)]
#[case::docker_hub(&["docker.io/me"], "docker.io/me/app", true)]
#[case::docker_hub_by_its_older_name(&["index.docker.io/me"], "docker.io/me/app", true)]
#[case::any_of_several(&["quay.io", "ghcr.io"], "ghcr.io/org/app", true)]
fn images_narrow_by_host_and_whole_segments(
    #[case] images: &[&str],
    #[case] repository: &str,
    #[case] expected: bool,
) {
    let credential = credential(&json!({"namespaces": ["*"], "images": images})).unwrap();
    assert_eq!(credential.is_for(&Target::new(repository)), expected);
}

#[test]
fn copies_are_named_after_the_credential_unless_it_says_otherwise() {
    let by_default = credential(&json!({"namespaces": ["*"]})).unwrap();
    assert_eq!(by_default.copy_in("team-a"), ObjectKey::new("team-a", "regcred-ghcr"));
    let named = credential(&json!({"namespaces": ["*"], "copyName": "pull"})).unwrap();
    assert_eq!(named.copy_in("team-a"), ObjectKey::new("team-a", "pull"));
}
