use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const NO_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// A name long enough that its Service is called after a digest.
const LONG: &str = "myproj-releases.common.repositories.cloud.com";

#[rstest]
#[case::upstream_and_size(json!([{"upstream": "docker.io", "volume": {"size": "5Gi"}}]))]
#[case::upstream_alone(json!([{"upstream": "docker.io"}]))]
#[case::remote_urls(json!([
    {"upstream": "docker.io", "remoteURL": "https://registry-1.docker.io"},
    {"upstream": "my-registry.io", "remoteURL": "https://my-registry.io"},
    {
        "upstream": "my-registry.io:5000", "remoteURL": "http://my-registry.io:5000",
        "proxy": {"httpProxy": "http://127.0.0.1", "httpsProxy": "https://127.0.0.1:1234"},
    },
    {"upstream": "quay.io", "remoteURL": "https://mirror-host.io:8443"},
]))]
#[case::suffixes(json!([
    {"upstream": "docker.io", "serviceNameSuffix": "docker-io"},
    {"upstream": "quay.io", "serviceNameSuffix": "quay-io"},
    {"upstream": "upstream-1.io", "serviceNameSuffix": "cache-1"},
    {"upstream": "upstream-2.io", "serviceNameSuffix": "cache-2"},
]))]
#[case::longest_suffix(json!([{"upstream": "docker.io", "serviceNameSuffix": "n".repeat(54)}]))]
#[case::no_garbage_collection(json!([{"upstream": "docker.io", "garbageCollection": {"ttl": "0s"}}]))]
#[case::empty_proxy(json!([{"upstream": "docker.io", "proxy": {}}]))]
#[case::nulls(json!([{"upstream": "docker.io", "volume": null, "remoteURL": null, "garbageCollection": null}]))]
#[case::size_as_a_number(json!([{"upstream": "docker.io", "volume": {"size": 10_737_418_240_u64}}]))]
fn what_is_right_is_no_error(#[case] caches: Value) {
    assert_eq!(texts(&config(&caches).static_errors(&path())), [""; 0]);
}

#[rstest]
#[case::absent(json!({}))]
#[case::null(json!({"caches": null}))]
#[case::empty(json!({"caches": []}))]
fn there_is_at_least_one_cache(#[case] mut document: Value) {
    document["apiVersion"] = "registry.extensions.gardener.cloud/v1alpha3".into();
    document["kind"] = "RegistryConfig".into();
    let errors = texts(&read(&document).unwrap().static_errors(&path()));
    assert_eq!(errors, ["providerConfig.caches: Required value: at least one cache must be provided"]);
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
    let caches = json!([{"upstream": "quay.io"}, {"upstream": upstream}]);
    let expected = format!("providerConfig.caches[1].upstream: Invalid value: \"{upstream}\": {detail}");
    assert_eq!(texts(&config(&caches).static_errors(&path())), [expected]);
}

#[rstest]
#[case::no_size("docker.io", json!({"volume": {"size": "0"}}), r#"volume.size: Invalid value: "0": must be greater than 0"#)]
#[case::negative_size(
    "docker.io", json!({"volume": {"size": "-1Gi"}}), r#"volume.size: Invalid value: "-1Gi": must be greater than 0"#
)]
#[case::storage_class_too_long(
    "docker.io", json!({"volume": {"storageClassName": "n".repeat(254)}}),
    &format!(
        "volume.storageClassName: Invalid value: \"{}\": must be no more than 253 characters", "n".repeat(254)
    )
)]
#[case::storage_class_with_a_slash(
    "docker.io", json!({"volume": {"storageClassName": "invalid/name"}}),
    &format!("volume.storageClassName: Invalid value: \"invalid/name\": {NO_SUBDOMAIN}")
)]
#[case::negative_time_to_live(
    "docker.io", json!({"garbageCollection": {"ttl": "-1h"}}),
    r#"garbageCollection.ttl: Invalid value: "-1h0m0s": ttl must be a non-negative duration"#
)]
#[case::suffix_with_a_dot(
    "docker.io", json!({"serviceNameSuffix": "foo.io"}),
    r#"serviceNameSuffix: Invalid value: "foo.io": must not contain dots"#
)]
#[case::suffix_too_long(
    "docker.io", json!({"serviceNameSuffix": "n".repeat(55)}),
    "serviceNameSuffix: Too long: may not be more than 54 bytes"
)]
#[case::remote_url_of_another_scheme(
    "docker.io", json!({"remoteURL": "ftp://docker.io"}),
    r#"remoteURL: Invalid value: "ftp://docker.io": url must start with 'http://' or 'https://' scheme"#
)]
#[case::remote_url_with_a_path(
    "my-registry.io:5000", json!({"remoteURL": "http://my-registry.io:5000/repository"}),
    r#"remoteURL: Invalid value: "http://my-registry.io:5000/repository": url must not contain a path"#
)]
#[case::remote_url_with_another_path(
    "my-registry.io:8443", json!({"remoteURL": "https://my-registry.io:8443/repository"}),
    r#"remoteURL: Invalid value: "https://my-registry.io:8443/repository": url must not contain a path"#
)]
#[case::remote_url_without_a_scheme(
    "quay.io", json!({"remoteURL": "mirror-host.io:8443"}),
    r#"remoteURL: Invalid value: "mirror-host.io:8443": url must start with 'http://' or 'https://' scheme"#
)]
#[case::proxy_without_a_scheme(
    "docker.io", json!({"proxy": {"httpProxy": "10.10.10.10"}}),
    r#"proxy.httpProxy: Invalid value: "10.10.10.10": url must start with 'http://' or 'https://' scheme"#
)]
#[case::proxy_that_is_no_host(
    "my-registry.io", json!({"proxy": {"httpsProxy": "http://foo!bar"}}),
    &format!("proxy.httpsProxy: Invalid value: \"http://foo!bar\": {NO_SUBDOMAIN}")
)]
fn what_is_wrong_with_a_cache_is_one_error(
    #[case] upstream: &str,
    #[case] mut cache: Value,
    #[case] expected: &str,
) {
    cache["upstream"] = upstream.into();
    let caches = json!([{"upstream": "ghcr.io"}, cache]);
    let errors = texts(&config(&caches).static_errors(&path()));
    assert_eq!(errors, [format!("providerConfig.caches[1].{expected}")]);
}

