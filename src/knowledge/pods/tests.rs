use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::knowledge::Index;

const NAMESPACE: &str = "team-a";

fn pod(object: &Value) -> ObservedPod {
    serde_json::from_value(object.clone()).unwrap()
}

fn pod_of(name: &str, metadata: &Value, spec: &Value) -> ObservedPod {
    let mut object = json!({"metadata": metadata, "spec": spec});
    object["metadata"]["namespace"] = NAMESPACE.into();
    object["metadata"]["name"] = name.into();
    object["metadata"]["uid"] = format!("uid-of-{name}").into();
    pod(&object)
}

/// A cluster with the credential `ghcr`, which answers for ghcr.io/private, and a namespace with these labels.
fn known(labels: &[(&str, &str)]) -> Arc<Snapshot> {
    let index = Index::new("regcred-system");
    let credential = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
        "spec": {"secretRef": {"namespace": "vault", "name": "auth"}, "namespaces": ["*"], "images": ["ghcr.io/private"]},
    });
    index.apply_credential(&serde_json::from_value(credential).unwrap()).unwrap();
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"namespace": "vault", "name": "auth", "uid": "2", "resourceVersion": "1"},
        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6eyJnaGNyLmlvIjp7fX19"},
    }))
    .unwrap();
    index.apply_source(&secret);
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    index.apply_namespace(&ObjectMeta {
        name: Some(NAMESPACE.into()),
        labels: Some(labels),
        ..ObjectMeta::default()
    });
    index.snapshot()
}

fn image(image: &str) -> Value {
    json!({"containers": [{"name": "c", "image": image}]})
}

const PRIVATE: &str = "ghcr.io/private/app:1";
const OPT_OUT: &[(&str, &str)] = &[("regcred.dev/inject", "disabled")];

#[rstest]
#[case::image_of_a_container(json!({}), image(PRIVATE), &[], true)]
#[case::image_of_an_init_container(json!({}), json!({"initContainers": [{"image": PRIVATE}]}), &[], true)]
#[case::image_volume(json!({}), json!({"volumes": [{"name": "v", "image": {"reference": PRIVATE}}]}), &[], true)]
#[case::image_of_an_ephemeral_container(json!({}), json!({"ephemeralContainers": [{"image": PRIVATE}]}), &[], false)]
#[case::another_organisation(json!({}), image("ghcr.io/other/app"), &[], false)]
#[case::another_registry(json!({}), image("quay.io/private/app"), &[], false)]
#[case::unreadable_image(json!({}), image("ghcr.io/private//App"), &[], false)]
#[case::named(json!({}), json!({"imagePullSecrets": [{"name": "other"}, {"name": "regcred-ghcr"}]}), &[], true)]
#[case::another_name(json!({}), json!({"imagePullSecrets": [{"name": "other"}]}), &[], false)]
#[case::opted_out(json!({"labels": {"regcred.dev/inject": "disabled"}}), image(PRIVATE), &[], false)]
#[case::opted_out_but_named(
    json!({"labels": {"regcred.dev/inject": "disabled"}}), json!({"imagePullSecrets": [{"name": "regcred-ghcr"}]}), &[], true
)]
#[case::namespace_opted_out(json!({}), image(PRIVATE), OPT_OUT, false)]
#[case::namespace_opted_out_but_named(json!({}), json!({"imagePullSecrets": [{"name": "regcred-ghcr"}]}), OPT_OUT, true)]
#[case::mirror_of_a_static_pod(json!({"annotations": {"kubernetes.io/config.mirror": "h"}}), image(PRIVATE), &[], false)]
#[case::being_deleted(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), image(PRIVATE), &[], true)]
fn what_counts_as_a_need(
    #[case] metadata: Value,
    #[case] spec: Value,
    #[case] labels: &[(&str, &str)],
    #[case] is_needed: bool,
) {
    let (pods, known) = (Pods::default(), known(labels));
    let credential = &known.credentials["ghcr"];
    let pod = pod_of("p", &metadata, &spec);
    assert!(!pods.needs(&known, NAMESPACE, credential));
    pods.apply(&pod);
    assert_eq!(pods.needs(&known, NAMESPACE, credential), is_needed);
    assert!(!pods.needs(&known, "team-b", credential), "a need of another namespace");
    pods.delete(&pod);
    assert!(!pods.needs(&known, NAMESPACE, credential));
}

