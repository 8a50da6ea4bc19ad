//! Laws that hold for any pod.

use proptest::prelude::*;
use serde_json::json;

use super::pods::{any_pod, anything};
use super::*;

fn cluster() -> Cluster {
    Cluster::new().offering("ghcr", &json!({"namespaces": ["*"]}), &["ghcr.io"]).offering(
        "quay",
        &json!({"namespaces": ["*"]}),
        &["quay.io"],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

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
        prop_assert_eq!(after.len(), before.len() + patch.pull_secrets().len());
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

#[test]
fn a_good_part_of_the_random_pods_is_changed() {
    use proptest::strategy::ValueTree;
    let (mut runner, cluster) = (proptest::test_runner::TestRunner::default(), cluster());
    let mut sample = || any_pod().new_tree(&mut runner).unwrap().current();
    let changed = (0..500).filter(|_| cluster.decide(&creation("team-a", &sample())).patch.is_some()).count();
    assert!(changed > 100, "only {changed} of 500 random pods put the laws to the test");
}
