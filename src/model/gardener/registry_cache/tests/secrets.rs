use rstest::rstest;
use serde_json::json;

use super::*;

const REFERENCE: &str = "foo-secret-ref";

fn errors(secret: &Secret) -> Vec<String> {
    let path = path().child("caches").index(0).child("secretReferenceName");
    let errors = texts(&credential_errors(secret, REFERENCE, &path));
    let before = "providerConfig.caches[0].secretReferenceName: Invalid value: \"foo-secret-ref\": ";
    errors.iter().map(|error| error.strip_prefix(before).unwrap().to_owned()).collect()
}

#[test]
fn an_immutable_secret_with_a_username_and_a_password_is_right() {
    assert_eq!(errors(&credentials("john", "swordfish")), [""; 0]);
}

#[rstest]
#[case::that_says_nothing_of_it(None)]
#[case::that_says_no(Some(false))]
fn a_secret_must_be_immutable(#[case] immutable: Option<bool>) {
    let secret = Secret { immutable, ..credentials("john", "swordfish") };
    assert_eq!(errors(&secret), [r#"the referenced secret "foo/bar" should be immutable"#]);
}

#[rstest]
#[case::no_data(
    secret(&[]),
    &[
        r#"the referenced secret "foo/bar" should have only two data entries"#,
        r#"missing "username" data entry in the referenced secret "foo/bar""#,
        r#"missing "password" data entry in the referenced secret "foo/bar""#,
    ]
)]
#[case::a_third_key(
    secret(&[("username", "john"), ("password", "swordfish"), ("foo", "foo")]),
    &[r#"the referenced secret "foo/bar" should have only two data entries"#]
)]
#[case::no_username(
    secret(&[("user", "john"), ("password", "swordfish")]),
    &[r#"missing "username" data entry in the referenced secret "foo/bar""#]
)]
#[case::empty_username(
    credentials("", "swordfish"), &[r#"the data entry "username" in the referenced secret "foo/bar" is empty"#]
)]
#[case::white_space_in_the_username(
    credentials("us\ter", "swordfish"),
    &[r#"the data entry "username" in the referenced secret "foo/bar" contains whitespace"#]
)]
#[case::white_space_of_unicode_in_the_username(
    credentials("us\u{a0}er", "swordfish"),
    &[r#"the data entry "username" in the referenced secret "foo/bar" contains whitespace"#]
)]
#[case::nothing_but_white_space_for_a_username(
    credentials(" \n", "swordfish"),
    &[
        r#"the data entry "username" in the referenced secret "foo/bar" is empty"#,
        r#"the data entry "username" in the referenced secret "foo/bar" contains whitespace"#,
    ]
)]
#[case::no_password(
    secret(&[("username", "john"), ("pass", "swordfish")]),
    &[r#"missing "password" data entry in the referenced secret "foo/bar""#]
)]
#[case::nothing_but_white_space_for_a_password(
    credentials("john", " \t"), &[r#"the data entry "password" in the referenced secret "foo/bar" is empty"#]
)]
fn what_a_secret_lacks_is_told_in_order(#[case] secret: Secret, #[case] expected: &[&str]) {
    assert_eq!(errors(&secret), expected);
}

#[test]
fn a_mutable_secret_without_a_password_is_three_errors() {
    let secret = Secret { immutable: Some(false), ..secret(&[("username", "john")]) };
    let expected = [
        r#"the referenced secret "foo/bar" should be immutable"#,
        r#"the referenced secret "foo/bar" should have only two data entries"#,
        r#"missing "password" data entry in the referenced secret "foo/bar""#,
    ];
    assert_eq!(errors(&secret), expected);
}

/// The key of a service account, with all that it can have.
fn service_account() -> String {
    let fields = json!({
        "type": "service_account",
        "project_id": "foo",
        "private_key_id": "a1b2c3d4",
        "private_key": "-----BEGIN PRIVATE KEY-----\nswordfish\n-----END PRIVATE KEY-----\n",
        "client_email": "foo@bar.com",
        "client_id": "1234",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/foo%40bar.com",
        "universe_domain": "googleapis.com",
    });
    serde_json::to_string_pretty(&fields).unwrap()
}

