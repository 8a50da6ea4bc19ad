//! What the `CustomResourceDefinition` refuses, the compiler refuses too, in the same words: offline there is no API
//! server to do it.

use kube::CustomResourceExt;
use proptest::prelude::*;
use regex::bytes::RegexBuilder;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// The messages of the rules on `spec.images` that a pattern breaks, as the API server would evaluate them.
fn broken_rules(pattern: &str) -> Vec<String> {
    let definition = serde_json::to_value(RegistryCredential::crd()).unwrap();
    let images = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/images";
    let rules = definition.pointer(&format!("{images}/x-kubernetes-validations")).unwrap();
    let is_broken = |rule: &str| {
        let (function, argument) = rule
            .strip_prefix("self.all(image, !image.")
            .and_then(|rest| rest.strip_suffix("'))"))
            .and_then(|rest| rest.split_once("('"))
            .unwrap();
        match function {
            "contains" => pattern.contains(argument),
            "matches" => RegexBuilder::new(&argument.replace(r"\\", r"\"))
                .unicode(false)
                .build()
                .unwrap()
                .is_match(pattern.as_bytes()),
            other => panic!("a rule uses {other}"),
        }
    };
    let rules = rules.as_array().unwrap().iter();
    let broken = rules.filter(|rule| is_broken(rule["rule"].as_str().unwrap()));
    broken.map(|rule| rule["message"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::host("ghcr.io", None)]
#[case::path("ghcr.io/org/team", None)]
#[case::port("registry.example:5000/org", None)]
#[case::glob_in_host("*.azurecr.io/team", None)]
#[case::trailing_slash("ghcr.io/org/", None)]
#[case::trailing_star("ghcr.io/org/*", None)]
#[case::star_for_the_whole_path("ghcr.io/*", None)]
#[case::scheme("https://ghcr.io", Some(ImagePatternError::Scheme))]
#[case::upper_case("ghcr.io/Org", Some(ImagePatternError::UpperCase))]
#[case::blank(" ghcr.io", Some(ImagePatternError::Blank))]
#[case::tab("ghcr.io/a\tb", Some(ImagePatternError::Blank))]
#[case::star_ends_a_segment("ghcr.io/org*", Some(ImagePatternError::StarInPath))]
#[case::star_is_a_segment("ghcr.io/*/app", Some(ImagePatternError::StarInPath))]
#[case::two_stars("ghcr.io/org/**", Some(ImagePatternError::StarInPath))]
#[case::star_starts_a_segment("ghcr.io/*-app", Some(ImagePatternError::StarInPath))]
#[case::tag("ghcr.io/app:1", Some(ImagePatternError::Version))]
#[case::digest("ghcr.io/app@sha256:0", Some(ImagePatternError::Version))]
fn the_schema_and_the_compiler_agree_on_an_image_pattern(
    #[case] pattern: &str,
    #[case] expected: Option<ImagePatternError>,
) {
    assert_eq!(ImagePattern::parse(pattern).err(), expected);
    assert_eq!(broken_rules(pattern), Vec::from_iter(expected.map(|reason| reason.to_string())));
}

/// What is left to the compiler: CEL cannot read a URL, and emptiness is the schema's `minLength`.
#[rstest]
#[case::port_with_letters("ghcr.io:http", ImagePatternError::Malformed)]
#[case::empty("", ImagePatternError::Empty)]
fn what_no_rule_says_the_compiler_still_refuses(#[case] pattern: &str, #[case] expected: ImagePatternError) {
    assert_eq!(ImagePattern::parse(pattern), Err(expected));
    assert!(broken_rules(pattern).is_empty());
}

proptest! {
    #[test]
    fn any_text_breaks_a_rule_just_when_the_compiler_says_so(pattern in r"[a-bA/*:@. \t\r\n5-]{1,12}") {
        let broken = broken_rules(&pattern);
        match ImagePattern::parse(&pattern) {
            Ok(_) | Err(ImagePatternError::Malformed | ImagePatternError::Empty) => prop_assert!(broken.is_empty()),
            Err(reason) => prop_assert!(broken.contains(&reason.to_string())),
        }
    }
}

#[rstest]
#[case::alternatives(json!({"namespaces": ["team-{a,b}"]}), "spec.namespaces holds \"team-{a,b}\"")]
#[case::upper_case(json!({"namespaces": ["Team"]}), "spec.namespaces holds \"Team\"")]
#[case::excluded(json!({"namespaces": ["*"], "excludeNamespaces": [""]}), "spec.excludeNamespaces holds \"\"")]
#[case::values_missing(
    json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
    "In and NotIn need values"
)]
#[case::values_too_many(
    json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}}),
    "Exists and DoesNotExist have none"
)]
#[case::source_namespace(
    json!({"namespaces": ["*"], "secretRef": {"namespace": "a/b", "name": "c"}}), "spec.secretRef is \"a/b\", \"c\""
)]
#[case::source_name(
    json!({"namespaces": ["*"], "secretRef": {"namespace": "a", "name": "B"}}), "spec.secretRef is \"a\", \"B\""
)]
#[case::no_labels(
    json!({"namespaces": ["*"], "moduleLabels": {}}), "spec.moduleLabels is wrong: its value is {}, which selects every Secret"
)]
#[case::label_key(
    json!({"namespaces": ["*"], "moduleLabels": {"Bad Key!": "b"}}), "no Secret can have the label \"Bad Key!\": a label key"
)]
#[case::label_value(
    json!({"namespaces": ["*"], "moduleLabels": {"a": "b c"}}), "no Secret can have the label \"a\": a label value"
)]
#[case::copy_name(json!({"namespaces": ["*"], "copyName": "Pull_Secret"}), "would be called \"Pull_Secret\"")]
#[case::copy_name_too_long(json!({"namespaces": ["*"], "copyName": "a".repeat(254)}), "set spec.copyName")]
fn what_the_schema_refuses_is_refused_with_a_sentence(#[case] spec: Value, #[case] says: &str) {
    let error = super::tests::credential(&spec).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}
