//! stub
use super::Snapshot;
use crate::model::credential::Credential;
/// stub
#[derive(Default)]
pub struct Pods;
impl Pods {
    /// stub
    pub fn is_complete(&self) -> bool {
        false
    }
    /// stub
    pub fn needs(&self, _: &Snapshot, _: &str, _: &Credential) -> bool {
        false
    }
    /// stub
    pub fn names(&self, _: &str, _: &str) -> bool {
        false
    }
}
