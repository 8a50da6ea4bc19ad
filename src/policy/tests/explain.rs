//! What is explained is what is decided.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::pods::any_pod;
use super::*;
use crate::model::consent::{Consent, Dissent};
use crate::model::copy::Obstacle;
use crate::model::credential::NotOffered;
use crate::policy::explain::{Answer, CopyState, Explained, Explanation, LeftAlone, Verdict, Why, explain};

/// Explains to the end, with an answer for each credential's copy.
fn explained(cluster: &Cluster, review: &Value, copies: &BTreeMap<Arc<str>, CopyAnswer>) -> Explanation {
    let body = review.to_string();
    let request = review::decode(body.as_bytes()).unwrap();
    let mut answers = Answers::default();
    for _ in 0..3 {
        match explain(&request, &cluster.0.snapshot(), &answers, Instant::now()).unwrap() {
            Explained::Explanation(explanation) => return explanation,
            Explained::Needs(needs) => answer(needs, &mut answers, copies),
        }
    }
    panic!("three rounds of needs were not enough");
}

fn answer(needs: Vec<Need>, answers: &mut Answers, copies: &BTreeMap<Arc<str>, CopyAnswer>) {
    for need in needs {
        match need {
            Need::Namespace(_) => answers.namespace = Some(NamespaceAnswer::Found(Arc::default())),
            Need::Copy { wanted, .. } => {
                let name = wanted.credential.name.clone();
                let answer = copies.get(&name).cloned().unwrap_or(CopyAnswer::Absent);
                answers.copies.insert(name, answer);
            }
            need => panic!("no pod asks for {need:?}"),
        }
    }
}

fn decided(cluster: &Cluster, review: &Value, copies: &BTreeMap<Arc<str>, CopyAnswer>) -> Decision {
    let mut answers = Answers::default();
    loop {
        match cluster.step(review, &answers) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => answer(needs, &mut answers, copies),
        }
    }
}

fn verdict_of(cluster: &Cluster, namespace: &str, pod: &Value) -> (Verdict, CopyState) {
    let explanation = explained(cluster, &creation(namespace, pod), &BTreeMap::new());
    let [credential] = &explanation.credentials[..] else { panic!("{explanation:?}") };
    (credential.verdict.clone(), credential.copy.clone())
}

#[rstest]
#[case::offered(json!({"namespaces": ["*"]}), "team-a", Verdict::WouldAdd)]
#[case::not_named(json!({"namespaces": ["x"]}), "team-a", Verdict::Never(Why::NotOffered(NotOffered::NotNamed)))]
#[case::not_selected(
    json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}),
    "team-a",
    Verdict::Never(Why::NotOffered(NotOffered::NotSelected))
)]
#[case::excluded(
    json!({"namespaces": ["*"], "excludeNamespaces": ["team-a"]}),
    "team-a",
    Verdict::Never(Why::NotOffered(NotOffered::Excluded))
)]
#[case::audited(json!({"namespaces": ["*"], "mode": "Audit"}), "team-a", Verdict::Never(Why::Audit))]
#[case::opted_out(json!({"namespaces": ["*"]}), "opted-out", Verdict::Never(Why::LeftAlone(LeftAlone::NamespaceOptsOut)))]
#[case::system(json!({"namespaces": ["*"]}), "kube-system", Verdict::Never(Why::LeftAlone(LeftAlone::SystemNamespace)))]
fn the_verdict_says_why(#[case] spec: Value, #[case] namespace: &str, #[case] expected: Verdict) {
    let cluster = Cluster::new().offering("ghcr", &spec, &["ghcr.io"]);
    assert_eq!(verdict_of(&cluster, namespace, &pod(&["ghcr.io/a"])).0, expected);
}

#[test]
fn a_namespace_that_does_not_consent_is_told_of() {
    let cluster = Cluster(
        Cluster::new()
            .offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"])
            .0
            .with_consent(Consent::TwoSided),
    );
    let expected = Verdict::Never(Why::NotOffered(NotOffered::Dissent(Dissent::NotAccepted)));
    assert_eq!(verdict_of(&cluster, "team-a", &pod(&["ghcr.io/a"])).0, expected);
}

#[test]
fn a_name_that_the_pod_has_is_told_with_the_state_of_its_copy() {
    let cluster = Cluster::new()
        .offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"])
        .with_copy("team-a", "ghcr");
    let mut named = pod(&["ghcr.io/a"]);
    named["spec"]["imagePullSecrets"] = json!([{"name": "regcred-ghcr"}]);
    assert_eq!(verdict_of(&cluster, "team-a", &named), (Verdict::Named, CopyState::There));
}

