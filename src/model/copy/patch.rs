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

/// Lets the credential own a copy that was created for it, beside whoever owns it already.
pub fn own(patch: GuardedPatch, wanted: &Wanted, has_owners: bool) -> GuardedPatch {
    let owner = json!(owner(&wanted.credential));
    if has_owners {
        patch.add(["metadata", "ownerReferences", "-"], owner)
    } else {
        patch.add(["metadata", "ownerReferences"], json!([owner]))
    }
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
    // A clone of a copy may bear our reference; the garbage collector would delete it with the credential.
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let others: Vec<_> = owners.iter().filter(|owner| owner.uid != *wanted.credential.uid).collect();
    if others.len() < owners.len() {
        patch = patch.add(["metadata", "ownerReferences"], json!(others));
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;
    use crate::model::ObjectKey;
    use crate::model::copy::tests::credential;
    use crate::model::guarded_patch::Guard;
    use crate::model::source::tests::source_secret;

    fn wanted() -> Wanted {
        Wanted { credential: credential().into(), place: ObjectKey::new("team-a", "regcred-ghcr") }
    }

    fn owner_named(uid: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": uid, "uid": uid})
    }

    fn secret(owners: Option<&[&str]>) -> Value {
        let mut secret = json!({
            "metadata": {"name": "regcred-ghcr", "namespace": "team-a", "uid": "2", "resourceVersion": "7"},
            "type": "kubernetes.io/dockerconfigjson",
        });
        if let Some(owners) = owners {
            let owners: Vec<Value> = owners.iter().map(|uid| owner_named(uid)).collect();
            secret["metadata"]["ownerReferences"] = owners.into();
        }
        secret
    }

    fn owners_after(
        mut secret: Value,
        change: impl FnOnce(GuardedPatch, &Secret) -> GuardedPatch,
    ) -> Vec<String> {
        let found: Secret = serde_json::from_value(secret.clone()).unwrap();
        let patch = change(GuardedPatch::new(&Guard::from(&found.metadata)), &found);
        json_patch::patch(&mut secret, &patch.build()).unwrap();
        let patched: Secret = serde_json::from_value(secret).unwrap();
        patched.metadata.owner_references.unwrap_or_default().into_iter().map(|owner| owner.uid).collect()
    }

    #[rstest]
    #[case::nobody(None, &["1"])]
    #[case::an_empty_list(Some(&[][..]), &["1"])]
    #[case::another(Some(&["other"][..]), &["other", "1"])]
    fn a_credential_owns_its_copy_beside_whoever_does(
        #[case] owners: Option<&[&str]>,
        #[case] expected: &[&str],
    ) {
        let own = |patch, found: &Secret| own(patch, &wanted(), found.metadata.owner_references.is_some());
        assert_eq!(owners_after(secret(owners), own), expected);
    }

    #[rstest]
    #[case::nobody(None, &[])]
    #[case::another(Some(&["other"][..]), &["other"])]
    #[case::a_clone_of_a_copy(Some(&["1"][..]), &[])]
    #[case::a_clone_that_another_owns_too(Some(&["1", "other"][..]), &["other"])]
    fn what_is_taken_over_is_not_the_credentials_to_be_collected(
        #[case] owners: Option<&[&str]>,
        #[case] expected: &[&str],
    ) {
        let source = source_secret(r#"{"auths":{"ghcr.io":{}}}"#);
        let take_over = |patch, found: &Secret| take_over(patch, found, &wanted(), &source);
        assert_eq!(owners_after(secret(owners), take_over), expected);
    }
}
