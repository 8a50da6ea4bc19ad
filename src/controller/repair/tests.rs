use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use rstest::rstest;
use serde_json::{Value, json};

use super::census::{Counts, FailingPod};
use super::*;
use crate::cluster::tests::client;
use crate::events::Kind;
use crate::knowledge::pods::uid_of;
use crate::model::ObjectKey;
use crate::model::copy::copy_of;
use crate::model::pod::ObservedPod;
use crate::model::source::SourceState;

const NAMESPACE: &str = "team-a";
const PRIVATE: &str = "ghcr.io/private/app:1";
const FAILING: &str = "ImagePullBackOff";

/// A cluster with the credential `ghcr` for ghcr.io, and its copy where this is said.
fn index(spec: &Value, has_copy: bool) -> Index {
    let index = Index::new("regcred-system");
    let mut credential = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
        "spec": {"secretRef": {"namespace": "vault", "name": "auth"}, "namespaces": ["team-*", "kube-*"]},
    });
    credential["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
    index.apply_credential(&serde_json::from_value(credential).unwrap()).unwrap();
    let source: Secret = serde_json::from_value(json!({
        "metadata": {"namespace": "vault", "name": "auth", "uid": "2", "resourceVersion": "1"},
        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6eyJnaGNyLmlvIjp7fX19"},
    }))
    .unwrap();
    index.apply_source(&source);
    for namespace in [NAMESPACE, "other", "kube-system"] {
        index.apply_namespace(&ObjectMeta { name: Some(namespace.into()), ..ObjectMeta::default() });
    }
    if has_copy {
        let known = index.snapshot();
        let place = ObjectKey::new(NAMESPACE, "regcred-ghcr");
        let SourceState::Good(source) = &known.sources[&ObjectKey::new("vault", "auth")].state else {
            panic!("the source is good");
        };
        index.apply_copy(&copy_of(source, &known.credentials["ghcr"], &place));
    }
    index
}

/// A pod that fails.
fn object(name: &str) -> Value {
    json!({
        "metadata": {
            "namespace": NAMESPACE, "name": name, "uid": format!("uid-of-{name}"), "resourceVersion": "7",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web", "controller": true}],
        },
        "spec": {"containers": [{"image": PRIVATE}]},
        "status": {"containerStatuses": [{"state": {"waiting": {"reason": FAILING}}}]},
    })
}

fn pod(object: &Value) -> ObservedPod {
    serde_json::from_value(object.clone()).unwrap()
}

fn census_of(objects: &[Value], index: &Index) -> Census {
    let (pods, mut census) = (Pods::default(), Census::default());
    for object in objects {
        pods.apply(&pod(object));
    }
    for namespace in pods.namespaces() {
        census.judge(&namespace, &pods, &index.snapshot(), Instant::now());
    }
    census
}

fn counts(running: usize, failing: usize, other: usize) -> Counts {
    Counts { running, failing, other }
}

#[rstest]
#[case::nothing(&[], counts(0, 1, 0))]
#[case::runs(&[("/status", json!({"containerStatuses": [{"state": {"running": {}}}]}))], counts(1, 0, 0))]
#[case::has_no_status(&[("/status", json!({}))], counts(0, 0, 1))]
#[case::goes(&[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))], counts(0, 0, 0))]
#[case::names_it(&[("/spec/imagePullSecrets", json!([{"name": "regcred-ghcr"}]))], counts(0, 0, 0))]
#[case::names_another(&[("/spec/imagePullSecrets", json!([{"name": "other"}]))], counts(0, 1, 0))]
#[case::opted_out(&[("/metadata/labels", json!({"regcred.dev/inject": "disabled"}))], counts(0, 0, 0))]
#[case::is_a_mirror(&[("/metadata/annotations", json!({"kubernetes.io/config.mirror": "h"}))], counts(0, 0, 0))]
#[case::other_image(&[("/spec/containers", json!([{"image": "quay.io/a/b"}]))], counts(0, 0, 0))]
#[case::namespace_that_is_offered_nothing(&[("/metadata/namespace", json!("other"))], counts(0, 0, 0))]
#[case::system_namespace(&[("/metadata/namespace", json!("kube-system"))], counts(0, 0, 0))]
#[case::namespace_that_the_watch_does_not_show(&[("/metadata/namespace", json!("team-new"))], counts(0, 0, 0))]
fn a_pod_lacks_what_it_would_be_given_if_it_were_created_now(
    #[case] changes: &[(&str, Value)],
    #[case] expected: Counts,
) {
    let mut object = object("p");
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    assert_eq!(census_of(&[object], &index(&json!({}), false)).total(), expected);
}

