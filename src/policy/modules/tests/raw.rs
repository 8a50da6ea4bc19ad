//! JSON that a tree of values could not hold, from the bytes of the review to those of the answer.

use std::time::Instant;

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::template;
use crate::configuration::Configuration;
use crate::knowledge::Index;
use crate::policy::tests::review_of;
use crate::policy::{Answers, Need, Rule, SecretsAnswer, Step};
use crate::review;

/// What the API server is answered about a template with this descriptor.
fn answered(rule: Rule, descriptor: &str) -> Value {
    let body = review_of(&template(&json!("DESCRIPTOR")), None).to_string();
    let body = body.replace("\"DESCRIPTOR\"", descriptor);
    let request = review::decode(body.as_bytes()).unwrap();
    let (known, configuration) = (Index::new("regcred-system").snapshot(), Configuration::default());
    let mut answers = Answers::default();
    loop {
        match rule.decide(&request, &known, &configuration, &answers, Instant::now()) {
            Step::Decided(decision) => {
                return serde_json::from_slice(&review::encode("1", &decision).unwrap()).unwrap();
            }
            Step::Needs(needs) => {
                for need in needs {
                    let Need::Secrets(query) = need else { panic!("{need:?}") };
                    answers.secrets.insert(query.selector, SecretsAnswer::Found(Vec::new()));
                }
            }
        }
    }
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

const CONTEXTS: &str = r#""repositoryContexts": [{"baseUrl": "ghcr.io"}]"#;

#[rstest]
#[case::a_field_that_stands_twice_of_which_the_last_counts(
    format!(r#"{{"component": 1, "component": {{{CONTEXTS}, "resources": [], "resources": [{{"access": {{"type": "localBlob"}}}}]}}}}"#),
    Some("resources[0]")
)]
#[case::half_a_surrogate_for_a_name(
    format!(r#"{{"component": {{{CONTEXTS}, "resources": [{{"name": "\ud800", "access": {{"type": "localBlob"}}}}]}}}}"#),
    Some("resources[0]")
)]
#[case::half_a_surrogate_for_a_type(
    format!(r#"{{"component": {{{CONTEXTS}, "resources": [{{"name": "a", "access": {{"type": "\udfff"}}}}]}}}}"#),
    None
)]
#[case::a_number_that_nothing_can_hold(
    format!(r#"{{"component": {{"version": 1e999999, {CONTEXTS}, "resources": [{{"name": "a", "access": {{"type": "localBlob"}}}}]}}}}"#),
    Some("a")
)]
#[case::labels_that_nest_deep(
    format!(
        r#"{{"component": {{{CONTEXTS}, "resources": [{{"name": "a", "labels": {}, "access": {{"type": "localBlob"}}}}]}}}}"#,
        nested(9_000)
    ),
    Some("a")
)]
#[case::a_descriptor_that_nests_deep(nested(9_000), None)]
fn any_json_of_a_review_is_answered_with_a_verdict(
    #[case] descriptor: String,
    #[case] refused: Option<&str>,
) {
    for rule in [Rule::ModuleLabels, Rule::Modules] {
        let response = &answered(rule, &descriptor)["response"];
        let is_refused = rule == Rule::Modules && refused.is_some();
        assert_eq!(response["allowed"], json!(!is_refused), "{response}");
        if let (Rule::Modules, Some(layer)) = (rule, refused) {
            let message = response["status"]["message"].as_str().unwrap();
            assert!(message.contains(&format!("pull them with: {layer}.")), "{message}");
        }
    }
}
