//! The same verdicts with files in the place of the cluster.

use std::time::Instant;

use clap::Parser;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::*;
use crate::check::state::{AsServed, Objects};
use crate::configuration::Configuration;
use crate::policy::{Answers, Decision, Rule, Step};
use crate::review;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    served: AsServed,
}

fn decide(review: &Value, secrets: &[Value]) -> Decision {
    let secrets = secrets.iter().map(|secret| serde_json::from_value(secret.clone()).unwrap());
    let objects = Objects { secrets: secrets.collect(), ..Objects::default() };
    let served = Arguments::parse_from(["check"]).served;
    let mut state = objects.into_state(&served, |_| panic!("a problem"));
    let body = review.to_string();
    let request = review::decode(body.as_bytes()).unwrap();
    let mut answers = Answers::default();
    for _ in 0..4 {
        let configuration = Configuration::default();
        let rule = Rule::SecretReferences;
        match rule.decide(&request, &state.known, &configuration, &answers, Instant::now()) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => state.answer(needs, &mut answers),
        }
    }
    panic!("asked for too often");
}

#[rstest]
#[case::there(&[credentials("docker-creds-v1")], "")]
#[case::absent(
    &[],
    "failed to get secret garden-dev/docker-creds-v1 for secretReferenceName docker-creds: secrets \"docker-creds-v1\" not found"
)]
#[case::mutable(
    &[secret("docker-creds-v1", json!(false), json!({"username": "john", "password": "swordfish"}))],
    "spec.extensions[0].providerConfig.caches[0].secretReferenceName: Invalid value: \"docker-creds\": the referenced secret \
     \"garden-dev/docker-creds-v1\" should be immutable"
)]
fn a_shoot_is_judged_by_the_secrets_of_the_state(#[case] secrets: &[Value], #[case] expected: &str) {
    let shoot = with_private_cache("docker-creds-v1");
    assert_eq!(refusal(&decide(&create(&shoot), secrets)), expected);
    assert_eq!(refusal(&decide(&update(&with_private_cache("other"), &shoot), secrets)), expected);
}

#[test]
fn a_binding_that_is_not_in_the_state_is_told() {
    let mut shoot = shoot(json!([]), json!([]));
    shoot["spec"]["secretBindingName"] = json!("account");
    let decision = decide(&create(&shoot), &[]);
    assert_eq!(
        decision.warnings.texts(),
        ["spec.secretBindingName: there is no SecretBinding garden-dev/account"]
    );
}