#[rstest]
#[case::mode_audit(json!({"mode": "Audit"}), counts(0, 0, 0))]
#[case::other_images(json!({"images": ["ghcr.io/other"]}), counts(0, 0, 0))]
#[case::excluded(json!({"excludeNamespaces": [NAMESPACE]}), counts(0, 0, 0))]
#[case::offered(json!({}), counts(0, 1, 0))]
fn what_the_credential_says_decides(#[case] spec: Value, #[case] expected: Counts) {
    assert_eq!(census_of(&[object("p")], &index(&spec, false)).total(), expected);
}

#[test]
fn an_account_that_limits_its_pods_keeps_the_name_from_them() {
    let index = index(&json!({}), true);
    let annotations = [("kubernetes.io/enforce-mountable-secrets".to_owned(), "true".to_owned())];
    index.apply_service_account(&ObjectMeta {
        namespace: Some(NAMESPACE.into()),
        name: Some("default".into()),
        annotations: Some(annotations.into()),
        ..ObjectMeta::default()
    });
    assert_eq!(census_of(&[object("p")], &index).total(), Counts::default());
}

#[test]
fn a_missing_copy_counts_as_needed_by_the_pods_that_lack_it() {
    let (index, pods) = (index(&json!({}), false), Pods::default());
    pods.apply(&pod(&object("p")));
    let known = index.snapshot();
    assert!(pods.needs(&known, NAMESPACE, &known.credentials["ghcr"]));
}

#[test]
fn a_pod_whose_replacement_would_not_get_the_name_either_lacks_nothing() {
    let index = index(&json!({"copyName": "pull"}), false);
    let object_of_another = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "zeta", "uid": "9"},
        "spec": {"secretRef": {"namespace": "vault", "name": "auth"}, "namespaces": ["team-*"], "images": ["other.example"], "copyName": "pull"},
    });
    index.apply_credential(&serde_json::from_value(object_of_another).unwrap()).unwrap();
    assert_eq!(census_of(&[object("p")], &index).total(), counts(0, 1, 0));
    let known = index.snapshot();
    let SourceState::Good(source) = &known.sources[&ObjectKey::new("vault", "auth")].state else {
        panic!("the source is good");
    };
    index.apply_copy(&copy_of(source, &known.credentials["zeta"], &ObjectKey::new(NAMESPACE, "pull")));
    assert_eq!(census_of(&[object("p")], &index).total(), counts(0, 0, 0));
}

#[test]
fn the_counts_follow_every_change() {
    let (index, pods, mut census) = (index(&json!({}), false), Pods::default(), Census::default());
    let (first, mut second) = (object("a"), object("b"));
    let mut judge = |pods: &Pods| {
        for namespace in pods.take_touched() {
            census.judge(&namespace, pods, &index.snapshot(), Instant::now());
        }
        census.total()
    };
    pods.apply(&pod(&first));
    pods.apply(&pod(&second));
    assert_eq!(judge(&pods), counts(0, 2, 0));
    second["status"] = json!({"containerStatuses": [{"state": {"running": {}}}]});
    pods.apply(&pod(&second));
    assert_eq!(judge(&pods), counts(1, 1, 0));
    pods.delete(&pod(&first));
    assert_eq!(judge(&pods), counts(1, 0, 0));
    pods.retain(&HashSet::new());
    assert_eq!(judge(&pods), counts(0, 0, 0));
}

