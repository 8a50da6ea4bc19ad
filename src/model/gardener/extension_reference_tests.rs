use rstest::rstest;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

fn raw(config: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(config).unwrap()
}

fn found(extension_type: &str, config: &Value) -> Vec<SecretReference> {
    references(extension_type, (&*raw(config)).into(), &FieldPath::new("providerConfig"))
}

fn caches(version: &str) -> Value {
    json!({
        "apiVersion": format!("registry.extensions.gardener.cloud/{version}"), "kind": "RegistryConfig",
        "caches": [
            {"upstream": "docker.io", "secretReferenceName": "docker-creds"},
            {"upstream": "ghcr.io"},
            {"upstream": "quay.io", "secretReferenceName": ""},
            {"upstream": "https://gcr.io", "secretReferenceName": "gcr-creds"},
            {"upstream": 5, "volume": 5, "secretReferenceName": "unreadable-creds"},
        ],
    })
}

#[rstest]
#[case::the_first("v1alpha1", Content::Credentials)]
#[case::the_second("v1alpha2", Content::Credentials)]
#[case::the_third("v1alpha3", Content::Credentials)]
#[case::one_to_come("v2", Content::Any)]
fn caches_refer_to_secrets_in_whatever_version(#[case] version: &str, #[case] expected: Content) {
    let found = found("registry-cache", &caches(version));
    let names: Vec<(&str, &str, String)> = found
        .iter()
        .map(|reference| (&*reference.name, &*reference.explanation, reference.path.to_string()))
        .collect();
    let path = |place: usize| format!("providerConfig.caches[{place}].secretReferenceName");
    let expected_names = [
        ("docker-creds", "registry-cache upstream docker.io", path(0)),
        ("gcr-creds", "registry-cache caches[3]", path(3)),
        ("unreadable-creds", "registry-cache caches[4]", path(4)),
    ];
    assert_eq!(names, expected_names);
    assert!(found.iter().all(|reference| reference.content == expected));
}

#[rstest]
#[case::of_mirrors(
    "registry-mirror",
    json!({
        "apiVersion": "mirror.extensions.gardener.cloud/v1alpha1", "kind": "MirrorConfig",
        "mirrors": [
            {"upstream": "quay.io", "hosts": [{"host": "https://a.io"}]},
            {"upstream": "docker.io", "hosts": [
                {"host": "https://mirror.example", "caBundleSecretReferenceName": "ca-bundle"},
                {"host": "mirror.example", "caBundleSecretReferenceName": "other"},
            ]},
        ],
    }),
    &[
        ("ca-bundle", "registry-mirror host https://mirror.example of docker.io", Content::CaBundle),
        ("other", "registry-mirror hosts[1] of docker.io", Content::CaBundle),
    ]
)]
#[case::of_mirrors_in_a_version_to_come(
    "registry-mirror",
    json!({"mirrors": [{"hosts": [{"host": "https://a.io", "caBundleSecretReferenceName": "ca-bundle"}]}]}),
    &[("ca-bundle", "registry-mirror host https://a.io of mirrors[0]", Content::Any)]
)]
#[case::of_rsyslog(
    "shoot-rsyslog-relp",
    json!({"tls": {"enabled": true, "secretReferenceName": "rsyslog-relp-tls"}}),
    &[("rsyslog-relp-tls", "rsyslog-relp tls", Content::ClientCertificate)]
)]
#[case::of_rsyslog_without_tls(
    "shoot-rsyslog-relp",
    json!({"tls": {"enabled": false, "secretReferenceName": "rsyslog-relp-tls"}}),
    &[("rsyslog-relp-tls", "rsyslog-relp tls", Content::Any)]
)]
#[case::of_dns(
    "shoot-dns-service",
    json!({"providers": [
        {"type": "aws-route53", "secretName": "route53"}, {"credentials": "second"}, {"type": "google-clouddns"},
    ]}),
    &[
        ("route53", "shoot-dns-service provider aws-route53", Content::Any),
        ("second", "shoot-dns-service providers[1]", Content::Any),
    ]
)]
#[case::of_an_extension_that_is_not_known("foo", caches("v1alpha3"), &[])]
#[case::of_another_document("registry-cache", json!({"bar": "baz"}), &[])]
#[case::of_no_document("registry-cache", json!(null), &[])]
#[case::of_a_name_that_is_none("shoot-rsyslog-relp", json!({"tls": {"secretReferenceName": 5}}), &[])]
fn a_reference_is_told_with_what_it_is_for(
    #[case] extension_type: &str,
    #[case] config: Value,
    #[case] expected: &[(&str, &str, Content)],
) {
    let found = found(extension_type, &config);
    let found: Vec<_> = found
        .iter()
        .map(|reference| (&*reference.name, &*reference.explanation, reference.content))
        .collect();
    assert_eq!(found, expected);
}

