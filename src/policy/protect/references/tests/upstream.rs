//! The rows of upstream's tests of its validators of Shoots (`pkg/admission/validator/{cache,mirror}/shoot_test.go`).

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::policy::Outcome;

const PATH: &str = "spec.extensions[0].providerConfig";

fn docker_worker(mut shoot: Value) -> Value {
    let workers = shoot["spec"]["provider"]["workers"].as_array_mut().unwrap();
    workers.push(json!({"name": "other", "cri": {"name": "docker"}}));
    shoot
}

fn base() -> Value {
    shoot(json!([caches(json!([cache("20Gi")]))]), json!([]))
}

fn of_cache(resources: Value) -> Value {
    shoot(json!([caches(json!([private_cache()]))]), resources)
}

fn of_mirror(resources: Value) -> Value {
    shoot(json!([mirrors(json!([trusted_mirror()]))]), resources)
}

#[rstest]
#[case::a2_another_extension(shoot(json!([extension("foo", json!({"bar": "baz"}))]), json!([])))]
#[case::a5_undecodable(shoot(json!([extension("registry-cache", json!({"bar": "baz"}))]), json!([])))]
#[case::a7_base(base())]
#[case::a13_a_valid_secret(of_cache(json!([resource("docker-creds", "Secret", "docker-creds-v1")])))]
#[case::m2_another_extension(shoot(json!([extension("foo", Value::Null)]), json!([])))]
#[case::m5_undecodable(shoot(json!([extension("registry-mirror", json!({"bar": "baz"}))]), json!([])))]
#[case::m8_beside_an_undecodable_cache(
    shoot(json!([extension("registry-cache", json!({"bar": "baz"})), mirrors(json!([mirror()]))]), json!([]))
)]
#[case::m10_base(shoot(json!([mirrors(json!([mirror()]))]), json!([])))]
#[case::m11_a_valid_bundle(of_mirror(json!([resource("ca-bundle", "Secret", "ca-bundle-v1")])))]
#[case::no_runtime_named(with(base(), "/spec/provider/workers/0/cri", Value::Null))]
fn a_shoot_is_created(#[case] shoot: Value) {
    let ended = Scene::full().run(&create(&shoot));
    assert_eq!(ended.decision.outcome, Outcome::Allowed);
    assert_eq!(ended.decision.warnings.texts(), [""; 0]);
}

#[rstest]
#[case::a3_another_runtime(
    docker_worker(base()), "container runtime needs to be containerd when the registry-cache extension is enabled".to_owned()
)]
#[case::a4_no_configuration(
    shoot(json!([{"type": "registry-cache"}]), json!([])),
    format!("{PATH}: Required value: providerConfig is required for the registry-cache extension")
)]
#[case::a4_null(
    shoot(json!([extension("registry-cache", Value::Null)]), json!([])),
    format!("{PATH}: Required value: providerConfig is required for the registry-cache extension")
)]
#[case::a6_no_host(
    shoot(json!([caches(json!([{"upstream": "https://registry.example.com"}]))]), json!([])),
    format!(
        "{PATH}.caches[0].upstream: Invalid value: \"https://registry.example.com\": a lowercase RFC 1123 subdomain must \
         consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
         'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
)]
#[case::a14_no_resource(of_cache(json!([])), format!(
    "{PATH}.caches[0].secretReferenceName: Invalid value: \"docker-creds\": failed to find referenced resource with name \
     docker-creds and kind Secret"
))]
#[case::a15_a_config_map(of_cache(json!([resource("docker-creds", "ConfigMap", "docker-creds-v1")])), format!(
    "{PATH}.caches[0].secretReferenceName: Invalid value: \"docker-creds\": failed to find referenced resource with name \
     docker-creds and kind Secret"
))]
#[case::a16_absent(
    of_cache(json!([resource("docker-creds", "Secret", "docker-creds-v0")])),
    "failed to get secret garden-dev/docker-creds-v0 for secretReferenceName docker-creds: secrets \"docker-creds-v0\" not found"
        .to_owned()
)]
#[case::m3_another_runtime(
    docker_worker(shoot(json!([mirrors(json!([mirror()]))]), json!([]))),
    "container runtime needs to be containerd when the registry-mirror extension is enabled".to_owned()
)]
#[case::m4_no_configuration(
    shoot(json!([{"type": "registry-mirror"}]), json!([])),
    format!("{PATH}: Required value: providerConfig is required for the registry-mirror extension")
)]
#[case::m6_no_hosts(
    shoot(json!([mirrors(json!([{"upstream": "docker.io", "hosts": null}]))]), json!([])),
    format!("{PATH}.mirrors[0].hosts: Required value: at least one host must be provided")
)]
#[case::m7_beside_a_cache_without_configuration(
    shoot(json!([{"type": "registry-cache"}, mirrors(json!([mirror()]))]), json!([])),
    format!("{PATH}: Required value: providerConfig is required for the registry-cache extension")
)]
#[case::m9_both(
    shoot(json!([mirrors(json!([mirror()])), caches(json!([cache("20Gi")]))]), json!([])),
    format!(
        "{PATH}.mirrors[0].upstream: Invalid value: \"docker.io\": upstream host 'docker.io' is also configured as a registry \
         cache upstream"
    )
)]
#[case::m12_no_resource(of_mirror(json!([])), format!(
    "{PATH}.mirrors[0].hosts[0].caBundleSecretReferenceName: Invalid value: \"ca-bundle\": failed to find referenced resource \
     with name ca-bundle and kind Secret"
))]
#[case::m13_a_config_map(of_mirror(json!([resource("ca-bundle", "ConfigMap", "ca-bundle-v1")])), format!(
    "{PATH}.mirrors[0].hosts[0].caBundleSecretReferenceName: Invalid value: \"ca-bundle\": failed to find referenced resource \
     with name ca-bundle and kind Secret"
))]
#[case::m14_absent(
    of_mirror(json!([resource("ca-bundle", "Secret", "ca-bundle-v0")])),
    "failed to get secret garden-dev/ca-bundle-v0 for caBundleSecretReferenceName ca-bundle: secrets \"ca-bundle-v0\" not found"
        .to_owned()
)]
fn a_shoot_is_not_created(#[case] shoot: Value, #[case] expected: String) {
    let ended = Scene::full().run(&create(&shoot));
    assert_eq!(ended.decision.outcome, Outcome::Denied(expected));
    assert!(ended.reservations.is_empty());
}

