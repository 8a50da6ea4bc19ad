//! What holds for whatever somebody writes.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::ObjectKey;
use crate::model::protection::{LiveReferrer, SecretAnswer};
use crate::model::reference::{Pointers, Referrer, ReferrerKind};
use crate::policy::Outcome;
use crate::policy::tests::json_of;

/// Any JSON, in which the words that decide come often.
fn any_json() -> impl Strategy<Value = Value> {
    let words = vec![
        "registry-cache",
        "registry-mirror",
        "shoot-rsyslog-relp",
        "v1",
        "Secret",
        "docker.io",
        "a",
        "b",
        "containerd",
        "docker",
        "registry.extensions.gardener.cloud/v1alpha3",
        "RegistryConfig",
        "mirror.extensions.gardener.cloud/v1alpha1",
        "MirrorConfig",
        "20Gi",
        "",
    ];
    let keys = vec![
        "metadata",
        "spec",
        "extensions",
        "type",
        "providerConfig",
        "disabled",
        "resources",
        "name",
        "resourceRef",
        "kind",
        "apiVersion",
        "caches",
        "upstream",
        "secretReferenceName",
        "mirrors",
        "hosts",
        "caBundleSecretReferenceName",
        "tls",
        "provider",
        "workers",
        "cri",
        "secretBindingName",
        "credentialsRef",
        "secretRef",
        "namespace",
        "deletionTimestamp",
    ];
    json_of(words, keys)
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", ""])
}

/// A Shoot that is about the size of real ones, any part of which may be something else.
fn any_shoot() -> impl Strategy<Value = Value> {
    let cache = (name(), name(), any_json()).prop_map(|(upstream, secret, other)| {
        json!({"upstream": format!("{upstream}.io"), "secretReferenceName": secret, "volume": other})
    });
    let mirror = (name(), name()).prop_map(|(upstream, secret)| {
        json!({"upstream": format!("{upstream}.io"), "hosts": [
            {"host": "https://mirror.example", "caBundleSecretReferenceName": secret},
        ]})
    });
    let extension = prop_oneof![
        1 => any_json(),
        4 => vec(prop_oneof![4 => cache, 1 => any_json()], 0..4).prop_map(|items| caches(json!(items))),
        4 => vec(prop_oneof![4 => mirror, 1 => any_json()], 0..4).prop_map(|items| mirrors(json!(items))),
    ];
    let entry = prop_oneof![
        1 => any_json(),
        6 => (name(), name()).prop_map(|(name, secret)| resource(name, "Secret", secret)),
    ];
    let lists = (vec(extension, 0..4), vec(entry, 0..5));
    prop_oneof![
        1 => (any_json(), any_json()).prop_map(|(extensions, resources)| shoot(extensions, resources)),
        6 => lists.prop_map(|(extensions, resources)| shoot(json!(extensions), json!(resources))),
    ]
}

fn any_answer() -> impl Strategy<Value = SecretAnswer> {
    prop_oneof![
        Just(SecretAnswer::Absent),
        Just(SecretAnswer::Unknown("no answer".into())),
        Just(found(credentials("a")).1),
        Just(found(ca_bundle("a")).1),
        Just(found(secret("a", json!(false), json!({}))).1),
        any_json().prop_filter_map("no Secret", |value| {
            let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(value).ok()?;
            Some(SecretAnswer::Found(secret.into()))
        }),
    ]
}

/// A scene in which anything may be answered.
fn any_scene() -> impl Strategy<Value = Scene> {
    let answers = || [any_answer(), any_answer(), any_answer()];
    (answers(), answers()).prop_map(|(read, reserved)| {
        let keys = || ["a", "b", "c"].map(|name| ObjectKey::new("garden-dev", name));
        let mut scene = Scene::new();
        scene.secrets.extend(keys().into_iter().zip(read));
        scene.reserved.extend(keys().into_iter().zip(reserved));
        let unknown = LiveReferrer::Unknown("no answer".into());
        scene.referrers.extend([(super::objects::named("a"), unknown)]);
        scene
    })
}

fn of_kind(kind: &str, api_version: &str, mut object: Value) -> Value {
    if !object.is_object() {
        object = json!({"spec": object});
    }
    object["kind"] = json!(kind);
    object["apiVersion"] = json!(api_version);
    let name = object.pointer("/metadata/name").filter(|name| name.is_string()).cloned();
    object["metadata"] = json!({"namespace": "garden-dev", "name": name.unwrap_or_else(|| json!("x"))});
    object
}

/// The Secrets that a Shoot names.
fn named(shoot: &Value) -> BTreeSet<ObjectKey> {
    let referrer = Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", "x") };
    let pointers = Pointers::of(&referrer, &to_raw_value(shoot).unwrap());
    pointers.secrets.into_iter().map(|reference| reference.secret).collect()
}

proptest! {
    #[test]
    fn whatever_is_written_and_answered_there_is_a_verdict_fit_to_be_sent(
        old in prop::option::of(any_shoot()), new in any_shoot(), scene in any_scene(),
    ) {
        let review = old.as_ref().map_or_else(|| create(&new), |old| update(old, &new));
        let ended = scene.run(&review);
        let message = refusal(&ended.decision);
        prop_assert!(message.len() < 6_000 && !message.contains(char::is_control), "{}", message);
        // Whoever is allowed to point to a Secret has left a reservation on it, after it was read.
        let reserved: BTreeSet<&ObjectKey> = ended.reservations.iter().map(|(secret, ..)| secret).collect();
        if ended.decision.outcome == Outcome::Allowed {
            let (before, now) = (old.as_ref().map(named).unwrap_or_default(), named(&new));
            let taken_up: BTreeSet<&ObjectKey> = now.difference(&before).collect();
            prop_assert_eq!(&reserved, &taken_up);
        }
        for secret in reserved {
            prop_assert!(ended.asked.contains(&format!("read {secret}")), "{:?}", ended.asked);
        }
    }

    #[test]
    fn any_object_of_any_kind_is_judged(
        [old, new] in prop::array::uniform2(any_json()), scene in any_scene(),
        (kind, api_version) in prop::sample::select(vec![
            ("Shoot", "core.gardener.cloud/v1beta1"), ("SecretBinding", "core.gardener.cloud/v1beta1"),
            ("CredentialsBinding", "security.gardener.cloud/v1alpha1"), ("RegistryCacheConfig", "core.kyma-project.io/v1beta1"),
        ]),
    ) {
        let [old, new] = [old, new].map(|object| of_kind(kind, api_version, object));
        scene.run(&create(&new));
        scene.run(&update(&old, &new));
    }

    #[test]
    fn an_update_that_changes_neither_references_nor_configurations_is_allowed_and_nobody_is_asked(
        old in any_shoot(), other in any_json(), scene in any_scene(),
    ) {
        let mut new = old.clone();
        new["metadata"]["annotations"] = other.clone();
        new["spec"]["maintenance"] = other;
        let ended = scene.run(&update(&old, &new));
        prop_assert_eq!(ended.decision.outcome, Outcome::Allowed);
        prop_assert_eq!(ended.decision.warnings.texts().len(), 0);
        prop_assert_eq!(ended.asked.len(), 0);
    }
}
