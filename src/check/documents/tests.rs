//! YAML reads as kubectl reads it, through `sigs.k8s.io/yaml`: these are its results.
//!
//! Known to differ, by the parser we use: `yEs` and `tRUE` are true here and text there; `0X1F` and `1__0` are text here
//! and numbers there.

use rstest::rstest;
use serde_json::json;

use super::*;

fn read(text: &str) -> Value {
    match documents(&"file".into(), text, false).remove(0).unwrap().body {
        Body::Value(value) => value,
        Body::Review(_) => panic!("a review"),
    }
}

#[rstest]
#[case::yes("yes", json!(true))]
#[case::off("Off", json!(false))]
#[case::one_letter("y", json!(true))]
#[case::quoted("'yes'", json!("yes"))]
#[case::octal("0755", json!(493))]
#[case::octal_of_today("0o14", json!(12))]
#[case::hexadecimal("0x1F", json!(31))]
#[case::underscore("1_000", json!(1000))]
#[case::binary_number("0b11", json!(3))]
#[case::no_octal_after_all("08", json!(8.0))]
#[case::sexagesimal_is_text("12:30:45", json!("12:30:45"))]
#[case::negative_octal("-0755", json!(-493))]
#[case::negative("-5", json!(-5))]
#[case::version("1.10.0", json!("1.10.0"))]
#[case::date("2020-01-01", json!("2020-01-01"))]
#[case::null("~", json!(null))]
#[case::nothing("", json!(null))]
#[case::text_tag("!!str 5", json!("5"))]
#[case::binary_tag("!!binary aGVsbG8=", json!("hello"))]
#[case::literal("|\n  a\n  b\n", json!("a\nb\n"))]
#[case::folded(">-\n  a\n  b\n", json!("a b"))]
fn a_value_is_what_kubectl_makes_of_it(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(read(&format!("x: {text}")), json!({"x": expected}));
}

#[test]
fn keys_become_text() {
    assert_eq!(read("yes: 1\n8080: 2\n1.5: 3\n'on': 4\n"), json!({"true": 1, "8080": 2, "1.5": 3, "on": 4}));
}

#[test]
fn aliases_and_merge_keys_are_laid_out() {
    let text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\nlist: [*base]\n";
    let base = json!({"a": 1, "b": 2});
    assert_eq!(read(text), json!({"base": base, "more": {"a": 1, "b": 3}, "list": [base]}));
}

#[test]
fn one_anchor_may_have_many_aliases() {
    let text = format!("base: &base {{a: 1}}\nlist: [{}]\n", vec!["*base"; 2_000].join(","));
    assert_eq!(read(&text)["list"].as_array().unwrap().len(), 2_000);
}

#[test]
fn a_marker_inside_a_text_divides_nothing() {
    let text = "x: |\n  ---\n  ...\na: ---\nz: \"a\n  --- b\"\n";
    assert_eq!(read(text), json!({"x": "---\n...\n", "a": "---", "z": "a --- b"}));
}

#[test]
fn directives_and_marks_are_passed_over() {
    assert_eq!(read("%YAML 1.1\n--- # comment\nx: 1\n"), json!({"x": 1}));
    assert_eq!(read("--- {x: 1}\n"), json!({"x": 1}));
    assert_eq!(read("--- !!map\nx: 1\n"), json!({"x": 1}));
}
