use rstest::rstest;

use super::*;
use crate::policy::Warnings;

#[rstest]
#[case("john", "swordfish")]
#[case("robot$proj+ci", "sword'fish\"")]
#[case("a:b", "p\u{e4}ss: #word")]
#[case("3f834a54-7d1b-4b69-9f0e-1c1d3f1f0f7a", "sword fish ")]
#[case("_json_key", "{\n\t\"type\": \"service_account\"\n}\n")]
#[case("-john", "swordfish")]
fn what_works_is_no_warning(#[case] username: &str, #[case] password: &str) {
    assert_eq!(credential_warnings(&credentials(username, password)), [""; 0]);
}

#[rstest]
#[case::with_a_star("*john", "begins with a sign of YAML's")]
#[case::with_an_ampersand("&john", "begins with a sign of YAML's")]
#[case::with_an_exclamation_mark("!john", "begins with a sign of YAML's")]
#[case::with_an_at_sign("@john", "begins with a sign of YAML's")]
#[case::with_a_percent_sign("%john", "begins with a sign of YAML's")]
#[case::with_a_hash("#john", "begins with a sign of YAML's")]
#[case::with_a_bracket("[john", "begins with a sign of YAML's")]
#[case::with_a_brace("{john", "begins with a sign of YAML's")]
#[case::with_a_quote("'john", "begins with a sign of YAML's")]
#[case::with_a_double_quote("\"john", "begins with a sign of YAML's")]
#[case::with_a_bar("|john", "begins with a sign of YAML's")]
#[case::with_an_angle_bracket(">john", "begins with a sign of YAML's")]
#[case::with_a_backtick("`john", "begins with a sign of YAML's")]
#[case::with_a_colon_at_the_end("john:", "ends with a colon")]
#[case::tilde("~", "means nothing in YAML")]
#[case::null("null", "means nothing in YAML")]
#[case::control("jo\u{1b}hn", "holds a control character")]
fn a_username_that_yaml_reads_otherwise_is_a_warning(#[case] username: &str, #[case] fault: &str) {
    let expected = format!("username in secret \"foo/bar\" {fault}: the cache fails, or is nobody");
    assert_eq!(credential_warnings(&credentials(username, "swordfish")), [expected]);
}

#[rstest]
#[case::line_break("swordfish\n", "ends with a line break")]
#[case::carriage_return("swordfish\r\n", "ends with a line break")]
#[case::line_break_within("sword\nfish", "holds a control character")]
#[case::tab("sword\tfish", "holds a control character")]
#[case::control("sword\u{0}fish", "holds a control character")]
fn a_password_that_yaml_reads_otherwise_is_a_warning_without_it(#[case] password: &str, #[case] fault: &str) {
    for username in ["john", "_json_key_base64"] {
        let warnings = credential_warnings(&credentials(username, password));
        let expected = format!("password in secret \"foo/bar\" {fault}");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with(&expected), "{warnings:?}");
        assert!(!warnings[0].contains("fish"), "{warnings:?}");
        assert!(warnings[0].contains("the cache cannot log in"), "{warnings:?}");
    }
}

/// For a Secret of a name as people give it; a longer one is cut at the end.
#[rstest]
#[case("*john", "swordfish", "nobody")]
#[case("john", "swordfish\n", "echo -n")]
#[case("john", "sword\tfish", "cannot log in")]
fn a_warning_is_short_enough_to_be_shown_whole(
    #[case] username: &str,
    #[case] password: &str,
    #[case] end: &str,
) {
    let mut secret = credentials(username, password);
    secret.metadata.namespace = Some("garden-dev".into());
    secret.metadata.name = Some("docker-creds-v1".into());
    let mut warnings = Warnings::default();
    for warning in credential_warnings(&secret) {
        warnings.add(warning);
    }
    let [shown] = warnings.texts() else { panic!("{warnings:?}") };
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn a_secret_without_data_is_no_warning() {
    assert_eq!(credential_warnings(&Secret::default()), [""; 0]);
}