#[rstest]
#[case::the_same_cache(
    json!([{"upstream": "docker.io"}, {"upstream": "docker.io"}]),
    &[r#"providerConfig.caches[1].upstream: Duplicate value: "docker.io""#]
)]
#[case::the_same_suffix(
    json!([
        {"upstream": "docker.io", "serviceNameSuffix": "foo"}, {"upstream": "quay.io", "serviceNameSuffix": "foo"},
    ]),
    &[r#"providerConfig.caches[1].serviceNameSuffix: Duplicate value: "foo""#]
)]
#[case::what_other_services_are_called(
    json!([
        {"upstream": "docker.io"}, {"upstream": "quay.io", "serviceNameSuffix": "docker-io"},
        {"upstream": "ghcr.com", "serviceNameSuffix": "myproj-releases-common-repositories-c-3f834"}, {"upstream": LONG},
    ]),
    &[
        r#"providerConfig.caches[1].serviceNameSuffix: Invalid value: "docker-io": cannot collide with "docker.io" upstream"#,
        "providerConfig.caches[2].serviceNameSuffix: Invalid value: \
         \"myproj-releases-common-repositories-c-3f834\": cannot collide with \
         \"myproj-releases.common.repositories.cloud.com\" upstream",
    ]
)]
fn what_must_be_one_of_a_kind_is(#[case] caches: Value, #[case] expected: &[&str]) {
    assert_eq!(texts(&config(&caches).static_errors(&path())), expected);
}

#[test]
fn an_error_stands_where_the_configuration_of_a_shoot_is() {
    let path = FieldPath::new("spec").child("extensions").index(0).child("providerConfig");
    let config = config(&json!([{"upstream": "https://registry.example.com"}]));
    let errors = texts(&config.static_errors(&path));
    let expected = "spec.extensions[0].providerConfig.caches[0].upstream: Invalid value: \"https://registry.example.com\":";
    assert_eq!(errors, [format!("{expected} {NO_SUBDOMAIN}")]);
}

#[rstest]
#[case("v1alpha1", json!({"size": "0"}), r#"size: Invalid value: "0": must be greater than 0"#)]
#[case("v1alpha2", json!({"volume": {"size": "0"}}), r#"volume.size: Invalid value: "0": must be greater than 0"#)]
fn an_earlier_version_is_judged_where_its_fields_are(
    #[case] version: &str,
    #[case] mut cache: Value,
    #[case] expected: &str,
) {
    cache["upstream"] = "docker.io".into();
    // What came later is no field of it, and so not read.
    cache["remoteURL"] = "ftp://docker.io".into();
    let errors = texts(&in_version(version, &json!([cache])).static_errors(&path()));
    assert_eq!(errors, [format!("providerConfig.caches[0].{expected}")]);
}

#[rstest]
#[case::another_document(json!({"bar": "baz"}))]
#[case::a_version_to_come(json!({
    "apiVersion": "registry.extensions.gardener.cloud/v1", "kind": "RegistryConfig", "caches": [],
}))]
#[case::another_group(json!({"apiVersion": "example.org/v1alpha3", "kind": "RegistryConfig", "caches": []}))]
#[case::another_kind(json!({
    "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryStatus", "caches": [],
}))]
#[case::caches_that_are_no_list(json!({
    "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig", "caches": {},
}))]
#[case::no_object(json!([]))]
#[case::nothing(json!(null))]
fn of_what_is_not_known_nothing_is_said(#[case] document: Value) {
    assert_eq!(read(&document), None);
}

#[rstest]
#[case::an_unknown_field(json!({"upstream": "docker.io", "bar": "baz"}))]
#[case::a_number_for_an_upstream(json!({"upstream": 5}))]
#[case::a_size_that_is_none(json!({"upstream": "", "volume": {"size": "much"}}))]
#[case::a_duration_that_is_none(json!({"upstream": "", "garbageCollection": {"ttl": "1d"}}))]
#[case::a_text_for_a_volume(json!({"upstream": "", "volume": "5Gi"}))]
#[case::a_text_for_a_cache(json!("docker.io"))]
fn of_a_cache_that_upstream_could_not_decode_nothing_is_said(#[case] cache: Value) {
    assert_eq!(texts(&config(&json!([cache])).static_errors(&path())), [""; 0]);
}

#[test]
fn of_many_caches_only_the_first_are_judged() {
    let caches = vec![json!({"upstream": "!"}); 10_000];
    // Each is wrong, and all but one are duplicates.
    assert_eq!(config(&Value::from(caches)).static_errors(&path()).len(), 199);
}
