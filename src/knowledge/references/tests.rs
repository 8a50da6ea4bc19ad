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

/// A Manifest that is pulled with Secrets of this label.
fn manifest(label: &str) -> Value {
    let selector = json!({"matchLabels": {"a": label}});
    json!({"spec": {"install": {"source": {"repo": "ghcr.io", "name": "m", "credSecretSelector": selector}}}})
}

/// Who selects Secrets that have this label and another one, by what they need.
fn selecting(references: &References, label: &str) -> Vec<String> {
    let labels = [("a", label), ("b", "c")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let selecting = references.selecting(&labels.into());
    let told = selecting.into_iter().map(|(selection, referrers)| {
        let named: Vec<String> = referrers.iter().map(ToString::to_string).collect();
        format!("{} for {}: {}", selection.selector, selection.repository, named.join(", "))
    });
    told.collect()
}

#[test]
fn whoever_selects_a_secret_is_found_by_its_labels_and_causes_no_other_trace_of_it() {
    let mut references = References::default();
    for (name, label) in [("b", "x"), ("a", "x"), ("c", "y")] {
        apply(&mut references, ReferrerKind::Manifest, name, &manifest(label));
    }
    let found = ["a=x for ghcr.io/m: Manifest garden-dev/a, Manifest garden-dev/b"];
    assert_eq!(selecting(&references, "x"), found);
    assert_eq!(selecting(&references, "z"), [""; 0]);
    assert_eq!((references.secrets().count(), references.len()), (0, 3));
    apply(&mut references, ReferrerKind::Manifest, "a", &manifest("y"));
    references.delete(&referrer(ReferrerKind::Manifest, "b"));
    assert_eq!(selecting(&references, "x"), [""; 0]);
    references.retain(&ReferrerKind::Manifest, None, &HashSet::new());
    assert!(references.is_empty() && references.of_selections.is_empty());
}

#[test]
fn what_very_many_objects_need_is_kept_once() {
    let mut references = References::default();
    for number in 0..1000 {
        apply(&mut references, ReferrerKind::Manifest, &number.to_string(), &manifest("x"));
    }
    assert_eq!(references.of_selections.len(), 1);
    let kept = references.said.values().flat_map(|pointers| &pointers.selections).map(Arc::as_ptr);
    assert_eq!(kept.collect::<HashSet<_>>().len(), 1);
}

/// Something that a watch shows.
#[derive(Debug, Clone)]
enum Event {
    Shoot(usize, Vec<usize>, Option<usize>),
    Binding(usize, usize),
    Manifest(usize, usize),
    Gone(ReferrerKind, usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..3_usize, vec(0..3_usize, 0..3), prop::option::of(0..2_usize))
            .prop_map(|(name, secrets, binding)| Event::Shoot(name, secrets, binding)),
        (0..2_usize, 0..3_usize).prop_map(|(name, secret)| Event::Binding(name, secret)),
        (0..3_usize, 0..3_usize).prop_map(|(name, label)| Event::Manifest(name, label)),
        (prop::sample::select(vec![ReferrerKind::Shoot, BINDING, ReferrerKind::Manifest]), 0..3_usize)
            .prop_map(|(kind, name)| Event::Gone(kind, name)),
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
                    (referrer(ReferrerKind::Shoot, &format!("b{name}")), Some(shoot(&secrets, &binding)))
                }
                Event::Binding(name, secret) => {
                    let object = json!({"secretRef": {"name": format!("s{secret}")}});
                    (referrer(BINDING, &format!("b{name}")), Some(object))
                }
                Event::Manifest(name, label) => {
                    let object = manifest(&format!("s{label}"));
                    (referrer(ReferrerKind::Manifest, &format!("b{name}")), Some(object))
                }
                Event::Gone(kind, name) => (referrer(kind, &format!("b{name}")), None),
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
            prop_assert_eq!(selecting(&references, secret), selecting(&anew, secret));
            let secret = ObjectKey::new("garden-dev", secret);
            prop_assert_eq!(references.of(&secret), anew.of(&secret));
        }
        prop_assert_eq!(references.len(), anew.len());
        prop_assert_eq!(references.of_secrets.len(), anew.of_secrets.len());
        prop_assert_eq!(references.of_bindings.len(), anew.of_bindings.len());
        prop_assert_eq!(references.of_selections.len(), anew.of_selections.len());
    }
}
