//! What is known of references after events in any order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::*;
use crate::model::gardener::BindingKind;

const BINDING: ReferrerKind = ReferrerKind::Binding(BindingKind::SecretBinding);

fn referrer(kind: ReferrerKind, name: &str) -> Referrer {
    Referrer { kind, key: ObjectKey::new("garden-dev", name) }
}

/// An object of a kind and what it says.
fn apply(references: &mut References, kind: ReferrerKind, name: &str, object: &Value) {
    let referrer = referrer(kind, name);
    let pointers = Pointers::of(&referrer, &to_raw_value(object).unwrap());
    references.apply(referrer, pointers);
}

fn shoot(secrets: &[&str], binding: &str) -> Value {
    let resources = secrets.iter().map(
        |name| json!({"name": name, "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": name}}),
    );
    json!({"spec": {"resources": resources.collect::<Vec<_>>(), "secretBindingName": binding}})
}

/// Who points to a Secret, for people.
fn of(references: &References, namespace: &str, name: &str) -> Vec<String> {
    let uses = references.of(&ObjectKey::new(namespace, name));
    let told = uses.into_iter().map(|one| {
        let places: Vec<String> = one.places.into_iter().map(|place| place.path).collect();
        let by: Vec<String> = one.users.iter().map(|(user, path)| format!("{user} ({path})")).collect();
        format!("{} {places:?} {by:?}", one.referrer)
    });
    told.collect()
}

#[test]
fn a_secret_is_found_with_the_objects_and_places_that_name_it() {
    let mut references = References::default();
    apply(&mut references, ReferrerKind::Shoot, "b", &shoot(&["other", "creds", "creds"], ""));
    apply(&mut references, ReferrerKind::Shoot, "a", &shoot(&["creds"], ""));
    let config = json!({"spec": {"secretReferenceName": "creds"}});
    apply(&mut references, ReferrerKind::RegistryCacheConfig, "docker", &config);
    assert_eq!(
        of(&references, "garden-dev", "creds"),
        [
            r#"Shoot garden-dev/a ["spec.resources[0]"] []"#,
            r#"Shoot garden-dev/b ["spec.resources[1]", "spec.resources[2]"] []"#,
            r#"RegistryCacheConfig garden-dev/docker ["spec.secretReferenceName"] []"#,
        ]
    );
    assert_eq!(of(&references, "garden-other", "creds"), [""; 0], "names are of one namespace");
}

#[test]
fn a_binding_names_a_secret_of_any_namespace_for_the_shoots_that_name_it_whichever_comes_first() {
    let binding = json!({"secretRef": {"name": "account", "namespace": "garden-core"}});
    let expected = [
        r#"SecretBinding garden-dev/account ["secretRef"] ["Shoot garden-dev/a (spec.secretBindingName)", "Shoot garden-dev/b (spec.secretBindingName)"]"#,
    ];
    for binding_at in 0..3 {
        let mut references = References::default();
        for step in 0..3 {
            if step == binding_at {
                apply(&mut references, BINDING, "account", &binding);
            }
            if let Some(name) = ["a", "b"].get(step) {
                apply(&mut references, ReferrerKind::Shoot, name, &shoot(&[], "account"));
            }
        }
        assert_eq!(of(&references, "garden-core", "account"), expected, "as number {binding_at}");
        references.delete(&referrer(ReferrerKind::Shoot, "a"));
        references.delete(&referrer(ReferrerKind::Shoot, "b"));
        let unused = [r#"SecretBinding garden-dev/account ["secretRef"] []"#];
        assert_eq!(of(&references, "garden-core", "account"), unused, "it holds the Secret by itself");
        references.delete(&referrer(BINDING, "account"));
        assert!(references.of(&ObjectKey::new("garden-core", "account")).is_empty() && references.is_empty());
    }
}

#[test]
fn a_shoot_that_needs_no_secret_any_more_points_to_none() {
    let mut references = References::default();
    apply(&mut references, ReferrerKind::Shoot, "a", &shoot(&["creds"], "account"));
    let mut done = shoot(&["creds"], "account");
    done["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    apply(&mut references, ReferrerKind::Shoot, "a", &done);
    assert!(references.is_empty() && of(&references, "garden-dev", "creds").is_empty());
}

#[test]
fn a_complete_list_of_a_kind_takes_away_what_it_does_not_hold_and_nothing_of_other_kinds() {
    let mut references = References::default();
    apply(&mut references, ReferrerKind::Shoot, "a", &shoot(&["creds"], ""));
    apply(&mut references, ReferrerKind::Shoot, "b", &shoot(&["creds"], ""));
    apply(&mut references, BINDING, "c", &json!({"secretRef": {"name": "creds"}}));
    references.retain(&ReferrerKind::Shoot, None, &[ObjectKey::new("garden-dev", "b")].into());
    let left = ["Shoot garden-dev/b", "SecretBinding garden-dev/c"];
    let of = references.of(&ObjectKey::new("garden-dev", "creds"));
    assert_eq!(of.iter().map(|one| one.referrer.to_string()).collect::<Vec<_>>(), left);
}

/// Something that a watch shows.
#[derive(Debug, Clone)]
enum Event {
    Shoot(usize, Vec<usize>, Option<usize>),
    Binding(usize, usize),
    Gone(bool, usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..3_usize, vec(0..3_usize, 0..3), prop::option::of(0..2_usize))
            .prop_map(|(name, secrets, binding)| Event::Shoot(name, secrets, binding)),
        (0..2_usize, 0..3_usize).prop_map(|(name, secret)| Event::Binding(name, secret)),
        (any::<bool>(), 0..3_usize).prop_map(|(is_shoot, name)| Event::Gone(is_shoot, name)),
    ]
}

proptest! {
    #[test]
    fn what_is_known_depends_on_what_is_there_and_not_on_how_it_came(events in vec(any_event(), 0..40)) {
        let mut references = References::default();
        let mut there: BTreeMap<Referrer, Value> = BTreeMap::new();
        for event in events {
            let (key, object) = match event {
                Event::Shoot(name, secrets, binding) => {
                    let secrets: Vec<String> = secrets.iter().map(|secret| format!("s{secret}")).collect();
                    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
                    let binding = binding.map(|binding| format!("b{binding}")).unwrap_or_default();
                    (referrer(ReferrerKind::Shoot, &format!("o{name}")), Some(shoot(&secrets, &binding)))
                }
                Event::Binding(name, secret) => {
                    let object = json!({"secretRef": {"name": format!("s{secret}")}});
                    (referrer(BINDING, &format!("b{name}")), Some(object))
                }
                Event::Gone(true, name) => (referrer(ReferrerKind::Shoot, &format!("o{name}")), None),
                Event::Gone(false, name) => (referrer(BINDING, &format!("b{name}")), None),
            };
            if let Some(object) = object {
                apply(&mut references, key.kind.clone(), &key.key.name, &object);
                there.insert(key, object);
            } else {
                references.delete(&key);
                there.remove(&key);
            }
        }
        let mut anew = References::default();
        for (key, object) in there.iter().rev() {
            apply(&mut anew, key.kind.clone(), &key.key.name, object);
        }
        for secret in ["s0", "s1", "s2"] {
            let secret = ObjectKey::new("garden-dev", secret);
            prop_assert_eq!(references.of(&secret), anew.of(&secret));
        }
        prop_assert_eq!(references.len(), anew.len());
        prop_assert_eq!(references.of_secrets.len(), anew.of_secrets.len());
        prop_assert_eq!(references.of_bindings.len(), anew.of_bindings.len());
    }
}
