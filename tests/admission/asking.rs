//! Asks one server by itself, as the API server would, so that a test knows what each of them knows.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use crate::harness::replica::Replica;
use crate::harness::{Installation, reviews};

/// What a server said about a pod that was not to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Opinion {
    /// The pull Secrets that it would add.
    pub(super) names: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What a server thinks of this pod, in a dry run.
pub(super) async fn ask(installation: &Installation, replica: &Replica, pod: &Value) -> Opinion {
    let client = reviews::client_of(installation, replica);
    let answer = client.post(reviews::of_pod(&reviews::unique_uid(), pod, true)).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&answer).expect("an AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["allowed"], true, "{answer}");
    let patch = response["patch"].as_str().map(|patch| BASE64_STANDARD.decode(patch).expect("base64"));
    let operations: Vec<Value> =
        patch.map(|patch| serde_json::from_slice(&patch).expect("a patch")).unwrap_or_default();
    let added = operations.iter().flat_map(|operation| match &operation["value"] {
        Value::Array(references) => references.clone(),
        reference => vec![reference.clone()],
    });
    let names = added.map(|reference| reference["name"].as_str().expect("a name").to_owned()).collect();
    let warnings = serde_json::from_value(response["warnings"].clone()).unwrap_or_default();
    Opinion { names, warnings }
}