#[test]
fn a_credential_whose_secret_was_not_seen_yet_counts_as_needed_for_every_image_it_may_serve() {
    let (pods, index) = (Pods::default(), Index::new("regcred-system"));
    let credential = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
        "spec": {"secretRef": {"namespace": "vault", "name": "auth"}, "namespaces": ["*"]},
    });
    index.apply_credential(&serde_json::from_value(credential).unwrap()).unwrap();
    pods.apply(&pod_of("p", &json!({}), &image("quay.io/a/b")));
    let known = index.snapshot();
    assert!(pods.needs(&known, NAMESPACE, &known.credentials["ghcr"]));
}

#[test]
fn a_change_is_told_when_what_the_namespace_needs_changes_and_only_then() {
    let pods = Pods::default();
    let (first, second) =
        (pod_of("a", &json!({}), &image("r.example/x:1")), pod_of("b", &json!({}), &image("r.example/x:2")));
    assert!(pods.apply(&first), "an image that was not there");
    assert!(!pods.apply(&first), "the same again");
    assert!(!pods.apply(&second), "another tag of it");
    let labels = json!({"labels": {"a": "b"}});
    assert!(!pods.apply(&pod_of("a", &labels, &image("r.example/x:3"))), "what decides nothing");
    assert!(!pods.delete(&second), "another pod has it still");
    assert!(pods.apply(&pod_of("a", &json!({}), &image("r.example/y"))), "another image in its place");
    let mut named = image("r.example/y");
    named["imagePullSecrets"] = json!([{"name": "s"}]);
    assert!(pods.apply(&pod_of("a", &json!({}), &named)), "a name");
    assert!(pods.names(NAMESPACE, "s") && !pods.names(NAMESPACE, "t") && !pods.names("team-b", "s"));
    assert!(pods.delete(&pod_of("a", &json!({}), &named)), "the last one");
    assert!(!pods.names(NAMESPACE, "s"));
}

#[test]
fn a_late_event_about_a_former_pod_leaves_the_present_one_alone() {
    let pods = Pods::default();
    let former = pod(
        &json!({"metadata": {"namespace": NAMESPACE, "name": "web-0", "uid": "1"}, "spec": {"imagePullSecrets": [{"name": "s"}]}}),
    );
    let present = pod(
        &json!({"metadata": {"namespace": NAMESPACE, "name": "web-0", "uid": "2"}, "spec": {"imagePullSecrets": [{"name": "s"}]}}),
    );
    pods.apply(&former);
    pods.apply(&present);
    assert!(!pods.delete(&former));
    assert!(pods.names(NAMESPACE, "s"));
}

#[test]
fn a_list_of_one_namespace_says_nothing_about_the_pods_of_others_nor_that_all_are_known() {
    let pods = Pods::default();
    pods.apply(&pod_of("p", &json!({}), &image("r.example/x")));
    pods.retain_in("elsewhere", &HashSet::new());
    assert_eq!((pods.len(), pods.is_complete()), (1, false));
    pods.retain_in(NAMESPACE, &HashSet::new());
    assert_eq!((pods.len(), pods.is_complete()), (0, false));
    pods.complete();
    assert!(pods.is_complete());
}

#[test]
fn nothing_is_complete_before_the_first_list_nor_after_leadership_is_lost() {
    let pods = Pods::default();
    pods.apply(&pod_of("p", &json!({}), &image("r.example/x")));
    assert!(!pods.is_complete());
    pods.retain(&HashSet::new());
    assert!(pods.is_complete());
    pods.forget();
    assert!(!pods.is_complete());
}

#[test]
fn pods_of_one_owner_share_what_they_have_in_common() {
    let pods = Pods::default();
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9", "controller": true}]);
    for number in 0..100 {
        let mut spec = image(PRIVATE);
        spec["imagePullSecrets"] = json!([{"name": "regcred-ghcr"}]);
        pods.apply(&pod_of(&format!("web-{number}"), &json!({"ownerReferences": owner}), &spec));
    }
    assert_eq!(pods.state().shapes.sizes(), [1, 1, 2]);
}

