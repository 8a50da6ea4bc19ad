//! Reviews that an API server has sent, where they are at hand.

use std::fs;
use std::path::Path;

use regcred::policy::Rule;
use regcred::review;
use serde_json::{Value, json};

use super::command::Files;
use super::samples::skipped;

const REVIEWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/gardener/admissionreviews");

const CREATION: &[&str] = &["secret_marks", "module_secrets"];
const UPDATE: &[&str] = &["secret_marks", "module_secrets", "secrets_in_use"];
const DELETION: &[&str] = &["module_secrets", "secrets_in_use", "secret_deletions"];
const OF_A_SHOOT: &[&str] = &["secret_references"];

/// What there is when a review comes.
#[derive(Debug, Clone, Copy)]
enum Cluster {
    /// Nothing.
    Empty,
    /// A Shoot that uses this Secret.
    Uses(&'static str),
    /// A Secret of this name that caches can log in with.
    Has(&'static str),
    /// One that is being deleted.
    HasGoing(&'static str),
    /// One that can be changed.
    HasMutable(&'static str),
}

use Cluster::{Empty, Has, HasGoing, HasMutable, Uses};

const V2: &str = "ro-docker-secret-v2";

/// The name of a review, the rules that look at it, and what comes of it where.
type Recorded = (&'static str, &'static [&'static str], &'static [(Cluster, &'static str)]);

/// The rules that look at each review, and what comes of it in which cluster: allowed, or refused with this.
const EXPECTED: &[Recorded] = &[
    ("secret-create-immutable", CREATION, &[(Empty, ""), (Uses("a"), "")]),
    (
        "secret-delete-dryrun",
        DELETION,
        &[
            (Empty, ""),
            (Uses("b"), ""),
            (Uses("a"), "Secret garden-dev/a is still used by Shoot garden-dev/x"),
        ],
    ),
    (
        "secret-delete-single",
        DELETION,
        &[
            (Empty, ""),
            (Uses("a"), ""),
            (Uses("b"), "Secret garden-dev/b is still used by Shoot garden-dev/x"),
        ],
    ),
    (
        "secret-deletecollection-user-without-name",
        DELETION,
        &[
            (Empty, ""),
            (Uses("a"), ""),
            (Uses("b"), "Secret garden-dev/b is still used by Shoot garden-dev/x"),
        ],
    ),
    ("secret-update-add-finalizer-on-immutable", UPDATE, &[(Empty, ""), (Uses("a"), "")]),
    ("secret-update-make-immutable", UPDATE, &[(Empty, ""), (Uses("mm"), "")]),
    (
        "shoot-update-remove-reference-finalizer",
        OF_A_SHOOT,
        &[(Empty, ""), (Has(V2), ""), (HasGoing(V2), "")],
    ),
    (
        "shoot-update-rotation-only-resources",
        OF_A_SHOOT,
        &[
            (Has(V2), ""),
            (Empty, "secrets \"ro-docker-secret-v2\" not found"),
            (HasGoing(V2), "is being deleted, for good; point to another one"),
            (HasMutable(V2), "the referenced secret \"garden-dev/ro-docker-secret-v2\" should be immutable"),
        ],
    ),
];

impl Cluster {
    fn object(self) -> Value {
        let secret = |name: &str, immutable: bool| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "garden-dev", "name": name},
                "immutable": immutable, "stringData": {"username": "john", "password": "swordfish"},
            })
        };
        match self {
            Empty => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "garden-dev"}}),
            Uses(name) => json!({
                "apiVersion": "core.gardener.cloud/v1beta1", "kind": "Shoot",
                "metadata": {"namespace": "garden-dev", "name": "x"},
                "spec": {"resources": [
                    {"name": "a", "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": name}},
                ]},
            }),
            Has(name) => secret(name, true),
            HasMutable(name) => secret(name, false),
            HasGoing(name) => {
                let mut secret = secret(name, true);
                secret["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
                secret
            }
        }
    }
}

#[test]
fn each_recorded_review_is_looked_at_by_its_rules_and_has_its_verdict() {
    if !Path::new(REVIEWS).is_dir() {
        return skipped(Path::new(REVIEWS));
    }
    let mut recorded: Vec<String> = fs::read_dir(REVIEWS)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    recorded.sort();
    assert_eq!(recorded, EXPECTED.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, rules, verdicts) in EXPECTED {
        let path = format!("{REVIEWS}/{name}.json");
        let body = fs::read(&path).unwrap();
        let request = review::decode(&body).unwrap();
        assert_eq!(Rule::for_request(&request).map(Rule::as_str).collect::<Vec<_>>(), *rules, "{name}");
        for (cluster, expected) in *verdicts {
            let files = Files::with("state.json", cluster.object().to_string());
            let run = files.check(&["-f", &path, "--state", "state.json", "-o", "json"]);
            let verdict = run.line();
            let message = verdict["message"].as_str().unwrap_or_default();
            assert_eq!(message.is_empty(), expected.is_empty(), "{name} in {cluster:?}: {verdict}");
            assert!(message.contains(expected), "{name} in {cluster:?}: {message}");
            assert_eq!(verdict["warnings"], json!([]), "{name} in {cluster:?}");
            assert_eq!(run.code, i32::from(!expected.is_empty()), "{name} in {cluster:?}");
            let is_marked = verdict["patch"].to_string().contains("regcred.dev~1in-use")
                || verdict["patch"].to_string().contains("regcred.dev/in-use");
            let is_created_in_use = rules == &CREATION && matches!(cluster, Uses(_));
            assert_eq!(is_marked, is_created_in_use, "{name} in {cluster:?}: {verdict}");
        }
    }
}
