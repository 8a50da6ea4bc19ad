//! JSON patches that change one version of one object, or nothing.
//!
//! Each begins with tests on uid and resourceVersion. Unlike an apply it cannot create what is gone; unlike a merge it can
//! replace a member as a whole; unlike a replacement it leaves alone what others have put on the object.

use std::sync::Arc;

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, TestOperation};
use kube::core::ObjectMeta;
use serde_json::Value;

/// The version of an object that was looked at. Whatever is done is done to this one or to none.
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

/// A patch of one object in one version. Paths are members, and places in lists, from the object down.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardedPatch(Vec<PatchOperation>);

impl GuardedPatch {
    /// A patch of this version that changes nothing yet.
    pub fn new(guard: &Guard) -> Self {
        Self(Vec::new())
            .test(["metadata", "uid"], &guard.uid)
            .test(["metadata", "resourceVersion"], &guard.resource_version)
    }

    /// It applies only where this is there.
    #[must_use]
    pub fn test<'a>(mut self, path: impl IntoIterator<Item = impl Into<Token<'a>>>, value: &str) -> Self {
        let path = PointerBuf::from_tokens(path);
        self.0.push(PatchOperation::Test(TestOperation { path, value: value.into() }));
        self
    }

    /// Puts a value there, also in the place of another.
    #[must_use]
    pub fn add<'a>(mut self, path: impl IntoIterator<Item = impl Into<Token<'a>>>, value: Value) -> Self {
        let path = PointerBuf::from_tokens(path);
        self.0.push(PatchOperation::Add(AddOperation { path, value }));
        self
    }

    /// Takes away what is there.
    #[must_use]
    pub fn remove<'a>(mut self, path: impl IntoIterator<Item = impl Into<Token<'a>>>) -> Self {
        self.0.push(PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(path) }));
        self
    }

    /// The patch itself.
    pub fn build(self) -> Patch {
        Patch(self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(uid: &str, resource_version: &str) -> Value {
        json!({"metadata": {"uid": uid, "resourceVersion": resource_version}, "status": {"old": true}})
    }

    fn patch() -> Patch {
        let guard = Guard { uid: "1".into(), resource_version: "7".into() };
        GuardedPatch::new(&guard).add(["status"], json!({"new": true})).build()
    }

    #[test]
    fn a_member_replaces_the_one_before_as_a_whole() {
        let mut object = object("1", "7");
        json_patch::patch(&mut object, &patch()).unwrap();
        assert_eq!(object["status"], json!({"new": true}));
    }

    #[rstest]
    #[case::of_another_object("2", "7")]
    #[case::of_another_version("1", "8")]
    fn what_was_not_looked_at_stays(#[case] uid: &str, #[case] resource_version: &str) {
        let mut patched = object(uid, resource_version);
        assert!(json_patch::patch(&mut patched, &patch()).is_err());
        assert_eq!(patched, object(uid, resource_version));
    }
}
