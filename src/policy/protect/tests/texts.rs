//! What is said, word for word: `texts.txt` has it all in one place, as people read it after the name of the webhook.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::scene::*;
use crate::model::ObjectKey;
use crate::model::gardener::BindingKind;
use crate::model::protection::{ALLOW_DELETION, Bypass, Listing, LiveReferrer};
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};
use crate::policy::{Decision, Outcome, Rule};

/// The longest text, in characters: some ten lines of a terminal.
const LONGEST: usize = 1000;
const HELD: &str = "gardener.cloud/reference-protection";

fn delete(cluster: &Cluster, old: &Value) -> Decision {
    cluster.decide(Rule::SecretsInUse, &request("DELETE", old, &Value::Null, "jane")).0
}

fn marked() -> Value {
    secret(&in_use(), &[], &[])
}

/// A cluster in which one object points to the Secret by these places.
fn used_by(referrer: Referrer, places: &[&str]) -> Cluster {
    let secrets: Vec<_> = places.iter().map(|path| Reference::new(secret_key(), path)).collect();
    let live = LiveReferrer::Found {
        uid: "1".into(),
        resource_version: "5".into(),
        pointers: Pointers::to(secrets.clone()),
    };
    let listing = Some(Listing::Complete(vec![(Arc::new(referrer.clone()), secrets)]));
    Cluster {
        live: [(referrer.clone(), live)].into(),
        listing,
        watched: vec![referrer],
        ..Cluster::default()
    }
}

fn reserved(live: LiveReferrer) -> Decision {
    let cluster = Cluster { live: [(shoot("crazy-botany"), live)].into(), ..Cluster::default() };
    delete(&cluster, &secret(&in_use(), &annotated(&[reservation("crazy-botany", None)]), &[]))
}

fn allowed_to_go(bypass: Bypass) -> Decision {
    let annotations = [(ALLOW_DELETION.to_owned(), "the Shoot is stuck".to_owned())];
    let cluster = Cluster { bypass: Some(bypass), ..Cluster::with(&["crazy-botany"]) };
    delete(&cluster, &secret(&in_use(), &annotations, &[]))
}

fn unlisted(rule: Rule, labels: &Value) -> Decision {
    let listing = Some(Listing::Unknown("Shoots: the API server could not be reached".into()));
    let cluster = Cluster { listing, ..Cluster::default() };
    cluster.decide(rule, &request("DELETE", &secret(labels, &[], &[]), &Value::Null, "jane")).0
}

fn without_marks() -> Decision {
    let (old, new) = (marked(), secret(&json!({}), &[], &[]));
    Cluster::default().decide(Rule::SecretsInUse, &request("UPDATE", &old, &new, "jane")).0
}

fn decisions() -> Vec<(&'static str, Decision)> {
    let many: Vec<String> = (1..=8).map(|number| format!("crazy-botany-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long: Vec<String> = (1..=8).map(|number| format!("{number}{}", "long-name".repeat(6))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let binding = Referrer {
        kind: ReferrerKind::Binding(BindingKind::SecretBinding),
        key: ObjectKey::new("garden-other", "account"),
    };
    let four_places =
        ["spec.resources[0]", "spec.resources[1]", "spec.resources[2]", "spec.dns.providers[0].secretName"];
    let bound = |users: &[&str]| {
        let bound = users.iter().map(|name| (shoot(name), binding.clone())).collect();
        Cluster { bound, ..used_by(binding.clone(), &["secretRef"]) }
    };
    vec![
        ("used by one", delete(&Cluster::with(&["crazy-botany"]), &marked())),
        ("used by two", delete(&Cluster::with(&many[..2]), &marked())),
        ("used by many", delete(&Cluster::with(&many), &marked())),
        ("used by many with long names", delete(&Cluster::with(&long), &marked())),
        ("used by a binding", delete(&bound(&[]), &marked())),
        ("used by a binding that Shoots use", delete(&bound(&["a", "b", "c"]), &marked())),
        ("used in many places", delete(&used_by(shoot("crazy-botany"), &four_places), &marked())),
        ("being taken up", reserved(LiveReferrer::Absent)),
        ("being taken up as far as is known", reserved(LiveReferrer::Unknown("no answer".into()))),
        ("in use, and nothing can be listed", unlisted(Rule::SecretsInUse, &in_use())),
        ("not known to be in use, and nothing can be listed", unlisted(Rule::SecretDeletions, &json!({}))),
        ("let go by somebody who may", allowed_to_go(Bypass::Allowed)),
        ("let go by somebody who may not", allowed_to_go(Bypass::Denied)),
        (
            "let go by somebody who could not be asked about",
            allowed_to_go(Bypass::Unknown("no answer".into())),
        ),
        ("held by Gardener still", delete(&Cluster::default(), &secret(&in_use(), &[], &[HELD]))),
        ("its marks taken away", without_marks()),
    ]
}

#[test]
fn what_is_said_of_deletions_is_what_is_written_down_and_short() {
    let mut all = String::new();
    for (when, decision) in decisions() {
        let (said, texts) = match &decision.outcome {
            Outcome::Denied(text) => ("refused", std::slice::from_ref(text)),
            Outcome::Postponed(text) => ("refused for now", std::slice::from_ref(text)),
            Outcome::Allowed => ("allowed, with a warning", decision.warnings.texts()),
        };
        let [text] = texts else { panic!("{when}: {texts:?}") };
        assert!(text.chars().count() <= LONGEST, "{when}: {text}");
        writeln!(all, "{when}: {said}\n    {text}\n").unwrap();
    }
    assert_eq!(all, include_str!("texts.txt"), "if it is meant to be so, texts.txt is to be:\n{all}");
}
