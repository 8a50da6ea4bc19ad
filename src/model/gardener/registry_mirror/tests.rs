use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::model::gardener::tests::{secret, texts};

const NO_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn path() -> FieldPath {
    FieldPath::new("providerConfig")
}

fn read(config: &Value) -> Option<MirrorConfig> {
    let raw = serde_json::value::to_raw_value(config).unwrap();
    MirrorConfig::read((&*raw).into())
}

fn config(mirrors: &Value) -> MirrorConfig {
    let config = json!({
        "apiVersion": "mirror.extensions.gardener.cloud/v1alpha1", "kind": "MirrorConfig", "mirrors": mirrors,
    });
    read(&config).unwrap()
}

#[rstest]
#[case::capabilities(json!([
    {"upstream": "docker.io", "hosts": [{"host": "https://mirror.gcr.io", "capabilities": ["pull", "resolve"]}]},
]))]
#[case::a_path(json!([{"upstream": "docker.io", "hosts": [{"host": "https://mirror.gcr.io/v2/quay"}]}]))]
#[case::an_unknown_field(json!([{"upstream": "docker.io", "x": 1, "hosts": [{"host": "https://mirror.gcr.io"}]}]))]
#[case::what_upstream_could_not_decode(json!([{"upstream": "", "hosts": [{"host": 5}]}]))]
fn what_is_right_is_no_error(#[case] mirrors: Value) {
    assert_eq!(texts(&config(&mirrors).static_errors(&path())), [""; 0]);
}

#[rstest]
#[case::null(json!(null))]
#[case::empty(json!([]))]
fn there_is_at_least_one_mirror(#[case] mirrors: Value) {
    let errors = texts(&config(&mirrors).static_errors(&path()));
    assert_eq!(errors, ["providerConfig.mirrors: Required value: at least one mirror must be provided"]);
}

#[rstest]
#[case::empty("", NO_SUBDOMAIN)]
#[case::dot_at_the_end("docker.io.", NO_SUBDOMAIN)]
#[case::dot_at_the_beginning(".docker.io", NO_SUBDOMAIN)]
#[case::scheme("https://docker.io", NO_SUBDOMAIN)]
#[case::port_with_a_leading_zero(
    "docker.io:0443",
    "port '0443' is not valid, valid port must be in the range [1, 65535]"
)]
fn an_upstream_is_a_host_and_perhaps_a_port(#[case] upstream: &str, #[case] detail: &str) {
    let mirrors = json!([{"upstream": upstream, "hosts": [{"host": "https://mirror.gcr.io"}]}]);
    let expected = format!("providerConfig.mirrors[0].upstream: Invalid value: \"{upstream}\": {detail}");
    assert_eq!(texts(&config(&mirrors).static_errors(&path())), [expected]);
}

#[rstest]
#[case::none(json!(null), &["hosts: Required value: at least one host must be provided"])]
#[case::without_a_scheme(
    json!([{"host": "public-mirror.example.com"}, {"host": "docker-mirror.internal"}]),
    &[
        "hosts[0].host: Invalid value: \"public-mirror.example.com\": url must start with 'http://' or 'https://' scheme",
        "hosts[1].host: Invalid value: \"docker-mirror.internal\": url must start with 'http://' or 'https://' scheme",
    ]
)]
#[case::a_path_that_leads_elsewhere(
    json!([{"host": "https://a.io/foo/../bar"}]),
    &["hosts[0].host: Invalid value: \"https://a.io/foo/../bar\": url path must not contain '..'"]
)]
#[case::the_same_host(
    json!([{"host": "https://mirror.gcr.io"}, {"host": "https://mirror.gcr.io"}]),
    &["hosts[1].host: Duplicate value: \"https://mirror.gcr.io\""]
)]
#[case::another_capability(
    json!([{"host": "https://mirror.gcr.io", "capabilities": ["foo"]}]),
    &["hosts[0].capabilities: Unsupported value: \"foo\": supported values: \"pull\", \"resolve\""]
)]
#[case::the_same_capability(
    json!([{"host": "https://mirror.gcr.io", "capabilities": ["pull", "resolve", "pull"]}]),
    &["hosts[0].capabilities[2]: Duplicate value: \"pull\""]
)]
fn what_is_wrong_with_hosts_is_told_in_order(#[case] hosts: Value, #[case] expected: &[&str]) {
    let mirrors = json!([{"upstream": "docker.io", "hosts": hosts}]);
    let expected: Vec<String> =
        expected.iter().map(|error| format!("providerConfig.mirrors[0].{error}")).collect();
    assert_eq!(texts(&config(&mirrors).static_errors(&path())), expected);
}

#[test]
fn of_many_errors_only_the_first_are_told() {
    let hosts = vec![json!({"host": "!"}); 1_000];
    let mirrors = vec![json!({"upstream": "!", "hosts": hosts}); 100];
    // Of the first mirror: its upstream, and each host but one twice.
    assert_eq!(config(&json!(mirrors)).static_errors(&path()).len(), 200);
}

#[test]
fn an_upstream_has_one_mirror() {
    let mirror = json!({"upstream": "docker.io", "hosts": [{"host": "https://mirror.gcr.io"}]});
    let errors = texts(&config(&json!([mirror, mirror])).static_errors(&path()));
    assert_eq!(errors, ["providerConfig.mirrors[1].upstream: Duplicate value: \"docker.io\""]);
}

