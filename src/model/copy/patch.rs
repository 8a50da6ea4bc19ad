//! The changes of copies.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::{COPY_LABEL, COPY_LABEL_VALUE, ORIGIN_ANNOTATION, Origin, UNNEEDED_ANNOTATION, Wanted, owner};
use crate::model::guarded_patch::GuardedPatch;
use crate::model::source::SourceSecret;

const ORIGIN: [&str; 3] = ["metadata", "annotations", ORIGIN_ANNOTATION];
const LABEL: [&str; 3] = ["metadata", "labels", COPY_LABEL];
const UNNEEDED: [&str; 3] = ["metadata", "annotations", UNNEEDED_ANNOTATION];

/// What the source holds now, and where it comes from. The whole data is replaced, so that keys which somebody added go.
pub fn update(patch: GuardedPatch, wanted: &Wanted, source: &SourceSecret, is_adopted: bool) -> GuardedPatch {
    let origin = Origin { adopted: is_adopted, ..Origin::new(source, &wanted.credential, &wanted.place) };
    patch.add(["data"], json!(source.data())).add(ORIGIN, origin.to_annotation().into())
}

/// Lets the credential own a copy that was created for it and that nobody owns.
pub fn own(patch: GuardedPatch, wanted: &Wanted) -> GuardedPatch {
    patch.add(["metadata", "ownerReferences"], json!([owner(&wanted.credential)]))
}

/// Makes a foreign Secret a copy.
pub fn take_over(
    mut patch: GuardedPatch,
    found: &Secret,
    wanted: &Wanted,
    source: &SourceSecret,
) -> GuardedPatch {
    let metadata = &found.metadata;
    for (name, is_there) in
        [("labels", metadata.labels.is_some()), ("annotations", metadata.annotations.is_some())]
    {
        if !is_there {
            patch = patch.add(["metadata", name], json!({}));
        }
    }
    update(patch.add(LABEL, COPY_LABEL_VALUE.into()), wanted, source, true)
}

/// Marks as no longer needed.
pub fn mark(patch: GuardedPatch, now: Timestamp) -> GuardedPatch {
    patch.add(UNNEEDED, now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
}

/// Takes the mark off.
pub fn unmark(patch: GuardedPatch) -> GuardedPatch {
    patch.remove(UNNEEDED)
}

/// Takes our label and our annotation off.
pub fn release(patch: GuardedPatch) -> GuardedPatch {
    patch.remove(LABEL).remove(ORIGIN)
}
