//! What is done at a place: a row for each thing that may be found there.

use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::knowledge::Index;
use crate::model::copy::{Obstacle, copy_of};
use crate::model::source::tests::registry_secret;

mod in_use;
mod views;

const PLACE: (&str, &str) = ("team-a", "regcred-ghcr");
const GRACES: Graces = Graces {
    unneeded: Duration::from_mins(1),
    source_missing: Duration::from_mins(10),
    settle: Duration::from_secs(10),
};

/// Pods, by whether one needs the credential and whether one names the Secret.
struct Told {
    needs: Option<bool>,
    names: Option<bool>,
}

impl Needs for Told {
    fn needs(&self, _: &Snapshot, _: &str, _: &Credential) -> Option<bool> {
        self.needs
    }

    fn names(&self, _: &ObjectKey) -> Option<bool> {
        self.names
    }
}

/// A cluster with a source and a namespace; the credential and the copy are as the case says.
struct Scene {
    index: Index,
    spec: Value,
    pods: Told,
    record: Record,
    start: Instant,
}

impl Scene {
    fn new() -> Self {
        let index = Index::new("regcred-system");
        index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
        let spec = json!({
            "secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["team-*"],
        });
        let pods = Told { needs: Some(true), names: Some(true) };
        let scene = Self { index, spec, pods, record: Record::default(), start: Instant::now() };
        scene.credential("1");
        scene.source(r#"{"auths":{"ghcr.io":{}}}"#, "7");
        scene
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self.credential("2");
        self
    }

    fn needed(mut self, needs: impl Into<Option<bool>>) -> Self {
        self.pods.needs = needs.into();
        self
    }

    fn credential(&self, generation: &str) {
        let object = json!({
            "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
            "metadata": {"name": "ghcr", "uid": "uid-of-ghcr", "generation": generation.parse::<i64>().unwrap()},
            "spec": self.spec,
        });
        let _ = self.index.apply_credential(&serde_json::from_value(object).unwrap());
    }

    fn source(&self, document: &str, resource_version: &str) {
        let mut source = registry_secret(document);
        source.metadata.resource_version = Some(resource_version.into());
        self.index.apply_source(&source);
    }

    /// The copy as it was made of what the source holds now, then changed.
    fn copy(self, change: impl FnOnce(&mut Secret)) -> Self {
        let known = self.index.snapshot();
        let credential = &known.credentials["ghcr"];
        let SourceState::Good(source) = &known.sources[&credential.source].state else { panic!("no source") };
        let mut copy = copy_of(source, credential, &ObjectKey::new(PLACE.0, PLACE.1));
        copy.metadata.uid = Some("uid-of-copy".into());
        copy.metadata.resource_version = Some("100".into());
        change(&mut copy);
        self.index.apply_copy(&copy);
        self
    }

    /// What is done that many seconds after the start, as a word.
    fn at(&mut self, seconds: u64) -> String {
        let now = self.start + Duration::from_secs(seconds);
        let known = self.index.snapshot();
        let planner = Planner { known: &known, pods: &self.pods, graces: GRACES, now };
        match planner.plan(&ObjectKey::new(PLACE.0, PLACE.1), &mut self.record) {
            Plan::Nothing => "nothing".to_owned(),
            Plan::Later(moment) => format!("at {}", moment.duration_since(self.start).as_secs()),
            Plan::Create(_) => "create".to_owned(),
            Plan::Update { .. } => "update".to_owned(),
            Plan::Recreate(..) => "recreate".to_owned(),
            Plan::Mark(..) => "mark".to_owned(),
            Plan::Unmark(..) => "unmark".to_owned(),
            Plan::Delete(..) => "delete".to_owned(),
            Plan::Withdraw { is_adopted, .. } => {
                if is_adopted { "withdraw adopted" } else { "withdraw" }.to_owned()
            }
            Plan::DeleteUnneeded(..) => "delete unneeded".to_owned(),
            Plan::Release(..) => "release".to_owned(),
        }
    }
}

fn annotate(copy: &mut Secret, change: impl FnOnce(&mut Value)) {
    let annotation = copy.metadata.annotations.as_mut().unwrap().get_mut("regcred.dev/origin").unwrap();
    let mut origin: Value = serde_json::from_str(annotation).unwrap();
    change(&mut origin);
    *annotation = origin.to_string();
}

fn adopted(copy: &mut Secret) {
    annotate(copy, |origin| origin["adopted"] = true.into());
    copy.metadata.owner_references = None;
}

fn marked(copy: &mut Secret) {
    let annotations = copy.metadata.annotations.as_mut().unwrap();
    annotations.insert("regcred.dev/unneeded-since".into(), "2026-01-01T00:00:00Z".into());
}

fn edited(copy: &mut Secret) {
    copy.data.as_mut().unwrap().get_mut(".dockerconfigjson").unwrap().0 = b"{}".to_vec();
}

#[rstest]
#[case::needed(Scene::new(), "create")]
#[case::not_needed(Scene::new().needed(false), "nothing")]
#[case::pods_unknown(Scene::new().needed(None), "nothing")]
#[case::eager(Scene::new().needed(false).with("distribution", json!("Eager")), "create")]
#[case::audit(Scene::new().with("mode", json!("Audit")), "nothing")]
#[case::not_offered(Scene::new().with("namespaces", json!(["other"])), "nothing")]
#[case::excluded(Scene::new().with("excludeNamespaces", json!(["team-a"])), "nothing")]
#[case::its_own_source(
    Scene::new().with("secretRef", json!({"namespace": PLACE.0, "name": PLACE.1})), "nothing"
)]
fn a_missing_copy(#[case] mut scene: Scene, #[case] expected: &str) {
    assert_eq!(scene.at(0), expected);
}