#[rstest]
#[case::all_fields(&service_account())]
#[case::none("{}")]
#[case::white_space_around_it(" \n{ }\n")]
#[case::null("null")]
#[case::a_null_for_a_text(r#"{"type": null}"#)]
#[case::what_is_no_unicode_text(r#"{"type": "\ud800"}"#)]
fn a_service_account_is_an_object_of_texts(#[case] password: &str) {
    assert_eq!(errors(&credentials("_json_key", password)), [""; 0]);
}

#[rstest]
#[case::line_breaks_in_the_key(
    &service_account().replace("\\n", "\n"), r"invalid character '\n' in string literal"
)]
#[case::another_control_character("{\"type\": \"a\u{1}\"}", r"invalid character '\x01' in string literal")]
#[case::a_tab_on_the_second_line("{\n\"type\": \"a\t\"}", r"invalid character '\t' in string literal")]
#[case::no_value("{\"type\": ", "unexpected end of JSON input")]
#[case::a_line_break_at_the_end("{\"type\n", r"invalid character '\n' in string literal")]
#[case::a_form_feed_at_the_end("{}\u{c}", "a syntax error at line 1, column 3")]
#[case::cut_off(r#"{"type": "swordf"#, "unexpected end of JSON input")]
#[case::no_json("swordfish", "a syntax error at line 1, column 1")]
#[case::something_behind_it("{} swordfish", "a syntax error at line 1, column 4")]
#[case::a_list("[]", "json: cannot unmarshal array into Go value of type map[string]string")]
#[case::a_text(r#""swordfish""#, "json: cannot unmarshal string into Go value of type map[string]string")]
#[case::a_number("5", "json: cannot unmarshal number into Go value of type map[string]string")]
#[case::a_boolean("true", "json: cannot unmarshal bool into Go value of type map[string]string")]
#[case::a_number_for_a_text(r#"{"type": 5}"#, "json: cannot unmarshal number into Go value of type string")]
#[case::a_name_that_is_no_unicode_text(
    r#"{"\ud800": "swordfish"}"#,
    "the name of a field is no Unicode text"
)]
fn what_is_no_service_account_is_told_without_showing_it(#[case] password: &str, #[case] reason: &str) {
    let before = "failed to unmarshal ServiceAccount json from the password data entry in the referenced secret \"foo/bar\": ";
    assert_eq!(errors(&credentials("_json_key", password)), [format!("{before}{reason}")]);
}

#[test]
fn other_fields_are_forbidden_by_name() {
    let password = r#"{"auths": {"europe-docker.pkg.dev": {"auth": "swordfish"}}, "baz": "swordfish"}"#;
    let expected = [
        "failed to unmarshal ServiceAccount json from the password data entry in the referenced secret \"foo/bar\": json: \
         cannot unmarshal object into Go value of type string",
        r#"forbidden ServiceAccount field "auths" present in the password data entry in the referenced secret "foo/bar""#,
        r#"forbidden ServiceAccount field "baz" present in the password data entry in the referenced secret "foo/bar""#,
    ];
    assert_eq!(errors(&credentials("_json_key", password)), expected);
}

#[test]
fn of_many_fields_and_long_names_only_some_is_shown() {
    let fields: Vec<String> =
        (10..99).map(|number| format!("\"{number}{}\":\"\"", "n".repeat(1000))).collect();
    let errors = errors(&credentials("_json_key", &format!("{{{}}}", fields.join(","))));
    assert_eq!(errors.len(), 10);
    let name = format!("10{}...", "n".repeat(62));
    assert!(
        errors[0].starts_with(&format!("forbidden ServiceAccount field \"{name}\" present")),
        "{errors:?}"
    );
}

#[rstest]
#[case("_json_key_base64")]
#[case("john")]
fn the_password_of_another_user_need_not_be_json(#[case] username: &str) {
    assert_eq!(errors(&credentials(username, "{")), [""; 0]);
}
