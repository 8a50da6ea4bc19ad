//! What is done by whoever knows an older credential or an older source than a copy was written from.

use super::*;

#[rstest]
#[case::of_the_source(|copy: &mut Secret| annotate(copy, |origin| origin["sourceResourceVersion"] = "9".into()))]
#[case::of_the_credential(|copy: &mut Secret| annotate(copy, |origin| origin["credentialGeneration"] = 9.into()))]
fn an_older_view_writes_no_copy_unless_it_stays_the_only_one(#[case] newer: fn(&mut Secret)) {
    let change = |copy: &mut Secret| {
        edited(copy);
        newer(copy);
    };
    let mut scene = Scene::new().copy(change);
    assert_eq!(
        (scene.at(0), scene.at(119), scene.at(120)),
        ("at 120".into(), "at 120".into(), "update".into())
    );
}

#[test]
fn a_copy_of_another_source_which_was_written_later_is_brought_to_the_present_one_at_once() {
    let mut scene = Scene::new().copy(|copy| {
        edited(copy);
        annotate(copy, |origin| {
            origin["source"] = "porch-system/former".into();
            origin["sourceResourceVersion"] = "9".into();
        });
    });
    assert_eq!(scene.at(0), "update");
}

#[test]
fn an_older_view_of_the_credential_takes_no_copy_from_a_namespace_unless_it_stays_the_only_one() {
    let newer = |copy: &mut Secret| annotate(copy, |origin| origin["credentialGeneration"] = 9.into());
    let mut scene = Scene::new().copy(newer).with("namespaces", json!(["other"]));
    assert_eq!(
        (scene.at(0), scene.at(119), scene.at(120)),
        ("at 120".into(), "at 120".into(), "withdraw".into())
    );
}