#[rstest]
#[case::undecodable(r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#)]
#[case::no_json("{")]
fn a_missing_copy_of_a_broken_source_is_not_made(#[case] document: &str) {
    let mut scene = Scene::new();
    scene.source(document, "8");
    assert_eq!(scene.at(0), "nothing");
}

#[rstest]
#[case::current(|_: &mut Secret| {}, "nothing")]
#[case::edited(edited, "update")]
#[case::with_a_key_more(
    |copy: &mut Secret| {
        copy.data.as_mut().unwrap().insert("more".into(), k8s_openapi::ByteString(Vec::new()));
    },
    "update"
)]
#[case::without_owner(|copy: &mut Secret| copy.metadata.owner_references = None, "update")]
#[case::adopted(adopted, "nothing")]
#[case::of_another_type(|copy: &mut Secret| copy.type_ = Some("kubernetes.io/dockercfg".into()), "recreate")]
#[case::adopted_and_of_another_type(
    |copy: &mut Secret| { adopted(copy); copy.type_ = Some("Opaque".into()); }, "release"
)]
#[case::marked(marked, "unmark")]
fn a_copy_that_is_needed(#[case] change: fn(&mut Secret), #[case] expected: &str) {
    assert_eq!(Scene::new().copy(change).at(0), expected);
}

#[rstest]
#[case::deselected("namespaces", json!(["other"]), |_: &mut Secret| {}, "withdraw")]
#[case::deselected_and_adopted("namespaces", json!(["other"]), adopted, "withdraw adopted")]
#[case::switched_to_audit("mode", json!("Audit"), |_: &mut Secret| {}, "nothing")]
#[case::called_otherwise_and_named_by_a_pod("copyName", json!("other"), |_: &mut Secret| {}, "nothing")]
fn a_copy_after_its_credential_has_changed(
    #[case] field: &str,
    #[case] value: Value,
    #[case] change: fn(&mut Secret),
    #[case] expected: &str,
) {
    assert_eq!(Scene::new().copy(change).with(field, value).at(0), expected);
}

#[test]
fn a_copy_under_a_former_name_goes_in_two_steps_when_no_pod_names_it() {
    let mut scene = Scene::new().copy(|_| {}).with("copyName", json!("other"));
    scene.pods.names = Some(false);
    assert_eq!((scene.at(0).as_str(), scene.at(60).as_str()), ("at 60", "mark"));
    let mut scene = Scene::new().copy(marked).with("copyName", json!("other"));
    scene.pods.names = Some(false);
    assert_eq!((scene.at(0).as_str(), scene.at(10).as_str()), ("at 10", "delete unneeded"));
    scene.pods.names = None;
    assert_eq!(scene.at(11), "unmark", "nobody knows");
    let mut scene = Scene::new().copy(adopted).with("copyName", json!("other"));
    scene.pods.names = Some(false);
    assert_eq!(scene.at(0), "release");
}