/// A17 and M15.
#[test]
fn what_a_secret_lacks_is_told_all_at_once() {
    let field = |field: &str, name: &str, detail: &str| {
        format!("{PATH}.{field}: Invalid value: \"{name}\": {detail}")
    };
    let of_cache_field = |detail| field("caches[0].secretReferenceName", "docker-creds", detail);
    let scene = Scene::new().with([secret("docker-creds-v1", json!(false), json!({"username": "john"}))]);
    let expected = [
        of_cache_field("the referenced secret \"garden-dev/docker-creds-v1\" should be immutable"),
        of_cache_field(
            "the referenced secret \"garden-dev/docker-creds-v1\" should have only two data entries",
        ),
        of_cache_field(
            "missing \"password\" data entry in the referenced secret \"garden-dev/docker-creds-v1\"",
        ),
    ];
    let refusal = scene.refusal(&create(&with_private_cache("docker-creds-v1")));
    assert_eq!(refusal, format!("[{}]", expected.join(", ")));

    let of_mirror_field =
        |detail| field("mirrors[0].hosts[0].caBundleSecretReferenceName", "ca-bundle", detail);
    let scene = Scene::new().with([secret("ca-bundle-v1", json!(false), json!({}))]);
    let expected = [
        of_mirror_field("the referenced CA bundle secret \"garden-dev/ca-bundle-v1\" should be immutable"),
        of_mirror_field(
            "missing \"bundle.crt\" data entry in the referenced CA bundle secret \"garden-dev/ca-bundle-v1\"",
        ),
    ];
    let refusal =
        scene.refusal(&create(&of_mirror(json!([resource("ca-bundle", "Secret", "ca-bundle-v1")]))));
    assert_eq!(refusal, format!("[{}]", expected.join(", ")));
}

/// A9 to A12, and what of M4 is an update.
#[rstest]
#[case::a9_there_was_no_configuration(shoot(json!([{"type": "registry-cache"}]), json!([])), base(), "")]
#[case::a10_it_could_not_be_decoded(
    shoot(json!([extension("registry-cache", json!({"bar": "baz"}))]), json!([])), base(), ""
)]
#[case::a11_another_size(
    base(), shoot(json!([caches(json!([cache("42Gi")]))]), json!([])),
    "spec.extensions[0].providerConfig.caches[0].volume.size: Invalid value: \"42Gi\": field is immutable"
)]
#[case::a12_wrong_before_and_the_same(
    shoot(json!([caches(json!([{"upstream": "https://x", "garbageCollection": {"ttl": "168h"}}]))]), json!([])),
    shoot(json!([caches(json!([{"upstream": "https://x"}]))]), json!([])),
    ""
)]
#[case::the_configuration_is_taken_away(
    base(), shoot(json!([{"type": "registry-cache"}]), json!([])),
    "spec.extensions[0].providerConfig: Required value: providerConfig is required for the registry-cache extension"
)]
fn a_shoot_is_updated(#[case] old: Value, #[case] new: Value, #[case] expected: &str) {
    assert_eq!(Scene::full().refusal(&update(&old, &new)), expected);
}
