//! Which pods get which pull Secrets.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::policy::{Outcome, Reason};

fn everywhere() -> Value {
    json!({"namespaces": ["*"]})
}

#[rstest]
#[case::container(json!({"containers": [{"image": "ghcr.io/org/app:1"}]}))]
#[case::by_digest(json!({"containers": [{"image": format!("ghcr.io/org/app@sha256:{}", "a".repeat(64))}]}))]
#[case::init_container(json!({"containers": [{"image": "busybox"}], "initContainers": [{"image": "ghcr.io/i"}]}))]
#[case::image_volume(json!({"containers": [{"image": "busybox"}], "volumes": [{"image": {"reference": "ghcr.io/v"}}]}))]
#[case::beside_an_unreadable_image(json!({"containers": [{"image": "::"}, {"image": "ghcr.io/a"}]}))]
#[case::beside_a_container_without_image(json!({"containers": [{}, {"image": null}, {"image": "ghcr.io/a"}]}))]
fn wherever_a_pod_names_an_image_it_counts(#[case] spec: Value) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let decision = cluster.decide(&creation("team-a", &json!({"spec": spec})));
    assert_eq!((added(&decision), decision.reason), (vec!["regcred-ghcr"], Reason::Injected));
}

/// As many as fit a review; what takes the square of their number would take a minute.
#[test]
fn a_pod_of_very_many_images_is_decided_soon() {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let volumes: Vec<_> =
        (0..90_000).map(|number| json!({"image": {"reference": format!("quay.io/a{number}")}})).collect();
    let review = creation("team-a", &json!({"spec": {"volumes": volumes}}));
    let begun = Instant::now();
    assert_eq!(cluster.decide(&review).reason, Reason::NoCredential);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[rstest]
#[case::unknown_registry("quay.io/org/app")]
#[case::other_port("ghcr.io:443/org/app")]
#[case::docker_hub("busybox")]
fn a_pod_that_needs_nothing_stays_as_it_is(#[case] image: &str) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let decision = cluster.decide(&creation("team-a", &pod(&[image])));
    assert_eq!((added(&decision), decision.reason), (vec![], Reason::NoCredential));
    assert!(decision.warnings.texts().is_empty());
}

#[test]
fn docker_hub_images_are_known_by_any_spelling() {
    let cluster = Cluster::new().offering("hub", &everywhere(), &["https://index.docker.io/v1/"]);
    for image in ["busybox", "me/app", "docker.io/me/app:1", "index.docker.io/me/app"] {
        assert_eq!(added(&cluster.decide(&creation("team-a", &pod(&[image])))), ["regcred-hub"], "{image}");
    }
}

#[test]
fn all_credentials_that_answer_are_appended_by_name() {
    let cluster = Cluster::new()
        .offering("zeta", &everywhere(), &["ghcr.io"])
        .offering("alpha", &everywhere(), &["ghcr.io/org"])
        .offering("quay", &everywhere(), &["quay.io"])
        .offering("other", &everywhere(), &["registry.example"]);
    let decision = cluster.decide(&creation("team-a", &pod(&["quay.io/x", "ghcr.io/org/app"])));
    assert_eq!(added(&decision), ["regcred-alpha", "regcred-quay", "regcred-zeta"]);
}

#[test]
fn images_and_the_secrets_keys_must_both_answer() {
    let narrowed = json!({"namespaces": ["*"], "images": ["ghcr.io/org"]});
    let cluster = Cluster::new().offering("ghcr", &narrowed, &["ghcr.io"]);
    for (image, expected) in [
        ("ghcr.io/org/app", vec!["regcred-ghcr"]),
        ("ghcr.io/organisation/app", vec![]),
        ("ghcr.io/other/app", vec![]),
    ] {
        assert_eq!(added(&cluster.decide(&creation("team-a", &pod(&[image])))), expected, "{image}");
    }
    let wider = json!({"namespaces": ["*"], "images": ["quay.io"]});
    let cluster = Cluster::new().offering("ghcr", &wider, &["ghcr.io"]);
    assert!(added(&cluster.decide(&creation("team-a", &pod(&["quay.io/a"])))).is_empty());
}

#[rstest]
#[case::by_name(json!({"namespaces": ["team-a"]}), "team-a", true)]
#[case::by_label(json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}), "labelled", true)]
#[case::without_the_label(json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}), "team-a", false)]
#[case::excluded(json!({"namespaces": ["*"], "excludeNamespaces": ["team-a"]}), "team-a", false)]
#[case::kube_system(json!({"namespaces": ["*"]}), "kube-system", false)]
#[case::our_own(json!({"namespaces": ["*"]}), "regcred-system", false)]
#[case::opted_out(json!({"namespaces": ["*"]}), "opted-out", false)]
fn only_offered_namespaces_are_served(#[case] spec: Value, #[case] namespace: &str, #[case] served: bool) {
    let cluster = Cluster::new().offering("ghcr", &spec, &["ghcr.io"]);
    let decision = cluster.decide(&creation(namespace, &pod(&["ghcr.io/a"])));
    assert_eq!(decision.patch.is_some(), served);
    assert_eq!(decision.outcome, Outcome::Allowed);
}

#[test]
fn a_namespace_is_read_only_where_it_could_matter() {
    let cluster = Cluster::new().offering("ghcr", &json!({"namespaces": ["team-*"]}), &["ghcr.io"]);
    let asks = |namespace, image| {
        matches!(cluster.step(&creation(namespace, &pod(&[image])), &Answers::default()), Step::Needs(_))
    };
    assert!(asks("team-new", "ghcr.io/a"));
    assert!(!asks("team-new", "busybox"));
    assert!(!asks("other-new", "ghcr.io/a"));
}

#[test]
fn a_namespace_that_was_last_seen_ending_is_read_for_it_may_have_come_back() {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let ending = json!({"name": "team-a", "deletionTimestamp": "2026-01-01T00:00:00Z"});
    cluster.0.apply_namespace(&serde_json::from_value(ending).unwrap());
    let review = creation("team-a", &pod(&["ghcr.io/a"]));
    assert!(matches!(
        cluster.step(&review, &Answers::default()),
        Step::Needs(needs) if matches!(needs[0], Need::Namespace(_))
    ));
    assert_eq!(added(&cluster.decide(&review)), ["regcred-ghcr"]);
}

#[rstest]
#[case::absent(NamespaceAnswer::Absent)]
#[case::terminating(NamespaceAnswer::Found(Arc::new(Namespace { terminating: true, ..Namespace::default() })))]
fn nothing_is_written_in_a_namespace_that_is_not_there_to_stay(#[case] answer: NamespaceAnswer) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let answers = Answers { namespace: Some(answer), ..Answers::default() };
    let Step::Decided(decision) = cluster.step(&creation("new", &pod(&["ghcr.io/a"])), &answers) else {
        panic!("nothing is needed");
    };
    assert!(decision.patch.is_none() && decision.warnings.texts().is_empty());
}

#[test]
fn a_namespace_that_cannot_be_read_is_served_by_name_and_told_about_labels() {
    let cluster = Cluster::new()
        .offering("by-name", &json!({"namespaces": ["new"]}), &["ghcr.io"])
        .offering("by-label", &json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}), &["ghcr.io"])
        .with_copy("new", "by-name");
    let answers =
        Answers { namespace: Some(NamespaceAnswer::Unknown("no answer".into())), ..Answers::default() };
    let Step::Decided(decision) = cluster.step(&creation("new", &pod(&["ghcr.io/a"])), &answers) else {
        panic!("nothing is needed");
    };
    assert_eq!(added(&decision), ["regcred-by-name"]);
    assert!(decision.warnings.texts()[0].contains("could not read namespace new"), "{:?}", decision.warnings);
}

