//! The changes of copies as JSON patches.
//!
//! Each begins with tests on uid and resourceVersion, so it changes the very object that was decided on, or nothing. Unlike
//! an apply it cannot create what is gone, and replaces the whole data, so that keys which somebody added go too; unlike a
//! replacement it leaves alone what others have put on the object.

use std::sync::Arc;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, TestOperation};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::{COPY_LABEL, COPY_LABEL_VALUE, ORIGIN_ANNOTATION, Origin, UNNEEDED_ANNOTATION, Wanted, owner};
use crate::model::source::SourceSecret;

/// The version of a copy that was looked at. Whatever is done is done to this one or to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Its uid.
    pub uid: Arc<str>,
    /// Its resource version.
    pub resource_version: Arc<str>,
}

impl From<&ObjectMeta> for Guard {
    fn from(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            resource_version: metadata.resource_version.as_deref().unwrap_or_default().into(),
        }
    }
}

/// A patch of one object in one version.
pub struct CopyPatch(Vec<PatchOperation>);

impl CopyPatch {
    /// A patch of this version that changes nothing yet.
    pub fn new(guard: &Guard) -> Self {
        Self(Vec::new())
            .test(&["metadata", "uid"], &guard.uid)
            .test(&["metadata", "resourceVersion"], &guard.resource_version)
    }

    /// What the source holds now, and where it comes from.
    #[must_use]
    pub fn update(self, wanted: &Wanted, source: &SourceSecret, is_adopted: bool) -> Self {
        let origin = Origin { adopted: is_adopted, ..Origin::new(source, &wanted.credential, &wanted.place) };
        let patched = self
            .add(&["data"], json!(source.data()))
            .add(&["metadata", "annotations", ORIGIN_ANNOTATION], origin.to_annotation().into());
        if is_adopted {
            return patched;
        }
        patched.add(&["metadata", "ownerReferences"], json!([owner(&wanted.credential)]))
    }

    /// Makes a foreign Secret a copy.
    #[must_use]
    pub fn take_over(self, found: &Secret, wanted: &Wanted, source: &SourceSecret) -> Self {
        let mut patched = self;
        for (name, is_there) in [
            ("labels", found.metadata.labels.is_some()),
            ("annotations", found.metadata.annotations.is_some()),
        ] {
            if !is_there {
                patched = patched.add(&["metadata", name], json!({}));
            }
        }
        patched.add(&["metadata", "labels", COPY_LABEL], COPY_LABEL_VALUE.into()).update(wanted, source, true)
    }

    /// Marks as no longer needed.
    #[must_use]
    pub fn mark(self, now: Timestamp) -> Self {
        let since = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.add(&["metadata", "annotations", UNNEEDED_ANNOTATION], since.into())
    }

    /// Takes the mark off.
    #[must_use]
    pub fn unmark(self) -> Self {
        self.remove(&["metadata", "annotations", UNNEEDED_ANNOTATION])
    }

    /// Takes our label and our annotation off.
    #[must_use]
    pub fn release(self) -> Self {
        self.remove(&["metadata", "labels", COPY_LABEL]).remove(&[
            "metadata",
            "annotations",
            ORIGIN_ANNOTATION,
        ])
    }

    /// The patch.
    pub fn build(self) -> Patch {
        Patch(self.0)
    }

    fn test(mut self, path: &[&str], value: &str) -> Self {
        self.0.push(PatchOperation::Test(TestOperation { path: pointer(path), value: value.into() }));
        self
    }

    fn add(mut self, path: &[&str], value: Value) -> Self {
        self.0.push(PatchOperation::Add(AddOperation { path: pointer(path), value }));
        self
    }

    fn remove(mut self, path: &[&str]) -> Self {
        self.0.push(PatchOperation::Remove(RemoveOperation { path: pointer(path) }));
        self
    }
}

fn pointer(path: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(path.iter().copied())
}
