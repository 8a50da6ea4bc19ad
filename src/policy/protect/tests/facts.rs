//! What Gardener's users and controllers do to Secrets and Shoots, each with its verdict.
//!
//! | what | where it is shown |
//! | --- | --- |
//! | a Secret that is going is deleted once more | `deletions`: `a_secret_that_is_going_already_is_not_asked_about` |
//! | a Secret that nothing uses is deleted | here, and `deletions`: `a_reservation_holds_until_it_is_settled` |
//! | a Secret that is used is deleted, whoever asks | here, and `deletions`: `a_secret_that_a_shoot_uses_stays_and_the_shoot_is_named` |
//! | the same in a namespace that is going | the rule knows nothing of that; `tests/protection/verdicts.rs` shows that it converges |
//! | many are deleted at once, without a name in the request | here: each request of these tables has none |
//! | Shoots cannot be listed | `deletions`: `when_nothing_can_be_listed_a_secret_stays_that_is_known_to_be_in_use` |
//! | a protecting finalizer is stripped | `deletions`: `an_update_takes_away`; of a controller that may the API server does not ask (`tests/protection/verdicts.rs`) |
//! | only metadata of a Secret change | here |
//! | a Secret is created under a name that is used | here, and `marks`: `what_is_created_under_a_name_that_is_pointed_to_is_marked` |
//! | a Shoot is created or updated | `references::tests`: `updates`, `upstream`, `judgement` |
//! | a Shoot is deleted, or its status written | here: nobody asks |
//! | a Shoot in each state needs its Secrets, or not | here |
//! | the steps of a rotation | here; of the Shoot `references::tests::updates`: `credentials_are_rotated`; all in a row `tests/protection/rotation.rs` |
//!
//! On purpose another verdict than upstream's rules suggest:
//!
//! | what | here | why |
//! | --- | --- | --- |
//! | data of a Secret in use change | they are not judged | where they are demanded to be right they are demanded to be immutable, and the API server sees to that |
//! | a Secret is created under a name that is used | it is only marked, whatever it holds | an empty one is how people let go of what hangs; what is written for modules other rules tell |

use rstest::rstest;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::protection::{Listing, LiveReferrer};
use crate::model::reference::Pointers;
use crate::policy::{Outcome, Reason, Rule};
use crate::review;

const GOING: &str = "2026-01-01T00:00:00Z";
const HELD: &str = "gardener.cloud/reference-protection";
const CONTROLLER: &str = "system:serviceaccount:kube-system:gardener-controller-manager";

