use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::model::gardener::field_error::Parted;

/// What is wrong with a change of the one cache of docker.io.
fn errors(before: Value, after: Value) -> Vec<String> {
    let with_upstream = |mut cache: Value| {
        cache["upstream"] = "docker.io".into();
        config(&json!([{"upstream": "quay.io"}, cache]))
    };
    texts(&with_upstream(after).update_errors(&with_upstream(before), &path()))
}

#[rstest]
#[case::a_longer_time_to_live(json!({}), json!({"garbageCollection": {"ttl": "336h"}}))]
#[case::no_garbage_collection_any_more(json!({}), json!({"garbageCollection": {"ttl": "0s"}}))]
#[case::still_none(json!({"garbageCollection": {"ttl": "0s"}}), json!({"garbageCollection": {}}))]
#[case::the_same_size(json!({"volume": {"size": "5Gi"}}), json!({"volume": {"size": "5120Mi"}}))]
#[case::the_default_size(json!({}), json!({"volume": {"size": "10Gi"}}))]
#[case::another_secret(json!({"secretReferenceName": "a"}), json!({"secretReferenceName": "b"}))]
#[case::another_suffix(json!({"serviceNameSuffix": "a"}), json!({"serviceNameSuffix": "b"}))]
#[case::what_could_not_be_decoded(json!({"volume": {"size": "much"}}), json!({"volume": {"size": "5Gi"}}))]
fn what_may_change_is_no_error(#[case] before: Value, #[case] after: Value) {
    assert_eq!(errors(before, after), [""; 0]);
}

#[test]
fn a_cache_may_be_added_and_taken_away() {
    let before = config(&json!([{"upstream": "docker.io", "volume": {"size": "5Gi"}}, {"upstream": "a.io"}]));
    let after = config(&json!([
        {"upstream": "docker.io", "volume": {"size": "5Gi"}, "garbageCollection": {"ttl": "336h"}},
        {"upstream": "quay.io", "volume": {"size": "5Gi"}},
    ]));
    assert_eq!(texts(&after.update_errors(&before, &path())), [""; 0]);
}

#[rstest]
#[case::size(
    json!({"volume": {"size": "5Gi"}}), json!({"volume": {"size": "16Gi"}}),
    r#"volume.size: Invalid value: "16Gi": field is immutable"#
)]
#[case::size_from_the_default(
    json!({}), json!({"volume": {"size": "20Gi"}}), r#"volume.size: Invalid value: "20Gi": field is immutable"#
)]
#[case::size_to_the_default(
    json!({"volume": {"size": "20Gi"}}), json!({}), r#"volume.size: Invalid value: "10Gi": field is immutable"#
)]
#[case::storage_class_added(
    json!({}), json!({"volume": {"storageClassName": "foo"}}),
    r#"volume.storageClassName: Invalid value: "foo": field is immutable"#
)]
#[case::storage_class_taken_away(
    json!({"volume": {"storageClassName": "foo"}}), json!({"volume": {}}),
    "volume.storageClassName: Invalid value: null: field is immutable"
)]
#[case::garbage_collection_switched_on(
    json!({"garbageCollection": {"ttl": "0s"}}), json!({"garbageCollection": {"ttl": "168h"}}),
    "garbageCollection.ttl: Invalid value: {\"TTL\":\"168h0m0s\"}: garbage collection cannot be enabled (ttl > 0) once it \
     is disabled (ttl = 0)"
)]
#[case::garbage_collection_switched_on_by_default(
    json!({"garbageCollection": {"ttl": "0s"}}), json!({}),
    "garbageCollection.ttl: Invalid value: {\"TTL\":\"168h0m0s\"}: garbage collection cannot be enabled (ttl > 0) once it \
     is disabled (ttl = 0)"
)]
fn what_must_not_change_is_one_error(#[case] before: Value, #[case] after: Value, #[case] expected: &str) {
    assert_eq!(errors(before, after), [format!("providerConfig.caches[1].{expected}")]);
}

