//! A cluster of an ordinary size, and the review of an ordinary pod that needs one of its credentials.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kube::{Client, Config};
use prometheus::Registry;
use regcred::admission::{Needs, Reviewer};
use regcred::cluster::carrier::Carrier;
use regcred::cluster::pending::Pending;
use regcred::cluster::protection::Inquiry;
use regcred::configuration::{Configuration, Current};
use regcred::events::{Limits, Recorder};
use regcred::knowledge::Index;
use regcred::model::copy::copy_of;
use regcred::model::scope::Scope;
use regcred::model::source::SourceState;
use regcred::policy::{Answers, Rule, Step};
use regcred::review;
use regcred::server::Readiness;
use regcred::telemetry::admission_metrics::AdmissionMetrics;
use regcred::telemetry::copy_metrics::CopyMetrics;
use regcred::telemetry::event_metrics::EventMetrics;
use serde_json::{Value, json};

/// A credential for each of a few teams and registries.
const CREDENTIALS: usize = 20;
/// As many as Kubernetes is tested with.
const NAMESPACES: usize = 10_000;
/// What pads the pod to the size that ordinary ones have: with environment, probes, volumes and the fields that the API
/// server fills in, a pod of one container has 5 to 8 KB.
const ENVIRONMENT: usize = 60;
/// How long decisions are measured: many thousands of them.
const MEASURED: Duration = Duration::from_secs(2);

/// The index of that cluster, in which the pod's copy is there: the warm path.
pub(crate) fn index() -> Index {
    let index = Index::new("regcred-system");
    for number in 0..NAMESPACES {
        let name = format!("team-{number}");
        index.apply_namespace(&from(json!({"name": name, "labels": {"kubernetes.io/metadata.name": name}})));
    }
    for number in 0..CREDENTIALS {
        let name = format!("registry-{number}");
        index
            .apply_credential(&from(json!({
                "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
                "metadata": {"name": name, "uid": name},
                "spec": {"secretRef": {"namespace": "sources", "name": name}, "namespaces": ["team-*"]},
            })))
            .unwrap();
        let document = json!({"auths": {format!("{name}.example.com"): {"username": "u", "password": "p"}}});
        index.apply_source(&from(json!({
            "metadata": {"namespace": "sources", "name": name, "uid": name},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": STANDARD.encode(document.to_string())},
        })));
    }
    let known = index.snapshot();
    let credential = &known.credentials["registry-7"];
    let SourceState::Good(source) = &known.sources[&credential.source].state else {
        panic!("the source is good");
    };
    index.apply_copy(&copy_of(source, credential, &credential.copy_in("team-5000")));
    index
}

/// The review.
pub(crate) fn body() -> Bytes {
    let environment: Vec<_> = (0..ENVIRONMENT)
        .map(|number| json!({"name": format!("VARIABLE_{number}"), "value": "a value of some length"}))
        .collect();
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "namespace": "team-5000",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                         "groups": ["system:serviceaccounts", "system:authenticated"]},
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"generateName": "app-", "labels": {"app": "app"}, "annotations": {"a": "line\nline"}},
                "spec": {
                    "serviceAccountName": "default",
                    "containers": [{"name": "app", "image": "registry-7.example.com/team/app:1", "env": environment}],
                    "initContainers": [{"name": "init", "image": "busybox:1"}],
                },
            },
            "oldObject": null, "dryRun": false,
        },
    });
    Bytes::from(review.to_string())
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The reviewer of `regcred serve`. The warm path makes no call, so there is no API server.
pub(crate) fn reviewer() -> Reviewer {
    let client = Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let (registry, index, pending) = (Registry::new(), Arc::new(index()), Pending::default());
    let metrics = CopyMetrics::register(&registry).unwrap();
    let carrier = Carrier::new(client.clone(), Arc::clone(&index), pending.clone(), metrics);
    let metrics = AdmissionMetrics::register(&registry).unwrap();
    let inquiry = Inquiry::new(client.clone(), Scope::All);
    let needs = Needs::new(client.clone(), &Scope::All, carrier, inquiry, metrics.clone());
    let event_metrics = EventMetrics::register(&registry).unwrap();
    let (recorder, _) = Recorder::new(client, "regcred-0", Limits::default(), event_metrics);
    Reviewer::new(index, Current::default(), needs, pending, Readiness::new(), metrics, recorder)
}

/// The cost of decoding and deciding one review, in microseconds.
pub(crate) fn decide_us() -> f64 {
    let (index, body) = (index(), body());
    let begun = Instant::now();
    let mut decided = 0_u32;
    while begun.elapsed() < MEASURED {
        let request = review::decode(black_box(&body)).unwrap();
        let step = Rule::Inject.decide(
            &request,
            &index.snapshot(),
            &Configuration::default(),
            &Answers::default(),
            begun,
        );
        let Step::Decided(decision) = black_box(step) else {
            panic!("a warm decision needs nothing");
        };
        assert!(decision.patch.is_some());
        decided += 1;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(decided)
}