#[test]
fn each_image_is_told_what_each_credential_says_of_it() {
    let cluster = Cluster::new()
        .offering("ghcr", &json!({"namespaces": ["*"]}), &["https://me@ghcr.io/v2/"])
        .offering("narrow", &json!({"namespaces": ["*"], "images": ["quay.io/org"]}), &["quay.io"])
        .with_credential("unseen", &json!({"namespaces": ["*"]}));
    let review = creation("team-a", &pod(&["ghcr.io/a:1", "quay.io/b", "::", "ghcr.io/a:1"]));
    let explanation = explained(&cluster, &review, &BTreeMap::new());
    let told: Vec<_> = explanation
        .images
        .iter()
        .map(|image| {
            let fits = image
                .fits
                .as_ref()
                .map(|fits| fits.iter().map(|(_, answer)| answer.clone()).collect::<Vec<_>>());
            (image.image.as_str(), fits)
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "ghcr.io/a:1",
                Some(vec![Answer::Key("ghcr.io".into()), Answer::NotCovered, Answer::KeysUnknown])
            ),
            ("quay.io/b", Some(vec![Answer::NoKey, Answer::NotCovered, Answer::KeysUnknown])),
            ("::", None),
        ]
    );
}

/// What a credential may be like.
fn any_credential() -> impl Strategy<Value = (Value, usize, bool, Option<CopyAnswer>)> {
    let spec = prop::sample::select(vec![
        json!({"namespaces": ["*"]}),
        json!({"namespaces": ["team-*", "new"], "images": ["ghcr.io/org"]}),
        json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}),
        json!({"namespaces": ["*"], "excludeNamespaces": ["team-a"]}),
        json!({"namespaces": ["*"], "copyName": "shared"}),
    ]);
    let spec = (spec, prop::sample::select(vec!["Enforce", "Audit"])).prop_map(|(mut spec, mode)| {
        spec["mode"] = mode.into();
        spec
    });
    let answer = prop::option::of(prop::sample::select(vec![
        CopyAnswer::Present,
        CopyAnswer::Blocked(Obstacle::Foreign),
        CopyAnswer::Blocked(Obstacle::Rival("other".into())),
        CopyAnswer::Blocked(Obstacle::Passing("no answer".into())),
        CopyAnswer::Blocked(Obstacle::Lasting("too large".into())),
    ]));
    (spec, 0..4_usize, any::<bool>(), answer)
}

/// A source that is good for one registry or another, missing, or broken.
const SOURCES: [Option<&str>; 4] = [
    Some(r#"{"auths":{"ghcr.io":{"auth":"dTpw"}}}"#),
    Some(r#"{"auths":{"quay.io":{"auth":"dTpw"},"index.docker.io":{"auth":"dTpw"}}}"#),
    None,
    Some(r#"{"auths":{"ghcr.io":{"auth":"dTpw!"}}}"#),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn explain_says_of_any_pod_in_any_cluster_what_is_decided(
        credentials in prop::collection::vec(any_credential(), 1..4),
        pod in any_pod(),
        namespace in prop::sample::select(vec!["team-a", "labelled", "opted-out", "kube-system", "new"]),
        consent in prop::sample::select(vec![Consent::Off, Consent::Off, Consent::Refusal, Consent::TwoSided]),
        is_guarded in prop::bool::weighted(0.1),
        is_mirror in prop::bool::weighted(0.1),
    ) {
        let mut cluster = Cluster(Cluster::new().0.with_consent(consent));
        let mut copies = BTreeMap::new();
        for ((spec, source, has_copy, answer), name) in credentials.into_iter().zip(["ghcr", "quay", "third"]) {
            cluster = cluster.with_credential(name, &spec);
            if let Some(document) = SOURCES[source] {
                cluster = cluster.with_source(name, document);
            }
            if has_copy {
                cluster = cluster.with_copy(namespace, name);
            }
            copies.extend(answer.map(|answer| (Arc::from(name), answer)));
        }
        if is_guarded {
            cluster.0.apply_service_account(&ObjectMeta {
                namespace: Some(namespace.into()),
                name: Some("default".into()),
                annotations: Some([("kubernetes.io/enforce-mountable-secrets".into(), "true".into())].into()),
                ..ObjectMeta::default()
            });
        }
        let mut pod = pod;
        if is_mirror && pod["metadata"].is_object() {
            pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        }
        let mut review = creation(namespace, &pod);
        review["request"]["dryRun"] = json!(true);
        let decision = decided(&cluster, &review, &copies);
        if decision.reason == crate::policy::Reason::Unreadable {
            return Ok(());
        }
        let explanation = explained(&cluster, &review, &copies);
        let names = |wanted: &Verdict| -> BTreeSet<&str> {
            let chosen = explanation.credentials.iter().filter(|credential| credential.verdict == *wanted);
            chosen.map(|credential| &*credential.place.name).collect()
        };
        let would_add = names(&Verdict::WouldAdd);
        let audited = &names(&Verdict::Never(Why::Audit)) - &would_add;
        prop_assert_eq!(&would_add, &added(&decision).into_iter().collect::<BTreeSet<_>>());
        prop_assert_eq!(audited, super::audited(&decision).into_iter().collect::<BTreeSet<_>>());
    }
}