#[rstest]
#[case::of_the_same_upstream(
    "docker.io",
    &["spec.extensions[1].providerConfig.mirrors[0].upstream: Invalid value: \"docker.io\": upstream host 'docker.io' is \
       also configured as a registry cache upstream"]
)]
#[case::of_another("quay.io", &[])]
fn an_upstream_has_a_mirror_or_a_cache(#[case] cached: &str, #[case] expected: &[&str]) {
    let mirrors = config(&json!([{"upstream": "docker.io", "hosts": [{"host": "https://mirror.gcr.io"}]}]));
    let caches = json!({
        "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig",
        "caches": [{"upstream": cached}],
    });
    let raw = serde_json::value::to_raw_value(&caches).unwrap();
    let caches = RegistryConfig::read((&*raw).into()).unwrap();
    let path = FieldPath::new("spec").child("extensions").index(1).child("providerConfig");
    assert_eq!(texts(&mirrors.collisions(&caches, &path)), expected);
}

#[rstest]
#[case::another_document(json!({"bar": "baz"}))]
#[case::a_version_to_come(json!({"apiVersion": "mirror.extensions.gardener.cloud/v1", "kind": "MirrorConfig"}))]
#[case::another_kind(json!({
    "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig", "mirrors": [],
}))]
fn of_what_is_not_known_nothing_is_said(#[case] document: Value) {
    assert_eq!(read(&document), None);
}

#[rstest]
#[case::the_default_capability(json!({"capabilities": ["pull"]}), json!({}), true)]
#[case::another_capability(json!({"capabilities": ["resolve"]}), json!({}), false)]
#[case::a_secret(json!({"caBundleSecretReferenceName": "a"}), json!({}), false)]
#[case::a_path(json!({"overridePath": true}), json!({}), false)]
fn two_configurations_are_equal_that_mean_the_same(
    #[case] first: Value,
    #[case] second: Value,
    #[case] expected: bool,
) {
    let [first, second] = [first, second].map(|host| config(&json!([{"hosts": [host]}])));
    assert_eq!(first == second, expected);
}

fn secret_errors(secret: &Secret) -> Vec<String> {
    let path = path().child("mirrors").index(0).child("hosts").index(0).child("caBundleSecretReferenceName");
    let errors = texts(&ca_bundle_errors(secret, "foo-secret-ref", &path));
    let before =
        "providerConfig.mirrors[0].hosts[0].caBundleSecretReferenceName: Invalid value: \"foo-secret-ref\": ";
    errors.iter().map(|error| error.strip_prefix(before).unwrap().to_owned()).collect()
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["mirror.example".to_owned()]).unwrap().cert.pem()
}

const IMMUTABLE: &str = r#"the referenced CA bundle secret "foo/bar" should be immutable"#;
const NO_BUNDLE: &str = r#"missing "bundle.crt" data entry in the referenced CA bundle secret "foo/bar""#;
const NO_CERTIFICATE: &str = "the CA bundle is not a valid PEM-encoded certificate";
const OTHER_KEYS: &str =
    r#"the referenced CA bundle secret "foo/bar" should only have a single data entry with key "bundle.crt""#;

#[test]
fn a_bundle_is_a_certificate_whatever_follows() {
    let certificate = certificate();
    for bundle in [certificate.clone(), certificate.trim_end().to_owned(), format!("{certificate}bar")] {
        assert_eq!(secret_errors(&secret(&[("bundle.crt", &bundle)])), [""; 0]);
    }
}

#[rstest]
#[case::that_says_nothing_of_it(None)]
#[case::that_says_no(Some(false))]
fn a_secret_must_be_immutable(#[case] immutable: Option<bool>) {
    let secret = Secret { immutable, ..secret(&[("bundle.crt", &certificate())]) };
    assert_eq!(secret_errors(&secret), [IMMUTABLE]);
}

#[rstest]
#[case::no_bundle(secret(&[]), &[NO_BUNDLE])]
#[case::another_key(secret(&[("bundle.crt", &certificate()), ("foo", "bar")]), &[OTHER_KEYS])]
#[case::no_certificate(secret(&[("bundle.crt", "bar")]), &[NO_CERTIFICATE])]
#[case::a_broken_certificate(
    secret(&[("bundle.crt", "-----BEGIN CERTIFICATE-----\nYmFy\n-----END CERTIFICATE-----\n")]), &[NO_CERTIFICATE]
)]
#[case::another_block_first(
    secret(&[("bundle.crt", &format!("-----BEGIN X-----\nYmFy\n-----END X-----\n{}", certificate()))]), &[NO_CERTIFICATE]
)]
#[case::a_certificate_by_another_name(
    secret(&[("bundle.crt", &certificate().replace("CERTIFICATE", "TRUSTED CERTIFICATE"))]), &[NO_CERTIFICATE]
)]
#[case::mutable_and_no_bundle(Secret { immutable: Some(false), ..secret(&[]) }, &[IMMUTABLE, NO_BUNDLE])]
#[case::all_at_once(
    Secret { immutable: None, ..secret(&[("bundle.crt", "bar"), ("foo", "bar")]) }, &[IMMUTABLE, NO_CERTIFICATE, OTHER_KEYS]
)]
fn what_a_secret_lacks_is_told_in_order(#[case] secret: Secret, #[case] expected: &[&str]) {
    assert_eq!(secret_errors(&secret), expected);
}
