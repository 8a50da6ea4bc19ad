//! The registries that a credential is for.

use crate::model::credential::Credential;
use crate::model::keyring::Keyring;

/// How many hosts the status lists. Most Secrets have one or two.
const LISTED: usize = 16;
/// How many fit the column of `kubectl get`.
const IN_COLUMN: usize = 2;

/// The hosts that a credential has keys for and is not narrowed away from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Registries {
    pub(super) listed: Vec<String>,
    pub(super) more: usize,
}

impl Registries {
    pub(super) fn of(credential: &Credential, keyring: &Keyring) -> Self {
        let hosts = keyring.hosts();
        let mut listed: Vec<String> =
            hosts.into_iter().filter(|host| credential.may_be_for_host(host)).collect();
        let more = listed.len().saturating_sub(LISTED);
        listed.truncate(LISTED);
        Self { listed, more }
    }

    /// For the column.
    pub(super) fn summary(&self) -> String {
        let rest = self.listed.len().saturating_sub(IN_COLUMN) + self.more;
        let mut parts: Vec<String> = self.listed.iter().take(IN_COLUMN).cloned().collect();
        if rest > 0 {
            parts.push(format!("+{rest}"));
        }
        parts.join(",")
    }
}
