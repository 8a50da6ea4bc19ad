//! The other kinds that point to Secrets, and what Shoots point to otherwise.

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::model::ObjectKey;
use crate::model::gardener::BindingKind;
use crate::model::protection::LiveReferrer;
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};
use crate::policy::{Outcome, Reason};

fn binding(namespace: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "CredentialsBinding",
        "metadata": {"namespace": "garden-dev", "name": "account", "uid": "uid-of-binding"},
        "credentialsRef": {"apiVersion": "v1", "kind": "Secret", "namespace": namespace, "name": secret},
    })
}

fn config(secret: &str) -> Value {
    json!({
        "apiVersion": "core.kyma-project.io/v1beta1", "kind": "RegistryCacheConfig",
        "metadata": {"namespace": "garden-dev", "name": "docker", "uid": "uid-of-config", "resourceVersion": "9"},
        "spec": {"upstream": "docker.io", "secretReferenceName": secret},
    })
}

fn elsewhere(mut secret: Value) -> Value {
    secret["metadata"]["namespace"] = json!("garden-core");
    secret
}

/// Nothing is demanded of what it holds: it is replaced in place.
#[test]
fn a_binding_takes_up_a_secret_of_any_namespace() {
    let account = || elsewhere(secret("account", json!(null), json!({"a": "", "b": "", "c": ""})));
    let ended = Scene::new().with([account()]).run(&create(&binding("garden-core", "account")));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::Accepted));
    assert_eq!(ended.asked, ["read garden-core/account", "reserve garden-core/account"]);
    assert_eq!(
        Scene::new().refusal(&create(&binding("garden-core", "account"))),
        "Secret garden-core/account (credentialsRef) does not exist; create it first"
    );
    let same = binding("garden-core", "account");
    assert_eq!(Scene::new().run(&update(&same, &same)).asked, [""; 0]);
}

#[test]
fn a_secret_binding_does_likewise() {
    let binding = json!({
        "apiVersion": "core.gardener.cloud/v1beta1", "kind": "SecretBinding",
        "metadata": {"namespace": "garden-dev", "name": "account"}, "secretRef": {"name": "account"},
    });
    assert_eq!(
        Scene::new().refusal(&create(&binding)),
        "Secret garden-dev/account (secretRef) does not exist; create it first"
    );
}

#[test]
fn a_registry_cache_config_demands_what_a_cache_demands() {
    let [v1, v2] = ["docker-creds-v1", "docker-creds-v2"].map(config);
    let ended = Scene::full().run(&create(&v1));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::Accepted));
    assert_eq!(ended.asked, ["read garden-dev/docker-creds-v1", "reserve garden-dev/docker-creds-v1"]);
    let ended = Scene::full().run(&update(&v1, &v2));
    assert_eq!(ended.reservations[0].2.claim.over.as_deref(), Some("9"));
    let wrong = || secret("docker-creds-v1", json!(null), json!({"username": "a", "password": "b"}));
    assert_eq!(
        Scene::new().with([wrong()]).refusal(&create(&v1)),
        "spec.secretReferenceName: Invalid value: \"docker-creds-v1\": the referenced secret \"garden-dev/docker-creds-v1\" \
         should be immutable"
    );
    assert_eq!(Scene::new().with([wrong()]).run(&update(&v1, &v1)).asked, [""; 0]);
    assert_eq!(
        Scene::new().refusal(&create(&v1)),
        "Secret garden-dev/docker-creds-v1 (spec.secretReferenceName) does not exist; create it first"
    );
}

#[test]
fn where_regcred_has_no_rights_nothing_is_asked_and_that_is_told() {
    let scene = Scene::new().limited_to(&["garden-dev"]);
    let ended = scene.run(&create(&binding("garden-core", "account")));
    assert_eq!((ended.decision.outcome, ended.decision.reason), (Outcome::Allowed, Reason::Warned));
    assert_eq!(ended.asked, [""; 0]);
    assert_eq!(
        ended.decision.warnings.texts(),
        ["Secrets of namespace garden-core are not checked: regcred has no rights there"]
    );
    assert!(!scene.refusal(&create(&binding("garden-dev", "account"))).is_empty());
    let same = binding("garden-core", "account");
    assert_eq!(scene.run(&update(&same, &same)).decision.warnings.texts(), [""; 0]);
}