#[rstest]
#[case::absent(json!(null), json!([{"op": "add", "path": "/spec/imagePullSecrets", "value": [{"name": "regcred-ghcr"}]}]))]
#[case::empty(json!([]), json!([{"op": "add", "path": "/spec/imagePullSecrets/-", "value": {"name": "regcred-ghcr"}}]))]
#[case::own(json!([{"name": "own"}]), json!([{"op": "add", "path": "/spec/imagePullSecrets/-", "value": {"name": "regcred-ghcr"}}]))]
#[case::nameless(json!([{}]), json!([{"op": "add", "path": "/spec/imagePullSecrets/-", "value": {"name": "regcred-ghcr"}}]))]
fn the_patch_appends(#[case] pull_secrets: Value, #[case] patch: Value) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let mut pod = pod(&["ghcr.io/a"]);
    pod["spec"]["imagePullSecrets"] = pull_secrets;
    let decision = cluster.decide(&creation("team-a", &pod));
    assert_eq!(serde_json::to_value(decision.patch).unwrap(), patch);
}

#[test]
fn a_pod_that_names_the_secret_already_gets_its_copy_and_no_patch() {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let mut pod = pod(&["ghcr.io/a"]);
    pod["spec"]["imagePullSecrets"] = json!([{"name": "regcred-ghcr"}]);
    let decision = cluster.decide(&creation("team-a", &pod));
    assert_eq!(
        (added(&decision), decision.reason, decision.effects.len()),
        (vec![], Reason::NothingToAdd, 1)
    );
}

