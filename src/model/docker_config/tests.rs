//! The tables of `config_test.go`, and cases seen on the kubelet's code.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn credentials(document: &str) -> Result<Vec<(String, String, String)>, DockerConfigError> {
    let config = DockerConfig::from_config_json(document.as_bytes())?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ok(config
        .entries
        .iter()
        .map(|entry| (entry.key.clone(), text(&entry.username), text(&entry.password)))
        .collect())
}

#[rstest]
#[case::auth(r#"{"auths":{"a.io":{"auth":"Zm9vOmJhcg=="}}}"#, &[("a.io", "foo", "bar")])]
#[case::unpadded(r#"{"auths":{"a.io":{"auth":"Zm9vOmJhcg"}}}"#, &[("a.io", "foo", "bar")])]
#[case::line_breaks(r#"{"auths":{"a.io":{"auth":"Zm9v\nOmJhcg==\n"}}}"#, &[("a.io", "foo", "bar")])]
#[case::colon_in_password(r#"{"auths":{"a.io":{"auth":"Zm9vOmJhcjpiYXo="}}}"#, &[("a.io", "foo", "bar:baz")])]
#[case::newline_in_password(r#"{"auths":{"a.io":{"auth":"Zm9vOmJhcgo="}}}"#, &[("a.io", "foo", "bar\n")])]
#[case::empty_user(r#"{"auths":{"a.io":{"auth":"OnBhc3M="}}}"#, &[("a.io", "", "pass")])]
#[case::auth_wins(r#"{"auths":{"a.io":{"username":"u","auth":"cGluZzpwb25n"}}}"#, &[("a.io", "ping", "pong")])]
#[case::empty_auth(r#"{"auths":{"a.io":{"username":"u","password":"p","auth":""}}}"#, &[("a.io", "u", "p")])]
#[case::empty_entry(r#"{"auths":{"a.io":{}}}"#, &[("a.io", "", "")])]
#[case::null_entry(r#"{"auths":{"a.io":null}}"#, &[("a.io", "", "")])]
#[case::any_case(r#"{"AUTHS":{"a.io":{"Auth":"Zm9vOmJhcg=="}}}"#, &[("a.io", "foo", "bar")])]
#[case::long_s(r#"{"auth\u017f":{"a.io":{}}}"#, &[("a.io", "", "")])]
#[case::repeated_key(r#"{"auths":{"a.io":{"username":"1"},"a.io":{"username":"2"}}}"#, &[("a.io", "2", "")])]
#[case::repeated_auths(r#"{"auths":{"a.io":{}},"auths":{"b.io":{}}}"#, &[("a.io", "", ""), ("b.io", "", "")])]
#[case::null_drops_what_was_read(r#"{"auths":{"a.io":{}},"auths":null}"#, &[])]
#[case::unknown_fields(r#"{"credsStore":"x","auths":{"a.io":{"identitytoken":"t"}}}"#, &[("a.io", "", "")])]
#[case::lone_surrogate(r#"{"auths":{"a.io":{"username":"\ud800"}}}"#, &[("a.io", "\u{fffd}\u{fffd}\u{fffd}", "")])]
#[case::legacy_body(r#"{"a.io":{"auth":"Zm9vOmJhcg=="}}"#, &[])]
#[case::no_auths("{}", &[])]
#[case::null_auths(r#"{"auths":null}"#, &[])]
#[case::null("null", &[])]
fn what_the_kubelet_decodes_is_decoded(#[case] document: &str, #[case] expected: &[(&str, &str, &str)]) {
    let found = credentials(document).unwrap();
    let found: Vec<_> = found.iter().map(|(key, user, password)| (&**key, &**user, &**password)).collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case::no_base64(r#"{"auths":{"a.io":{"auth":"pants"},"b.io":{"auth":"Zm9vOmJhcg=="}}}"#)]
#[case::no_colon(r#"{"auths":{"a.io":{"auth":"cGFudHM="}}}"#)]
#[case::trailing_blank(r#"{"auths":{"a.io":{"auth":"Zm9vOmJhcg== "}}}"#)]
#[case::replaced_but_undecodable(r#"{"auths":{"a.io":{"auth":"pants"},"a.io":{}}}"#)]
#[case::array("[]")]
#[case::auths_array(r#"{"auths":[]}"#)]
#[case::entry_text(r#"{"auths":{"a.io":"text"}}"#)]
#[case::email_no_text(r#"{"auths":{"a.io":{"email":1}}}"#)]
#[case::headers_no_text(r#"{"HttpHeaders":{"a":1}}"#)]
#[case::control_character("{\"auths\":{\"a\nb\":{}}}")]
#[case::no_json("pants")]
#[case::empty("")]
#[case::trailing_text("{} x")]
fn what_the_kubelet_refuses_is_refused(#[case] document: &str) {
    assert!(credentials(document).is_err());
}

#[test]
fn dockercfg_holds_the_entries_without_auths_around_them() {
    let config = DockerConfig::from_dockercfg(br#"{"a.io":{"auth":"Zm9vOmJhcg=="}}"#).unwrap();
    assert_eq!(config.entries[0].username, b"foo");
    assert!(DockerConfig::from_dockercfg(b"null").unwrap().entries.is_empty());
}

/// `Test_MakeDockerKeyring`: the type and the data key must belong together.
#[rstest]
#[case(
    DOCKER_CONFIG_JSON_TYPE,
    ".dockerconfigjson",
    r#"{"auths":{"test.registry.io":{"auth":"Zm9vOmJhcg=="}}}"#,
    true
)]
#[case(DOCKERCFG_TYPE, ".dockercfg", r#"{"test.registry.io":{"auth":"Zm9vOmJhcg=="}}"#, true)]
#[case(
    DOCKER_CONFIG_JSON_TYPE,
    ".dockerconfigjson",
    r#"{"auths":{"test.registry.io":{"username":"foo","password":"bar"}}}"#,
    true
)]
#[case(DOCKERCFG_TYPE, ".dockercfg", r#"{"test.registry.io":{"username":"foo","password":"bar"}}"#, true)]
#[case(
    DOCKERCFG_TYPE,
    ".dockerconfigjson",
    r#"{"auths":{"test.registry.io":{"auth":"Zm9vOmJhcg=="}}}"#,
    false
)]
#[case(DOCKER_CONFIG_JSON_TYPE, ".dockercfg", r#"{"test.registry.io":{"auth":"Zm9vOmJhcg=="}}"#, false)]
#[case("Opaque", ".dockerconfigjson", r#"{"auths":{"test.registry.io":{"auth":"Zm9vOmJhcg=="}}}"#, false)]
#[case(DOCKER_CONFIG_JSON_TYPE, ".dockerconfigjson", "", false)]
fn a_secret_is_read_only_where_type_and_key_agree(
    #[case] secret_type: &str,
    #[case] present: &str,
    #[case] document: &str,
    #[case] is_read: bool,
) {
    let data = |key: &str| (key == present).then_some(document.as_bytes());
    let config = DockerConfig::from_secret(secret_type, data).unwrap();
    let usernames = config.map(|config| config.entries.into_iter().map(|entry| entry.username).collect());
    assert_eq!(usernames, is_read.then(|| vec![b"foo".to_vec()]));
}

#[test]
fn neither_debug_nor_errors_show_a_password() {
    let config =
        DockerConfig::from_config_json(br#"{"auths":{"a.io":{"username":"u","password":"hunter2"}}}"#);
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = DockerConfig::from_config_json(br#"{"auths":{"a.io":{"auth":"hunter2"}}}"#).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(document in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = DockerConfig::from_config_json(&document);
        let _ = DockerConfig::from_dockercfg(&document);
    }
}