/// A step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Apply {
        namespace: u8,
        name: u8,
        uid: u8,
        spec: u8,
    },
    Delete {
        namespace: u8,
        name: u8,
        uid: u8,
    },
    /// A complete list without these names; they went while nobody watched.
    List {
        without: BTreeSet<u8>,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u8, 0..6_u8, 0..2_u8, any::<u8>())
            .prop_map(|(namespace, name, uid, spec)| Step::Apply { namespace, name, uid, spec }),
        4 => (0..3_u8, 0..6_u8, 0..2_u8).prop_map(|(namespace, name, uid)| Step::Delete { namespace, name, uid }),
        1 => prop::collection::btree_set(0..6_u8, 0..6).prop_map(|without| Step::List { without }),
    ];
    prop::collection::vec(step, 0..60)
}

/// A pod whose spec is made from the bits of a number.
fn made(namespace: u8, name: u8, uid: u8, spec: u8) -> ObservedPod {
    let bit = |number: u8| spec & (1 << number) != 0;
    let (name, uid) = (format!("p{name}"), format!("{namespace}-{name}-{uid}"));
    let mut images = vec![json!({"image": if bit(0) { "r.example/a:1" } else { "r.example/a:2" }})];
    if bit(1) {
        images.push(json!({"image": "r.example/b"}));
    }
    let names: Vec<Value> =
        (2..4).filter(|number| bit(*number)).map(|number| json!({"name": format!("s{number}")})).collect();
    let mut object = json!({
        "metadata": {"namespace": format!("n{namespace}"), "name": name, "uid": uid, "labels": {}},
        "spec": {"containers": images, "imagePullSecrets": names, "serviceAccountName": if bit(4) { "s2" } else { "default" }},
    });
    if bit(5) {
        object["metadata"]["labels"]["regcred.dev/inject"] = "disabled".into();
    }
    if bit(6) {
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9", "controller": true});
        object["metadata"]["ownerReferences"] = json!([owner]);
    }
    pod(&object)
}

/// The pods, images and names of a namespace, in an order.
type Kept = [BTreeMap<String, String>; 3];

/// Everything that is kept.
fn all_of(pods: &Pods) -> (BTreeMap<String, Kept>, [usize; 3]) {
    let state = pods.state();
    let namespaces = state.namespaces.iter().map(|(namespace, here)| {
        let pods = here.pods.iter().map(|(name, known)| (name.to_string(), format!("{known:?}"))).collect();
        let images = here
            .images
            .iter()
            .map(|(image, count)| (image.repository.to_string(), count.to_string()))
            .collect();
        let names = here.names.iter().map(|(name, count)| (name.to_string(), count.to_string())).collect();
        (namespace.to_string(), [pods, images, names])
    });
    (namespaces.collect(), state.shapes.sizes())
}

/// What the pods of each namespace name and use.
fn needed(pods: &Pods) -> BTreeMap<String, BTreeSet<String>> {
    let state = pods.state();
    let namespaces = state.namespaces.iter().map(|(namespace, here)| {
        let images = here.images.keys().map(|image| format!("image {}", image.repository));
        (namespace.to_string(), images.chain(here.names.keys().map(|name| format!("name {name}"))).collect())
    });
    namespaces.filter(|(_, needs): &(_, BTreeSet<_>)| !needs.is_empty()).collect()
}

proptest! {
    #[test]
    fn after_any_history_the_index_is_as_one_that_saw_only_what_is_there(steps in steps()) {
        let pods = Pods::default();
        let mut present: BTreeMap<(u8, u8), ObservedPod> = BTreeMap::new();
        for step in steps {
            let before = needed(&pods);
            let told = match step {
                Step::Apply { namespace, name, uid, spec } => {
                    let pod = made(namespace, name, uid, spec);
                    present.insert((namespace, name), pod.clone());
                    Some(pods.apply(&pod))
                }
                Step::Delete { namespace, name, uid } => {
                    let pod = made(namespace, name, uid, 0);
                    if present.get(&(namespace, name)).is_some_and(|known| uid_of(known) == uid_of(&pod)) {
                        present.remove(&(namespace, name));
                    }
                    Some(pods.delete(&pod))
                }
                Step::List { without } => {
                    present.retain(|(_, name), _| !without.contains(name));
                    pods.retain(&present.values().map(uid_of).collect());
                    None
                }
            };
            prop_assert!(told.is_none_or(|told| told == (before != needed(&pods))), "a change told wrongly");
        }
        let fresh = Pods::default();
        for pod in present.values() {
            fresh.apply(pod);
        }
        prop_assert_eq!(all_of(&pods), all_of(&fresh));
    }
}
