//! Offline and online decide alike: for any pod the command says what the decision functions say.

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use regcred::configuration::Configuration;
use regcred::knowledge::Index;
use regcred::knowledge::Snapshot;
use regcred::model::copy::CopyAnswer;
use regcred::policy::{Answers, Decision, NamespaceAnswer, Need, Outcome, Rule, Step};
use regcred::review;
use serde_json::{Value, json};

use super::command::Files;

fn credential(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": name, "uid": name},
        "spec": {"secretRef": {"namespace": "sources", "name": name}},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

fn source(name: &str, registry: &str) -> Value {
    let document = json!({"auths": {registry: {"username": "a"}}}).to_string();
    let document = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, document);
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": "sources"}, "data": {".dockerconfigjson": document},
    })
}

/// Namespaces have the label of the API server already, so that it is the same cluster for both.
fn cluster() -> Vec<Value> {
    let namespace = |name: &str, labels: Value| {
        let mut labels = labels;
        labels["kubernetes.io/metadata.name"] = name.into();
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    };
    vec![
        credential("a", &json!({"namespaces": ["team-*"]})),
        credential(
            "b",
            &json!({"namespaceSelector": {"matchLabels": {"tier": "x"}}, "images": ["quay.io/org"]}),
        ),
        credential("missing", &json!({"namespaces": ["team-b"], "images": ["ghcr.io/rare"]})),
        source("a", "ghcr.io"),
        source("b", "quay.io"),
        namespace("team-a", json!({"tier": "x"})),
        namespace("team-b", json!({})),
        namespace("out", json!({"tier": "x", "regcred.dev/inject": "disabled"})),
    ]
}

fn known(cluster: &[Value]) -> Arc<Snapshot> {
    let index = Index::new("regcred-system");
    let of_kind = |kind: &'static str| cluster.iter().filter(move |object| object["kind"] == kind).cloned();
    for object in of_kind("RegistryCredential") {
        index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
    }
    for object in of_kind("Secret") {
        index.apply_source(&serde_json::from_value(object).unwrap());
    }
    for object in of_kind("Namespace") {
        index.apply_namespace(&serde_json::from_value(object["metadata"].clone()).unwrap());
    }
    index.snapshot()
}

/// What the server decides, where every namespace can be read and every copy created.
fn decide(pod: &Value, known: &Snapshot) -> Decision {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": pod["metadata"]["namespace"], "operation": "CREATE", "object": pod,
    }})
    .to_string();
    let request = review::decode(review.as_bytes()).unwrap();
    let rule = Rule::for_request(&request).next().unwrap();
    let mut answers = Answers::default();
    loop {
        match rule.decide(&request, known, &Configuration::default(), &answers, Instant::now()) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => {
                for need in needs {
                    match need {
                        Need::Namespace(_) => {
                            answers.namespace = Some(NamespaceAnswer::Found(Arc::default()));
                        }
                        Need::Copy { wanted, .. } => {
                            drop(answers.copies.insert(wanted.credential.name.clone(), CopyAnswer::Created));
                        }
                        need => panic!("no pod asks for {need:?}"),
                    }
                }
            }
        }
    }
}

fn any_image() -> impl Strategy<Value = Value> {
    let well_formed = prop::sample::select(vec![
        "ghcr.io/org/app",
        "ghcr.io/rare/app:1",
        "quay.io/org/app",
        "quay.io/organisation/app",
        "nginx",
        "GHCR.io/a",
        "",
    ]);
    prop_oneof![8 => well_formed.prop_map(Value::from), 1 => "\\PC{0,20}".prop_map(Value::from), 1 => Just(json!(7))]
}

fn any_pod() -> impl Strategy<Value = Value> {
    let containers =
        || prop::collection::vec(any_image().prop_map(|image| json!({"name": "c", "image": image})), 0..3);
    let pull_secrets = prop::option::of(prop::collection::vec(
        prop::sample::select(vec!["regcred-a", "regcred-b", "own"]).prop_map(|name| json!({"name": name})),
        0..3,
    ));
    let labels =
        prop::sample::select(vec![json!(null), json!({}), json!({"regcred.dev/inject": "disabled"})]);
    let namespace =
        prop::sample::select(vec!["team-a", "team-b", "team-new", "out", "kube-system", "default"]);
    (containers(), containers(), pull_secrets, labels, namespace).prop_map(
        |(containers, init_containers, pull_secrets, labels, namespace)| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"generateName": "p-", "namespace": namespace, "labels": labels},
                "spec": {
                    "containers": containers, "initContainers": init_containers, "imagePullSecrets": pull_secrets,
                    "volumes": [{"name": "data", "emptyDir": {}}],
                },
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Many pods a run, for each run is a process.
    #[test]
    fn any_pod_is_judged_as_by_the_decision_functions(pods in prop::collection::vec(any_pod(), 1..40)) {
        let cluster = cluster();
        let known = known(&cluster);
        let list = |items: &[Value]| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let files = Files::with("state.json", list(&cluster));
        files.add("pods.json", list(&pods));
        let run = files.check(&["-f", "pods.json", "--state", "state.json", "-o", "json"]);
        prop_assert_eq!(run.code, 0, "{}", run.errors);
        let lines = run.lines();
        prop_assert_eq!(lines.len(), pods.len());
        for (pod, line) in pods.iter().zip(&lines) {
            let decision = decide(pod, &known);
            let effects: Vec<String> = decision.effects.iter().map(|effect| effect.creates.to_string()).collect();
            let name = |effect: &Value| format!("{}/{}", effect["namespace"], effect["name"]).replace('"', "");
            let offline: Vec<String> = line["effects"].as_array().unwrap().iter().map(name).collect();
            prop_assert_eq!(&line["allowed"], &json!(decision.outcome == Outcome::Allowed), "{}", pod);
            prop_assert_eq!(&line["patch"], &serde_json::to_value(&decision.patch).unwrap(), "{}", pod);
            prop_assert_eq!(&line["warnings"], &json!(decision.warnings.texts()), "{}", pod);
            prop_assert_eq!(offline, effects, "{}", pod);
        }
    }
}