/// The API server refuses a pod with this annotation that names a Secret, whoever creates it.
#[rstest]
#[case::a_kubelets("system:node:n1", &["system:nodes"], Reason::MirrorPod, 0)]
#[case::anybody_elses("someone", &["system:authenticated"], Reason::NotInjected, 1)]
#[case::a_name_is_not_enough("system:node:n1", &["system:authenticated"], Reason::NotInjected, 1)]
fn a_mirror_pod_is_left_alone_and_who_is_no_node_is_told(
    #[case] user: &str,
    #[case] groups: &[&str],
    #[case] reason: Reason,
    #[case] warnings: usize,
) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let mut pod = pod(&["ghcr.io/a"]);
    pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "hash"});
    let mut review = creation("team-a", &pod);
    review["request"]["userInfo"] = json!({"username": user, "groups": groups});
    let decision = cluster.decide(&review);
    assert!(decision.patch.is_none() && decision.effects.is_empty());
    assert_eq!((decision.reason, decision.warnings.texts().len()), (reason, warnings));
}

#[test]
fn a_pod_may_opt_out() {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let mut pod = pod(&["ghcr.io/a"]);
    pod["metadata"]["labels"] = json!({"regcred.dev/inject": "disabled"});
    assert_eq!(cluster.decide(&creation("team-a", &pod)).reason, Reason::OptedOut);
}

#[rstest]
#[case::by_its_name("serviceAccountName")]
#[case::by_the_deprecated_field("serviceAccount")]
fn a_service_account_that_limits_its_pods_is_respected(#[case] field: &str) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    cluster.0.apply_service_account(&ObjectMeta {
        namespace: Some("team-a".into()),
        name: Some("guarded".into()),
        annotations: Some([("kubernetes.io/enforce-mountable-secrets".into(), "true".into())].into()),
        ..ObjectMeta::default()
    });
    let mut pod = pod(&["ghcr.io/a"]);
    pod["spec"][field] = json!("guarded");
    let decision = cluster.decide(&creation("team-a", &pod));
    assert_eq!((added(&decision), decision.effects.len()), (vec![], 0));
    assert!(decision.warnings.texts()[0].contains("ServiceAccount guarded"), "{:?}", decision.warnings);
}

#[rstest]
#[case::needed(&[], "ghcr.io/debug", true)]
#[case::named(&["regcred-ghcr"], "ghcr.io/debug", false)]
#[case::public(&[], "busybox", false)]
fn an_ephemeral_container_is_warned_of(
    #[case] pull_secrets: &[&str],
    #[case] image: &str,
    #[case] warned: bool,
) {
    let cluster = Cluster::new().offering("ghcr", &everywhere(), &["ghcr.io"]);
    let mut before = pod(&["busybox"]);
    before["spec"]["imagePullSecrets"] = pull_secrets.iter().map(|name| json!({"name": name})).collect();
    let mut after = before.clone();
    after["spec"]["ephemeralContainers"] = json!([{"image": image}]);
    let mut review = creation("team-a", &after);
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["subResource"] = json!("ephemeralcontainers");
    review["request"]["oldObject"] = before;
    let decision = cluster.decide(&review);
    assert_eq!((decision.warnings.texts().is_empty(), decision.patch.is_some()), (!warned, false));
}