fn with_binding(name: &str) -> Value {
    let mut shoot = shoot(json!([]), json!([]));
    shoot["spec"]["credentialsBindingName"] = json!(name);
    shoot
}

pub(super) fn named(name: &str) -> Referrer {
    let kind = ReferrerKind::Binding(BindingKind::CredentialsBinding);
    Referrer { kind, key: ObjectKey::new("garden-dev", name) }
}

fn live() -> LiveReferrer {
    let pointers = Pointers::default();
    LiveReferrer::Found { uid: "1".into(), resource_version: "1".into(), pointers }
}

#[rstest]
#[case::absent(LiveReferrer::Absent, &["spec.credentialsBindingName: there is no CredentialsBinding garden-dev/account"])]
#[case::there(live(), &[])]
#[case::unknown(LiveReferrer::Unknown(Arc::from("no answer")), &[])]
fn a_binding_that_a_shoot_newly_names_is_looked_at(#[case] answer: LiveReferrer, #[case] expected: &[&str]) {
    let mut scene = Scene::new();
    scene.referrers.insert(named("account"), answer);
    for review in [create(&with_binding("account")), update(&with_binding("other"), &with_binding("account"))]
    {
        let ended = scene.run(&review);
        assert_eq!(ended.decision.outcome, Outcome::Allowed);
        assert_eq!(ended.decision.warnings.texts(), expected);
        assert_eq!(ended.asked, ["look at CredentialsBinding garden-dev/account"]);
    }
    let same = update(&with_binding("account"), &with_binding("account"));
    assert_eq!(scene.run(&same).asked, [""; 0]);
}

/// What the watches have shown of it may be over.
#[rstest]
#[case::there(Some(json!(null)), &[])]
#[case::going(
    Some(json!("2026-01-01T00:00:00Z")),
    &["Secret garden-core/account of CredentialsBinding garden-dev/account is being deleted"]
)]
#[case::gone(None, &["Secret garden-core/account of CredentialsBinding garden-dev/account does not exist"])]
fn the_secret_behind_a_binding_is_looked_at_and_held_by_the_binding_alone(
    #[case] deleted_at: Option<Value>,
    #[case] expected: &[&str],
) {
    let secrets = vec![Reference::new(ObjectKey::new("garden-core", "account"), "credentialsRef")];
    let pointers = Pointers::to(secrets);
    let mut scene = Scene::new();
    scene.index.apply_referrer(named("account"), pointers.clone());
    scene.referrers.insert(
        named("account"),
        LiveReferrer::Found { uid: "1".into(), resource_version: "2".into(), pointers },
    );
    if let Some(deleted_at) = deleted_at {
        let mut account = elsewhere(secret("account", json!(null), json!({})));
        account["metadata"]["deletionTimestamp"] = deleted_at;
        scene = scene.with([account]);
    }
    let ended = scene.run(&create(&with_binding("account")));
    assert_eq!((ended.decision.outcome, ended.reservations.len()), (Outcome::Allowed, 0));
    assert_eq!(ended.decision.warnings.texts(), expected);
    assert_eq!(ended.asked, ["look at CredentialsBinding garden-dev/account", "read garden-core/account"]);
    let limited = scene.limited_to(&["garden-dev"]).run(&create(&with_binding("account")));
    assert_eq!(limited.asked, ["look at CredentialsBinding garden-dev/account"], "where it may not look");
}

#[test]
fn every_place_of_a_shoot_takes_its_secret_up() {
    let reference = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "name": name});
    let mut shoot = shoot(json!([]), json!([resource("a", "Secret", "r1")]));
    shoot["spec"]["dns"] = json!({"providers": [{"credentialsRef": reference("r2")}, {"secretName": "r3"}]});
    shoot["spec"]["kubernetes"]["kubeAPIServer"] = json!({
        "admissionPlugins": [{"name": "x", "kubeconfigSecretName": "r4"}],
        "structuredAuthorization": {"kubeconfigs": [{"secretName": "r5"}]},
    });
    shoot["spec"]["provider"]["workers"] =
        json!([{"controlPlane": {"backup": {"credentialsRef": reference("r8")}}}]);
    let names = ["r1", "r2", "r3", "r4", "r5", "r8"];
    let ended = Scene::new().with(names.map(credentials)).run(&create(&shoot));
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    let reserved: Vec<String> =
        ended.reservations.iter().map(|(secret, ..)| secret.name.to_string()).collect();
    assert_eq!(reserved, names);
}