#[rstest]
#[case::current(|_: &mut Secret| {}, "nothing")]
#[case::of_what_the_source_held(edited, "update")]
#[case::marked(marked, "unmark")]
fn a_copy_under_a_former_name_is_kept_right_for_the_pods_that_name_it(
    #[case] change: fn(&mut Secret),
    #[case] expected: &str,
) {
    let mut scene = Scene::new().copy(change).with("copyName", json!("other")).needed(false);
    assert_eq!(scene.at(0), expected);
}

#[rstest]
#[case::owned(|_: &mut Secret| {}, ["at 10", "delete"])]
#[case::without_owner(|copy: &mut Secret| copy.metadata.owner_references = None, ["delete", "delete"])]
#[case::adopted(adopted, ["release", "release"])]
fn a_copy_whose_credential_has_gone(#[case] change: fn(&mut Secret), #[case] expected: [&str; 2]) {
    let mut scene = Scene::new().copy(change);
    scene.index.delete_credential("ghcr");
    assert_eq!([scene.at(0), scene.at(10)], expected);
}

#[rstest]
#[case::owned(|_: &mut Secret| {}, "delete")]
#[case::without_owner(|copy: &mut Secret| copy.metadata.owner_references = None, "delete")]
#[case::adopted(adopted, "release")]
fn a_copy_whose_credential_is_not_listed_is_left_until_the_list_cannot_be_a_late_one_any_more(
    #[case] change: fn(&mut Secret),
    #[case] expected: &str,
) {
    let mut scene = Scene::new().copy(change);
    scene.index.retain_credentials(&std::collections::HashSet::new());
    assert_eq!([scene.at(0), scene.at(119), scene.at(120)], ["at 120", "at 120", expected]);
}

#[test]
fn a_copy_whose_credential_has_never_been_seen_is_left_until_the_watch_cannot_be_late_any_more() {
    let stranger =
        |copy: &mut Secret| annotate(copy, |origin| origin["credentialUid"] = "of-a-stranger".into());
    let mut scene = Scene::new().copy(stranger);
    assert_eq!([scene.at(0), scene.at(119), scene.at(120)], ["at 120", "at 120", "delete"]);
}

#[test]
fn a_credential_that_makes_no_sense_any_more_keeps_its_copies() {
    let no_owner = |copy: &mut Secret| copy.metadata.owner_references = None;
    let mut scene = Scene::new().copy(no_owner).with("namespaces", json!([]));
    assert!(scene.index.snapshot().credentials.is_empty());
    assert_eq!(scene.at(0), "nothing");
}

#[test]
fn a_terminating_namespace_is_left_alone() {
    let mut scene = Scene::new().copy(edited);
    scene.index.apply_namespace(&ObjectMeta {
        name: Some("team-a".into()),
        deletion_timestamp: Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap()),
        ..ObjectMeta::default()
    });
    assert_eq!(scene.at(0), "nothing");
    scene.index.delete_copy(&ObjectMeta {
        namespace: Some(PLACE.0.into()),
        name: Some(PLACE.1.into()),
        uid: Some("uid-of-copy".into()),
        ..ObjectMeta::default()
    });
    assert_eq!(scene.at(0), "nothing");
}

#[test]
fn a_copy_that_nobody_needs_is_marked_and_then_deleted_each_after_its_time() {
    let mut scene = Scene::new().copy(|_| {}).needed(false);
    assert_eq!((scene.at(5), scene.at(64), scene.at(65)), ("at 65".into(), "at 65".into(), "mark".into()));
    let mut scene = scene.copy(marked);
    assert_eq!(
        (scene.at(66), scene.at(75), scene.at(76)),
        ("at 76".into(), "at 76".into(), "delete unneeded".into())
    );
}