#[test]
fn a_namespace_is_looked_at_again_only_after_something_that_counts() {
    let pods = Pods::default();
    let mut object = object("p");
    object["status"] = json!({"containerStatuses": [{"state": {"running": {}}}]});
    pods.apply(&pod(&object));
    assert_eq!(pods.take_touched().len(), 1);
    object["metadata"]["resourceVersion"] = "8".into();
    pods.apply(&pod(&object));
    assert!(pods.take_touched().is_empty(), "a pod that runs has changed in what nobody reads");
    object["status"] = json!({"containerStatuses": [{"state": {"waiting": {"reason": FAILING}}}]});
    pods.apply(&pod(&object));
    assert_eq!(pods.take_touched().len(), 1);
    object["metadata"]["resourceVersion"] = "9".into();
    pods.apply(&pod(&object));
    assert_eq!(pods.take_touched().len(), 1, "a pod that fails is evicted as it is now, or not at all");
}

fn names(turn: Option<(&FailingPod, &crate::model::pod::Owner)>) -> Option<String> {
    turn.map(|(pod, _)| pod.name.to_string())
}

#[test]
fn one_pod_of_each_controller_has_a_turn_in_an_hour_and_turns_keep_their_distance() {
    let of = |name: &str, owner: &str| {
        let mut object = object(name);
        object["metadata"]["ownerReferences"][0]["uid"] = owner.into();
        object
    };
    let census = census_of(&[of("a-1", "a"), of("a-2", "a"), of("b-1", "b")], &index(&json!({}), true));
    let (mut turns, start) = (Turns::new(Duration::from_secs(1)), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut take = |seconds| names(turns.take(census.failing(), at(seconds)));
    let first = take(0).unwrap();
    assert_eq!(take(0), None, "too soon");
    let second = take(1).unwrap();
    assert_ne!(first.split('-').next(), second.split('-').next());
    assert_eq!(take(2), None, "each controller has had its turn");
    assert_eq!(take(3_599), None);
    assert!(take(3_600).is_some());
}

#[test]
fn an_eviction_that_was_refused_is_tried_again_after_half_a_minute() {
    let census = census_of(&[object("p")], &index(&json!({}), true));
    let (mut turns, start) = (Turns::new(Duration::from_secs(1)), Instant::now());
    let (_, owner) = turns.take(census.failing(), start).unwrap();
    turns.give_back(owner, start);
    assert!(turns.take(census.failing(), start + Duration::from_secs(29)).is_none());
    assert!(turns.take(census.failing(), start + Duration::from_secs(30)).is_some());
}

/// How the API server answers an eviction; `None` for not at all.
#[rstest]
#[case::done(true, Some((201, "")), 1, false)]
#[case::a_budget(true, Some((429, "DisruptionBudget")), 1, true)]
#[case::busy(true, Some((429, "")), 1, true)]
#[case::changed_meanwhile(true, Some((409, "")), 1, true)]
#[case::forbidden(true, Some((403, "")), 1, true)]
#[case::given_up(true, Some((504, "")), 1, false)]
#[case::no_answer(true, None, 1, false)]
#[case::another_leads(false, None, 0, true)]
#[tokio::test]
async fn only_an_eviction_that_certainly_did_not_take_place_is_tried_again_within_the_hour(
    #[case] leads: bool,
    #[case] answer: Option<(u16, &'static str)>,
    #[case] expected_calls: usize,
    #[case] is_tried_again: bool,
) {
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asked = Arc::clone(&calls);
    let client = client(move |_| {
        asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let status = |code| if code < 300 { "Success" } else { "Failure" };
        let answer = answer.map(|(code, cause)| {
            let causes = json!([{"reason": cause, "message": "", "field": ""}]);
            let body = json!({
                "apiVersion": "v1", "kind": "Status", "code": code, "message": "as it is", "status": status(code),
                "details": {"causes": causes},
            });
            (code, body)
        });
        std::future::ready(answer)
    });
    let registry = prometheus::Registry::new();
    let now = Instant::now();
    let repair = Repair {
        client: client.clone(),
        index: Arc::new(index(&json!({}), true)),
        pods: Pods::default(),
        changes: Changes::default(),
        leadership: Leadership::until(if leads { now + Duration::from_mins(1) } else { now }),
        recorder: Recorder::new(
            client,
            "any",
            crate::events::Limits::default(),
            crate::telemetry::event_metrics::EventMetrics::register(&registry).unwrap(),
        )
        .0,
        metrics: PodMetrics::register(&registry, &eviction_results()).unwrap(),
        settings: PodSettings {
            watch_pods: true,
            evict_failing_pods: true,
            eviction_interval: Duration::from_secs(1),
        },
    };
    let mut term = Term {
        changes: repair.changes.subscribe(),
        census: census_of(&[object("p")], &repair.index),
        turns: Turns::new(Duration::from_secs(1)),
        told: Told::default(),
        everything_at: now,
    };
    repair.evict_next(&mut term).await;
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), expected_calls);
    let again = term.turns.take(term.census.failing(), Instant::now() + Duration::from_secs(31));
    assert_eq!(again.is_some(), is_tried_again);
}