const CACHES: &str = "spec.extensions[0].providerConfig.caches[0].secretReferenceName";
const MIRRORS: &str = "spec.extensions[0].providerConfig.mirrors[0].hosts[0].caBundleSecretReferenceName";

/// The first reference of a Shoot with a cache or a mirror of docker.io.
fn of_shoot(extension_type: &str) -> SecretReference {
    let config = match extension_type {
        "registry-cache" => caches("v1alpha3"),
        _ => json!({"mirrors": [{
            "upstream": "docker.io", "hosts": [{"host": "https://a.io", "caBundleSecretReferenceName": "ca-bundle"}],
        }]}),
    };
    let path = FieldPath::new("spec").child("extensions").index(0).child("providerConfig");
    references(extension_type, (&*raw(&config)).into(), &path).remove(0)
}

#[rstest]
#[case(
    "registry-cache", CACHES,
    r#"Invalid value: "docker-creds": failed to find referenced resource with name docker-creds and kind Secret"#
)]
#[case(
    "registry-mirror",
    MIRRORS,
    r#"Invalid value: "ca-bundle": failed to find referenced resource with name ca-bundle and kind Secret"#
)]
fn a_reference_to_nothing_is_an_error_of_its_field(
    #[case] extension_type: &str,
    #[case] path: &str,
    #[case] expected: &str,
) {
    assert_eq!(of_shoot(extension_type).no_resource().to_string(), format!("{path}: {expected}"));
}

#[rstest]
#[case(
    "registry-cache",
    "docker-creds-v1",
    "failed to get secret garden-dev/docker-creds-v1 for secretReferenceName docker-creds: secrets \"docker-creds-v1\" not \
     found"
)]
#[case(
    "registry-mirror",
    "ca-bundle-v1",
    "failed to get secret garden-dev/ca-bundle-v1 for caBundleSecretReferenceName ca-bundle: secrets \"ca-bundle-v1\" not \
     found"
)]
fn a_secret_that_is_not_there_is_told_as_upstream_does(
    #[case] extension_type: &str,
    #[case] secret: &str,
    #[case] expected: &str,
) {
    assert_eq!(of_shoot(extension_type).no_secret(&ObjectKey::new("garden-dev", secret)), expected);
}

#[rstest]
#[case(Content::Credentials, 4, 0)]
#[case(Content::CaBundle, 2, 0)]
#[case(Content::ClientCertificate, 4, 0)]
#[case(Content::Any, 0, 0)]
fn a_secret_is_judged_by_what_it_is_for(
    #[case] content: Content,
    #[case] errors: usize,
    #[case] warnings: usize,
) {
    let reference = SecretReference { content, ..of_shoot("registry-cache") };
    let secret = Secret::default();
    assert_eq!((reference.errors(&secret).len(), reference.warnings(&secret).len()), (errors, warnings));
}

#[test]
fn what_would_break_a_cache_is_a_warning_of_its_secret_alone() {
    let data = json!({"data": {"username": "am9obg==", "password": "c3dvcmRmaXNoCg=="}});
    let secret: Secret = serde_json::from_value(data).unwrap();
    let reference = of_shoot("registry-cache");
    assert_eq!(reference.warnings(&secret).len(), 1);
    assert_eq!(SecretReference { content: Content::CaBundle, ..reference }.warnings(&secret).len(), 0);
}

#[rstest]
#[case::good(json!({"ca": "", "crt": "", "key": ""}), json!(true), &[])]
#[case::mutable(json!({"ca": "", "crt": "", "key": ""}), json!(false), &["must be immutable"])]
#[case::that_does_not_say(json!({"ca": "", "crt": "", "key": ""}), json!(null), &["must be immutable"])]
#[case::without_a_key(json!({"ca": "", "crt": ""}), json!(true), &["is missing key value"])]
#[case::with_other_names(
    json!({"ca.crt": "", "tls.crt": "", "tls.key": ""}), json!(false),
    &["is missing ca value", "is missing crt value", "is missing key value", "must be immutable"]
)]
#[case::with_more(
    json!({"ca": "", "crt": "", "key": "", "more": ""}), json!(true), &["should have only three data entries"]
)]
fn a_client_certificate_of_rsyslog_is_complete_and_immutable(
    #[case] data: Value,
    #[case] immutable: Value,
    #[case] expected: &[&str],
) {
    let metadata = json!({"namespace": "foo", "name": "bar"});
    let secret = json!({"metadata": metadata, "immutable": immutable, "data": data});
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let errors = rsyslog_relp::tls_errors(&secret, "rsyslog-relp-tls", &FieldPath::new("tls"));
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|fault| format!("tls: Invalid value: \"rsyslog-relp-tls\": secret foo/bar {fault}"))
        .collect();
    assert_eq!(errors, expected);
}