/// A Shoot that names this Secret.
fn naming(secret: &str, metadata: &Value, spec: &Value) -> Value {
    let resource = json!({"apiVersion": "v1", "kind": "Secret", "name": secret});
    let mut object = json!({
        "metadata": {"namespace": "garden-dev", "name": "a", "uid": "1", "resourceVersion": "5"},
        "spec": {"resources": [{"name": "docker-creds", "resourceRef": resource}]},
        "status": {"observedGeneration": 1},
    });
    object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

/// A cluster in which that Shoot is all that may point to the Secret.
fn cluster(object: &Value) -> Cluster {
    let referrer = shoot("a");
    let pointers = Pointers::of(&referrer, &to_raw_value(object).unwrap());
    let live =
        LiveReferrer::Found { uid: "1".into(), resource_version: "5".into(), pointers: pointers.clone() };
    let places = live.places(&secret_key());
    let listed = (!places.is_empty()).then(|| (referrer.clone().into(), places));
    Cluster {
        live: [(referrer, live)].into(),
        listing: Some(Listing::Complete(listed.into_iter().collect())),
        ..Cluster::default()
    }
}

/// What is said to a deletion of the Secret, which may be marked.
fn deleted(cluster: &Cluster, labels: &Value, username: &str) -> Reason {
    let rule =
        if labels.get("regcred.dev/in-use").is_some() { Rule::SecretsInUse } else { Rule::SecretDeletions };
    let old = secret(labels, &[], &[HELD]);
    let (decision, _) = cluster.decide(rule, &request("DELETE", &old, &Value::Null, username));
    assert_eq!(decision.outcome == Outcome::Allowed, decision.reason == Reason::NotInUse, "{decision:?}");
    decision.reason
}

#[rstest]
#[case::created_without_finalizers_yet(json!({}), json!({}), true)]
#[case::normal(json!({"finalizers": ["gardener", HELD]}), json!({}), true)]
#[case::hibernated(json!({"finalizers": ["gardener"]}), json!({"hibernation": {"enabled": true}}), true)]
#[case::going_and_held_by_gardener(
    json!({"deletionTimestamp": GOING, "finalizers": ["gardener", HELD]}), json!({}), true
)]
#[case::going_and_no_longer_held_by_gardener(
    json!({"deletionTimestamp": GOING, "finalizers": [HELD]}), json!({}), false
)]
#[case::deleted_by_force(json!({
    "deletionTimestamp": GOING, "finalizers": ["gardener"],
    "annotations": {"confirmation.gardener.cloud/force-deletion": "true"},
}), json!({}), true)]
#[case::migrated(json!({"finalizers": ["gardener"]}), json!({"seedName": "new"}), true)]
#[case::with_the_extension_disabled(
    json!({"finalizers": ["gardener"]}),
    json!({"extensions": [{"type": "registry-cache", "disabled": true, "providerConfig": {
        "caches": [{"upstream": "docker.io", "secretReferenceName": "docker-creds"}]
    }}]}),
    true
)]
#[case::pointed_here_and_not_reconciled_yet(json!({"generation": 2}), json!({}), true)]
fn a_shoot_in_this_state_needs_its_secret(
    #[case] metadata: Value,
    #[case] spec: Value,
    #[case] is_needed: bool,
) {
    let cluster = cluster(&naming("docker-creds-v1", &metadata, &spec));
    let expected = if is_needed { Reason::InUse } else { Reason::NotInUse };
    assert_eq!(
        [json!({}), in_use()].map(|labels| deleted(&cluster, &labels, "jane")),
        [expected, expected],
        "marked or not"
    );
}

#[rstest]
#[case::a_user("jane")]
#[case::the_controller_that_strips_finalizers(CONTROLLER)]
#[case::a_gardenlet("gardener.cloud:system:seed:aws-eu1")]
#[case::the_rotation_of_etcd_keys("system:serviceaccount:kube-system:gardener-internal")]
#[case::the_garbage_collector("system:serviceaccount:kube-system:generic-garbage-collector")]
#[case::the_namespace_controller("system:serviceaccount:kube-system:namespace-controller")]
#[case::the_controllers_of_kubernetes("system:kube-controller-manager")]
fn whoever_deletes_a_secret_it_stays_while_it_is_used(#[case] username: &str) {
    for labels in [json!({}), in_use()] {
        let named = |secret| cluster(&naming(secret, &json!({}), &json!({})));
        assert_eq!(deleted(&named("docker-creds-v1"), &labels, username), Reason::InUse);
        assert_eq!(deleted(&named("docker-creds-v2"), &labels, username), Reason::NotInUse);
    }
}

/// Of a Secret in use, which is immutable as often as not.
#[rstest]
#[case::a_finalizer_is_added(|secret: &mut Value| secret["metadata"]["finalizers"] = json!([HELD, "gardener.cloud/secretbinding"]))]
#[case::another_finalizer_goes(|secret: &mut Value| secret["metadata"]["finalizers"] = json!([HELD]))]
#[case::a_label_of_a_binding_comes(|secret: &mut Value| {
    secret["metadata"]["labels"]["reference.gardener.cloud/secretbinding"] = "true".into();
})]
#[case::keys_of_etcd_are_rotated(|secret: &mut Value| {
    secret["metadata"]["labels"]["credentials.gardener.cloud/key-name"] = "kube-apiserver-etcd-key".into();
})]
#[case::an_annotation_comes(|secret: &mut Value| secret["metadata"]["annotations"]["a"] = "b".into())]
#[case::it_becomes_immutable(|secret: &mut Value| secret["immutable"] = true.into())]
#[case::data_change(|secret: &mut Value| secret["data"] = json!({"username": ""}))]
fn an_update_that_lets_go_of_nothing_passes_and_nobody_is_asked(#[case] change: fn(&mut Value)) {
    let cluster = Cluster::with(&["a"]);
    let old = secret(&in_use(), &annotated(&[reservation("a", Some("5"))]), &[HELD, "example.com/other"]);
    let mut new = old.clone();
    change(&mut new);
    for username in ["jane", CONTROLLER] {
        for rule in [Rule::SecretMarks, Rule::SecretsInUse] {
            let (decision, asked) = cluster.decide(rule, &request("UPDATE", &old, &new, username));
            assert_eq!((decision.outcome, decision.reason), (Outcome::Allowed, Reason::NotConcerned));
            assert_eq!((decision.warnings.texts(), asked.len()), (&[][..], 0));
        }
    }
}

