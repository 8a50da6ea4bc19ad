//! Random pods, for the laws here and for the judgement of Kubernetes' own patch code.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, shallow.
pub(crate) fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        ".{0,12}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn image() -> impl Strategy<Value = Value> {
    let known = ["ghcr.io/org/app", "ghcr.io/b@sha256:x", "quay.io/a:1", "busybox", "", "GHCR.io/x"]
        .map(|image| json!(image));
    prop_oneof![20 => prop::sample::select(known.to_vec()), 1 => anything()]
}

fn containers() -> impl Strategy<Value = Value> {
    let container = image().prop_map(|image| json!({"name": "c", "image": image}));
    prop_oneof![15 => prop::collection::vec(container, 0..4).prop_map(Value::from), 1 => anything()]
}

fn pull_secrets() -> impl Strategy<Value = Value> {
    let names = ["regcred-ghcr", "regcred-quay", "own", ""].map(|name| json!({"name": name}));
    let reference =
        prop_oneof![15 => prop::sample::select(names.to_vec()), 1 => Just(json!({})), 1 => Just(json!(null))];
    prop_oneof![15 => prop::collection::vec(reference, 0..4).prop_map(Value::from), 1 => Just(json!(null)), 1 => anything()]
}

/// A pod that may lack any part, or have nonsense in its place.
pub(crate) fn any_pod() -> impl Strategy<Value = Value> {
    let part = |name: &'static str, strategy: BoxedStrategy<Value>| {
        prop::option::weighted(0.8, strategy)
            .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    };
    let volumes = image().prop_map(|image| json!([{"name": "v", "image": {"reference": image}}]));
    let spec = (
        part("containers", containers().boxed()),
        part("initContainers", containers().boxed()),
        part("imagePullSecrets", pull_secrets().boxed()),
        part("volumes", volumes.boxed()),
    );
    let spec =
        spec.prop_map(|(a, b, c, d)| Value::from([a, b, c, d].into_iter().flatten().collect::<Map<_, _>>()));
    let spec = prop_oneof![9 => spec.boxed(), 1 => anything().boxed()];
    let labels = prop_oneof![9 => Just(json!({"app": "x"})), 1 => anything()];
    let pod = (spec, labels).prop_map(|(spec, labels)| json!({"metadata": {"labels": labels}, "spec": spec}));
    prop_oneof![9 => pod.boxed(), 1 => anything().boxed()]
}