#[test]
fn a_change_is_told_where_the_configuration_of_a_shoot_is() {
    let path = FieldPath::new("spec").child("extensions").index(0).child("providerConfig");
    let before = config(&json!([{"upstream": "docker.io", "volume": {"size": "20Gi"}}]));
    let after = config(&json!([{"upstream": "docker.io", "volume": {"size": "42Gi"}}]));
    let expected = "spec.extensions[0].providerConfig.caches[0].volume.size: Invalid value: \"42Gi\": field is immutable";
    assert_eq!(texts(&after.update_errors(&before, &path)), [expected]);
}

#[rstest]
#[case::a_size_of_the_first_version(
    "v1alpha1", json!({"size": "5Gi"}), json!({"volume": {"size": "5Gi", "storageClassName": "default"}}), &[]
)]
#[case::another_size(
    "v1alpha1", json!({"size": "5Gi"}), json!({"volume": {"size": "6Gi", "storageClassName": "default"}}), &["volume.size"]
)]
#[case::the_only_storage_class_left_out(
    "v1alpha1", json!({"size": "5Gi"}), json!({"volume": {"size": "5Gi"}}), &["volume.storageClassName"]
)]
#[case::garbage_collection_off(
    "v1alpha2", json!({"garbageCollection": {"enabled": false}}), json!({"garbageCollection": {"ttl": "0s"}}), &[]
)]
#[case::garbage_collection_on_again(
    "v1alpha2", json!({"garbageCollection": {"enabled": false}}), json!({"garbageCollection": {"ttl": "1h"}}),
    &["garbageCollection.ttl"]
)]
#[case::garbage_collection_on_by_default("v1alpha2", json!({}), json!({"garbageCollection": {"ttl": "168h"}}), &[])]
fn a_cache_stays_the_same_in_another_version(
    #[case] version: &str,
    #[case] mut before: Value,
    #[case] mut after: Value,
    #[case] expected: &[&str],
) {
    before["upstream"] = "docker.io".into();
    after["upstream"] = "docker.io".into();
    let errors = config(&json!([after])).update_errors(&in_version(version, &json!([before])), &path());
    let paths: Vec<String> = errors.iter().map(|error| error.path().to_string()).collect();
    let expected: Vec<String> =
        expected.iter().map(|path| format!("providerConfig.caches[0].{path}")).collect();
    assert_eq!(paths, expected);
}

#[rstest]
#[case::a_default_left_out(json!({"garbageCollection": {"ttl": "168h"}}), json!({}), true)]
#[case::a_duration_written_otherwise(
    json!({"garbageCollection": {"ttl": "1h"}}), json!({"garbageCollection": {"ttl": "60m"}}), true
)]
#[case::a_size_written_otherwise(json!({"volume": {"size": "1Gi"}}), json!({"volume": {"size": "1024Mi"}}), true)]
#[case::the_default_of_tls(json!({"http": {"tls": true}}), json!({}), true)]
#[case::an_unknown_field(json!({"bar": "baz"}), json!({}), true)]
#[case::no_tls(json!({"http": {"tls": false}}), json!({}), false)]
#[case::availability(json!({"highAvailability": {"enabled": true}}), json!({}), false)]
#[case::a_proxy(json!({"proxy": {"httpProxy": "http://a.io"}}), json!({}), false)]
#[case::a_secret(json!({"secretReferenceName": "a"}), json!({}), false)]
#[case::a_remote_url(json!({"remoteURL": "https://a.io"}), json!({}), false)]
fn two_configurations_are_equal_that_mean_the_same(
    #[case] mut first: Value,
    #[case] mut second: Value,
    #[case] expected: bool,
) {
    first["upstream"] = "docker.io".into();
    second["upstream"] = "docker.io".into();
    assert_eq!(config(&json!([first])) == config(&json!([second])), expected);
}

#[test]
fn an_invalid_upstream_that_stays_is_no_change_and_no_new_error() {
    let spelled_out = json!([{"upstream": "https://docker.io", "garbageCollection": {"ttl": "168h"}}]);
    let before = config(&spelled_out);
    let after = config(&json!([{"upstream": "https://docker.io"}]));
    assert_eq!(before, after);
    let parted = Parted::by(after.static_errors(&path()), &before.static_errors(&path()));
    assert_eq!((parted.new.len(), parted.had.len()), (0, 1));
}
