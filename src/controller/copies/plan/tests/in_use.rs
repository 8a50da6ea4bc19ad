//! Copies that something besides pods points to: no webhook is asked about our own deletions.

use super::*;
use crate::model::protection::{IN_USE_LABEL, IN_USE_VALUE};
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};

fn in_use(copy: &mut Secret) {
    copy.metadata.labels.get_or_insert_default().insert(IN_USE_LABEL.into(), IN_USE_VALUE.into());
}

fn of_another_type(copy: &mut Secret) {
    copy.type_ = Some("kubernetes.io/dockercfg".into());
}

#[rstest]
#[case::no_longer_offered(Scene::with_other_namespaces, |_: &mut Secret| {}, 0, "withdraw")]
#[case::whose_credential_has_gone(Scene::without_credential, |_: &mut Secret| {}, 10, "delete")]
#[case::that_no_pod_needs(|scene: Scene| scene.needed(false), marked, 10, "delete unneeded")]
#[case::that_would_be_created_anew(|scene: Scene| scene, of_another_type, 0, "recreate")]
fn a_copy_in_use_stays(
    #[case] change: fn(Scene) -> Scene,
    #[case] edit: fn(&mut Secret),
    #[case] seconds: u64,
    #[case] otherwise: &str,
) {
    for (is_in_use, expected) in [(false, otherwise), (true, "nothing")] {
        let copy = |copy: &mut Secret| {
            edit(copy);
            if is_in_use {
                in_use(copy);
            }
        };
        let mut scene = change(Scene::new().copy(copy));
        // The first look begins the count, where there is one.
        scene.at(0);
        assert_eq!(scene.at(seconds), expected, "in use: {is_in_use}");
    }
}

#[test]
fn a_copy_that_something_points_to_stays_before_it_has_the_label() {
    let mut scene = Scene::new().copy(|_| {}).with_other_namespaces();
    let key = ObjectKey::new(PLACE.0, PLACE.1);
    let shoot = Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("team-a", "shoot") };
    let secrets = vec![Reference::new(key, "spec.resources[0]")];
    scene.index.apply_referrer(shoot.clone(), Pointers::to(secrets));
    assert_eq!(scene.at(0), "nothing");
    scene.index.delete_referrer(shoot, "1");
    assert_eq!(scene.at(1), "withdraw");
}

#[test]
fn a_copy_in_use_follows_its_source_and_goes_once_it_is_not_in_use_any_more() {
    let change = |copy: &mut Secret| {
        in_use(copy);
        edited(copy);
    };
    assert_eq!(Scene::new().copy(change).at(0), "update");
    let mut scene = Scene::new().copy(in_use).with("namespaces", json!(["other"]));
    assert_eq!(scene.at(0), "nothing");
    assert_eq!(scene.copy(|_| {}).at(1), "withdraw");
}

impl Scene {
    fn with_other_namespaces(self) -> Self {
        self.with("namespaces", json!(["other"]))
    }

    fn without_credential(self) -> Self {
        self.index.delete_credential("ghcr");
        self
    }
}