#[rstest]
#[case::right(json!({"username": "am9obg==", "password": "c3dvcmRmaXNo"}))]
#[case::empty(json!({}))]
#[case::wrong(json!({"bar": "YmF6"}))]
fn a_secret_is_created_whatever_it_holds_and_marked_if_its_name_is_used(#[case] data: Value) {
    let mut new = secret(&json!({}), &[], &[]);
    new["data"] = data;
    let create = |cluster: &Cluster| {
        let request = request("CREATE", &Value::Null, &new, "jane");
        let (decision, asked) = cluster.decide(Rule::SecretMarks, &request);
        assert_eq!((decision.outcome, asked.len()), (Outcome::Allowed, 0));
        decision.reason
    };
    assert_eq!(create(&Cluster::default()), Reason::NotConcerned, "the first step of a rotation");
    assert_eq!(create(&Cluster::with(&["a"])), Reason::Marked);
}

/// The Shoot points to the next Secret, and Gardener's controller follows at once.
#[test]
fn a_rotation_lets_the_former_secret_go_before_gardener_has_reconciled() {
    let rotated = cluster(&naming("docker-creds-v2", &json!({"generation": 2}), &json!({})));
    assert_eq!(deleted(&rotated, &in_use(), "jane"), Reason::NotInUse, "the former Secret");
    let old = secret(&in_use(), &[], &[HELD]);
    let new = secret(&in_use(), &[], &[]);
    let (decision, _) = rotated.decide(Rule::SecretsInUse, &request("UPDATE", &old, &new, "jane"));
    assert_eq!(decision.reason, Reason::NotInUse, "whoever lets go of it");

    let back = cluster(&naming("docker-creds-v1", &json!({"generation": 3}), &json!({})));
    assert_eq!(deleted(&back, &in_use(), "jane"), Reason::InUse, "and back");
    let mut dropped = naming("docker-creds-v1", &json!({"generation": 4}), &json!({}));
    dropped["spec"] = json!({});
    assert_eq!(deleted(&cluster(&dropped), &in_use(), "jane"), Reason::NotInUse, "and dropped");
}

/// Nor of bindings and of Kyma's requests.
#[rstest]
#[case::deleted("DELETE", None)]
#[case::its_status_written("UPDATE", Some("status"))]
#[case::its_kubeconfig_asked_for("CREATE", Some("adminkubeconfig"))]
fn of_a_shoot_nobody_asks_when_it_is(#[case] operation: &str, #[case] sub_resource: Option<&str>) {
    for (group, resource) in [
        ("core.gardener.cloud", "shoots"),
        ("core.gardener.cloud", "secretbindings"),
        ("security.gardener.cloud", "credentialsbindings"),
        ("core.kyma-project.io", "registrycacheconfigs"),
    ] {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "1", "operation": operation, "namespace": "garden-dev", "name": "a",
                "kind": {"group": group, "version": "v1beta1", "kind": "x"}, "subResource": sub_resource,
                "resource": {"group": group, "version": "v1beta1", "resource": resource},
            },
        });
        let review = review.to_string();
        let request = review::decode(review.as_bytes()).unwrap();
        assert_eq!(Rule::for_request(&request).count(), 0, "{resource}");
    }
}
