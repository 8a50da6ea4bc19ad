//! The response of an `AdmissionReview`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::policy::{Decision, Outcome, Patch};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    /// Base64 of a JSON patch, which is how the API defines a field of bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

/// `code` 403 and `reason` Forbidden make kubectl say `Error from server (Forbidden)`; 503 says that it may be tried again.
#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    reason: &'static str,
    message: &'a str,
}

/// The answer to the review with this uid, as the bytes of a body.
///
/// # Errors
/// None that can occur: everything in it has a JSON form.
pub fn encode(uid: &str, decision: &Decision) -> Result<Vec<u8>, serde_json::Error> {
    let patch =
        decision.patch.as_ref().map(serde_json::to_vec).transpose()?.map(|patch| STANDARD.encode(patch));
    let status = match &decision.outcome {
        Outcome::Allowed => None,
        Outcome::Denied(message) => Some(Status { code: 403, reason: "Forbidden", message }),
        Outcome::Postponed(message) => Some(Status { code: 503, reason: "ServiceUnavailable", message }),
    };
    let mut audit_annotations = BTreeMap::from([("decision", decision.reason.as_str().to_owned())]);
    if let Some(patch) = &decision.patch {
        let key = match patch {
            Patch::PullSecrets(_) => "pull-secrets",
            Patch::ModuleLabels(_) => "module-labels",
            Patch::SecretMarks(_) => "secret-marks",
        };
        audit_annotations.insert(key, patch.summary());
    }
    if let Some(patch) = &decision.audited {
        let key = match patch {
            Patch::PullSecrets(_) => "would-add-pull-secrets",
            Patch::ModuleLabels(_) => "would-add-module-labels",
            Patch::SecretMarks(_) => "would-add-secret-marks",
        };
        audit_annotations.insert(key, patch.summary());
    }
    if !decision.findings.is_empty() {
        let findings: Vec<&str> = decision.findings.iter().map(|finding| finding.as_str()).collect();
        audit_annotations.insert("module-findings", findings.join(","));
    }
    serde_json::to_vec(&Review {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: Response {
            uid,
            allowed: status.is_none(),
            status,
            patch_type: patch.is_some().then_some("JSONPatch"),
            patch,
            warnings: decision.warnings.texts(),
            audit_annotations,
        },
    })
}