#[rstest]
#[case::eligible(&[], true, true)]
#[case::nobody_replaces_it(&[("/metadata/ownerReferences", json!(null))], true, false)]
#[case::its_owner_is_no_controller(&[("/metadata/ownerReferences/0/controller", json!(false))], true, false)]
#[case::the_copy_is_not_there(&[], false, false)]
#[case::it_runs(&[("/status/containerStatuses", json!([{"state": {"running": {}}}]))], true, false)]
#[case::one_of_its_containers_runs(
    &[("/status/initContainerStatuses", json!([{"state": {"running": {}}}]))], true, false
)]
#[case::it_waits_for_something_else(
    &[("/status/containerStatuses", json!([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]))], true, false
)]
#[case::it_goes(&[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))], true, false)]
#[case::it_has_the_name(&[("/spec/imagePullSecrets", json!([{"name": "regcred-ghcr"}]))], true, false)]
#[case::it_opted_out(&[("/metadata/labels", json!({"regcred.dev/inject": "disabled"}))], true, false)]
fn only_a_pod_that_eviction_mends_has_a_turn(
    #[case] changes: &[(&str, Value)],
    #[case] has_copy: bool,
    #[case] expected: bool,
) {
    let mut object = object("p");
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    let census = census_of(&[object], &index(&json!({}), has_copy));
    let turn = Turns::new(Duration::from_secs(1)).take(census.failing(), Instant::now()).is_some();
    assert_eq!(turn, expected);
}

#[test]
fn people_are_told_once_of_each_pod_that_is_left_alone_and_of_each_namespace() {
    let mut running = object("r");
    running["status"] = json!({"containerStatuses": [{"state": {"running": {}}}]});
    let census = census_of(&[object("p"), running], &index(&json!({}), true));
    let mut told = Told::default();
    let of_pod = told.next(&census, |_| false).unwrap();
    assert_eq!((of_pod.kind, of_pod.reason), (Kind::Warning, "PullSecretMissing"));
    assert!(
        of_pod.note.contains("regcred-ghcr") && of_pod.note.contains("its replacement gets it"),
        "{}",
        of_pod.note
    );
    let of_namespace = told.next(&census, |_| false).unwrap();
    assert_eq!((of_namespace.kind, of_namespace.reason), (Kind::Normal, "PullSecretMissing"));
    assert_eq!(told.next(&census, |_| false), None);
    told.forget_past(&census);
    assert_eq!(told.next(&census, |_| false), None, "it lasts");
    told.forget_past(&Census::default());
    assert!(told.next(&census, |_| false).is_some(), "it was over and came again");
}

#[test]
fn a_pod_that_will_be_evicted_is_told_of_when_it_is() {
    let census = census_of(&[object("p")], &index(&json!({}), true));
    assert_eq!(Told::default().next(&census, |_| true), None);
    let pod = census.failing().next().unwrap();
    assert!(telling::evicted(pod).note.contains("its replacement gets it"));
    assert_eq!(pod.uid, uid_of(&self::pod(&object("p"))));
}

#[rstest]
#[case::a_namespace(Change::Namespace(NAMESPACE.into()), true)]
#[case::pods(Change::Pods(NAMESPACE.into()), true)]
#[case::a_copy(Change::Copy(ObjectKey::new(NAMESPACE, "regcred-ghcr")), true)]
#[case::a_source(Change::Source(ObjectKey::new("vault", "auth")), false)]
#[case::everything(Change::Everything, false)]
fn a_change_of_one_namespace_has_only_that_judged(#[case] change: Change, #[case] is_one: bool) {
    let expected = is_one.then(|| HashSet::from([Arc::from(NAMESPACE)]));
    assert_eq!(concerned(&HashSet::from([change])), expected);
}
