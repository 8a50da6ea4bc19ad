//! Laws that hold for any pod.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// Any JSON, shallow.
fn anything() -> impl Strategy<Value = Value> {
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
    let known =
        ["ghcr.io/org/app", "quay.io/a:1", "busybox", "", "::", "GHCR.io/x"].map(|image| json!(image));
    prop_oneof![4 => prop::sample::select(known.to_vec()), 1 => anything()]
}

fn containers() -> impl Strategy<Value = Value> {
    let container = image().prop_map(|image| json!({"name": "c", "image": image}));
    prop_oneof![4 => prop::collection::vec(container, 0..4).prop_map(Value::from), 1 => anything()]
}

fn pull_secrets() -> impl Strategy<Value = Value> {
    let names = ["regcred-ghcr", "regcred-quay", "own", ""].map(|name| json!({"name": name}));
    let reference =
        prop_oneof![4 => prop::sample::select(names.to_vec()), 1 => Just(json!({})), 1 => Just(json!(null))];
    prop_oneof![4 => prop::collection::vec(reference, 0..4).prop_map(Value::from), 1 => Just(json!(null)), 1 => anything()]
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
    let pod = (prop_oneof![9 => spec.boxed(), 1 => anything().boxed()], anything())
        .prop_map(|(spec, labels)| json!({"metadata": {"labels": labels}, "spec": spec}));
    prop_oneof![9 => pod.boxed(), 1 => anything().boxed()]
}

fn cluster() -> Cluster {
    Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]).offering(
        "quay",
        &json!({"namespaces": ["*"]}),
        &["quay.io"],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_patch_applies_to_exactly_the_object_and_leaves_nothing_to_add(pod in any_pod()) {
        let cluster = cluster();
        let Some(patch) = cluster.decide(&creation("team-a", &pod)).patch else {
            return Ok(());
        };
        let operations: json_patch::Patch = serde_json::from_value(serde_json::to_value(&patch).unwrap()).unwrap();
        let mut patched = pod.clone();
        json_patch::patch(&mut patched, &operations).unwrap();
        let before = pod["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
        let after = patched["spec"]["imagePullSecrets"].as_array().unwrap();
        prop_assert!(after.starts_with(&before), "what was there stays, in its order");
        prop_assert_eq!(after.len(), before.len() + patch.names().len());
        prop_assert!(cluster.decide(&creation("team-a", &patched)).patch.is_none());
    }

    #[test]
    fn an_answer_carries_the_uid_and_never_a_patch_without_its_type(pod in any_pod(), uid in ".{0,40}") {
        let mut review = creation("team-a", &pod);
        review["request"]["uid"] = json!(uid);
        let answer = review::encode(&uid, &cluster().decide(&review)).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let response = &answer["response"];
        prop_assert_eq!(&response["uid"], &json!(uid));
        prop_assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
        prop_assert_eq!(&response["allowed"], &json!(true));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = review::decode(&body);
    }

    #[test]
    fn a_review_whose_request_is_nonsense_still_tells_its_uid(nonsense in anything(), uid in ".{0,40}") {
        let mut review = creation("team-a", &json!({}));
        review["request"] = json!({"uid": uid, "kind": nonsense.clone(), "resource": nonsense});
        match review::decode(review.to_string().as_bytes()) {
            Err(review::ReviewError::UnreadableRequest { uid: told }) => prop_assert_eq!(told, uid),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