#[test]
fn a_need_in_between_begins_the_count_anew() {
    let mut scene = Scene::new().copy(|_| {}).needed(false);
    assert_eq!(scene.at(0), "at 60");
    let mut scene = scene.needed(true);
    assert_eq!(scene.at(30), "nothing");
    let mut scene = scene.needed(false);
    assert_eq!(scene.at(31), "at 91");
    let mut scene = scene.copy(marked);
    assert_eq!(scene.at(95), "at 105");
    // Somebody needs it and has taken the mark off, for a pod that is not seen yet.
    let mut scene = scene.copy(|_| {});
    assert_eq!((scene.at(100), scene.at(160)), ("at 160".into(), "mark".into()));
    assert_eq!(scene.copy(marked).at(200), "at 210");
}

#[test]
fn an_adopted_copy_stays_while_it_is_offered_whatever_marks_it_bears() {
    let mut scene = Scene::new().copy(adopted).needed(false);
    assert_eq!((scene.at(0), scene.at(9_999)), ("nothing".into(), "nothing".into()));
    let cloned_from_a_marked_one = |copy: &mut Secret| {
        adopted(copy);
        marked(copy);
    };
    assert_eq!(scene.copy(cloned_from_a_marked_one).at(9_999), "unmark");
}

#[test]
fn without_knowing_the_pods_no_copy_is_removed() {
    let mut scene = Scene::new().copy(|_| {}).needed(None);
    assert_eq!((scene.at(0), scene.at(9_999)), ("nothing".into(), "nothing".into()));
}

#[test]
fn copies_outlive_their_source_for_a_time_and_a_source_that_comes_back_ends_the_count() {
    let mut scene = Scene::new().copy(|_| {});
    let source = registry_secret("{}").metadata;
    scene.index.delete_source(&source);
    assert_eq!((scene.at(0), scene.at(599)), ("at 600".into(), "at 600".into()));
    scene.source(r#"{"auths":{"ghcr.io":{}}}"#, "9");
    assert_eq!(scene.at(599), "nothing");
    scene.index.delete_source(&source);
    assert_eq!((scene.at(700), scene.at(1_300)), ("at 1300".into(), "delete".into()));
}

#[test]
fn a_broken_source_changes_no_copy_however_long_it_lasts() {
    let mut scene = Scene::new().copy(|_| {});
    scene.source("{", "9");
    assert_eq!((scene.at(0), scene.at(99_999)), ("nothing".into(), "nothing".into()));
}

#[test]
fn what_has_failed_is_tried_again_after_its_pause() {
    let mut scene = Scene::new();
    let wanted = Wanted::new(&scene.index.snapshot().credentials["ghcr"], PLACE.0);
    scene.index.set_back(&wanted.key(), Obstacle::Foreign, scene.start);
    assert_eq!((scene.at(0), scene.at(5)), ("at 5".into(), "create".into()));
}

#[test]
fn of_two_credentials_that_want_one_name_the_first_by_name_gets_it() {
    let mut scene = Scene::new();
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": "another", "uid": "uid-of-another"},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["*"],
            "copyName": PLACE.1},
    });
    scene.index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
    let known = scene.index.snapshot();
    let planner = Planner { known: &known, pods: &scene.pods, graces: GRACES, now: scene.start };
    let plan = planner.plan(&ObjectKey::new(PLACE.0, PLACE.1), &mut scene.record);
    assert!(matches!(plan, Plan::Create(wanted) if &*wanted.credential.name == "another"));
    let mut scene = scene.copy(|_| {});
    assert_eq!(scene.at(0), "nothing", "what is there stays");
}

#[test]
fn the_second_of_two_credentials_that_want_one_name_gives_way_also_while_nobody_needs_the_first() {
    let mut scene = Scene::new().with("copyName", json!("pull"));
    let place = ObjectKey::new(PLACE.0, "pull");
    let plan = |scene: &mut Scene| {
        let known = scene.index.snapshot();
        let planner = Planner { known: &known, pods: &scene.pods, graces: GRACES, now: scene.start };
        planner.plan(&place, &mut scene.record)
    };
    assert!(matches!(plan(&mut scene), Plan::Create(_)));
    // Its source is not there, so it is not made either.
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": "another", "uid": "uid-of-another"},
        "spec": {"secretRef": {"namespace": "sources", "name": "absent"}, "namespaces": ["*"], "copyName": "pull"},
    });
    scene.index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
    assert!(matches!(plan(&mut scene), Plan::Nothing));
}
