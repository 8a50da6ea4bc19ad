//! What is told of a decision besides its answer.

use k8s_openapi::api::core::v1::Secret;

use crate::events::{Kind, Occurrence, Regarding};
use crate::model::json::Json;
use crate::model::protection::{BYPASS_GROUP, BYPASS_RESOURCE, BYPASS_VERB};
use crate::policy::{Decision, Reason};
use crate::review::Request;

/// That a Secret went, or was let go of, although it may be in use: whoever looks for it later finds who did that.
pub(super) fn of(decision: &Decision, request: &Request<'_>) -> Option<Occurrence> {
    if decision.reason != Reason::Bypassed || request.is_dry_run() {
        return None;
    }
    let metadata = Json::from(request.old_object?).field("metadata")?;
    let text = |field| metadata.field(field).and_then(Json::text);
    let name = text("name")?;
    let uid = text("uid");
    Some(Occurrence {
        regarding: Regarding::new::<Secret>(Some(request.namespace()), &name, uid.as_deref()),
        kind: Kind::Warning,
        reason: "ProtectionBypassed",
        action: "ProtectSecret",
        note: format!(
            "{} by {}, who may {BYPASS_VERB} {BYPASS_RESOURCE}.{BYPASS_GROUP}, although it may be in use",
            if &*request.operation == "DELETE" { "Deleted" } else { "Let go of" },
            request.user_info.username()
        ),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::review;

    #[rstest]
    #[case::bypassed(Reason::Bypassed, false, true)]
    #[case::a_dry_run(Reason::Bypassed, true, false)]
    #[case::not_in_use(Reason::NotInUse, false, false)]
    fn what_was_deleted_although_it_may_be_in_use_is_told(
        #[case] reason: Reason,
        #[case] is_dry_run: bool,
        #[case] expected: bool,
    ) {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "review", "operation": "DELETE", "namespace": "garden-dev", "dryRun": is_dry_run,
            "kind": {"group": "", "version": "v1", "kind": "Secret"},
            "resource": {"group": "", "version": "v1", "resource": "secrets"},
            "userInfo": {"username": "jane"}, "object": null,
            "oldObject": {"metadata": {"name": "creds", "uid": "7"}, "data": {"password": "aHVudGVyMg=="}},
        }})
        .to_string();
        let request = review::decode(review.as_bytes()).unwrap();
        let told = of(&Decision::allow(reason), &request);
        assert_eq!(told.is_some(), expected);
        if let Some(told) = told {
            assert_eq!(told.regarding, Regarding::new::<Secret>(Some("garden-dev"), "creds", Some("7")));
            assert!(told.note.starts_with("Deleted by jane, "), "{}", told.note);
        }
    }
}
