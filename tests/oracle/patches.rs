//! Our patch, applied by the library that the API server uses.

use std::time::Instant;

use proptest::strategy::{Strategy, ValueTree};
use regcred::configuration::Configuration;
use regcred::knowledge::Index;
use regcred::model::copy::CopyAnswer;
use regcred::policy::{Answers, Decision, Need, Rule, Step};
use regcred::review;
use serde_json::{Value, json};

use super::harness::credentials::{registry_credential, registry_secret};
use super::harness::oracle::{Oracle, Question};
use super::pods::any_pod;
use super::random::Random;

const CASES: usize = 5_000;

fn index() -> Index {
    let index = Index::new("regcred-system");
    index.apply_namespace(&serde_json::from_value(json!({"name": "team-a"})).unwrap());
    for (name, registry) in [("ghcr", "ghcr.io"), ("quay", "quay.io")] {
        let credential = registry_credential(name, ("sources", name), json!({"namespaces": ["*"]}));
        index.apply_credential(&serde_json::from_value(credential).unwrap()).unwrap();
        index.apply_source(&serde_json::from_value(registry_secret("sources", name, &[registry])).unwrap());
    }
    index
}

fn decide(index: &Index, pod: &Value) -> Decision {
    let body = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "namespace": "team-a", "object": pod,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
        },
    });
    let body = body.to_string();
    let request = review::decode(body.as_bytes()).unwrap();
    let mut answers = Answers::default();
    loop {
        match Rule::Inject.decide(
            &request,
            &index.snapshot(),
            &Configuration::default(),
            &answers,
            Instant::now(),
        ) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => answers.copies.extend(needs.into_iter().map(|need| match need {
                Need::Copy { wanted, .. } => (wanted.credential.name.clone(), CopyAnswer::Created),
                need => panic!("no pod here asks for {need:?}"),
            })),
        }
    }
}

#[test]
fn every_patch_applies_as_the_api_server_applies_it_and_leaves_nothing_to_add() {
    let (mut random, index) = (Random::new("patches"), index());
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let pod = any_pod().new_tree(random.runner()).unwrap().current();
        if let Some(patch) = decide(&index, &pod).patch {
            cases.push((pod, patch));
        }
    }
    let questions = cases.iter().map(|(pod, patch)| Question::Patch {
        object: pod.clone(),
        patch: serde_json::to_value(patch).unwrap(),
    });
    let answers = Oracle::start().ask_all(questions.collect::<Vec<_>>());
    for ((pod, patch), answer) in cases.iter().zip(answers) {
        assert_eq!(answer.error, "", "{pod} {patch:?}");
        let patched = answer.object.unwrap();
        let mut expected = pod["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
        expected.extend(patch.pull_secrets().iter().map(|name| json!({"name": name})));
        assert_eq!(patched["spec"]["imagePullSecrets"], Value::from(expected), "{pod}");
        assert!(decide(&index, &patched).patch.is_none(), "{patched}");
    }
    println!("{} of {CASES} random pods were patched: every patch applies", cases.len());
    assert!(cases.len() > CASES / 10, "the cases are one-sided");
}
