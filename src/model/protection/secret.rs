//! A Secret with what is in it, on its way from the API server to a decision.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;

/// A Secret that can be shown to nobody by mistake.
#[derive(Clone, PartialEq)]
pub struct WholeSecret(Arc<Secret>);

impl WholeSecret {
    /// What is in it.
    pub fn get(&self) -> &Secret {
        &self.0
    }

    /// Its uid.
    pub fn uid(&self) -> &str {
        self.0.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.0.metadata.deletion_timestamp.is_some()
    }
}

impl From<Secret> for WholeSecret {
    fn from(secret: Secret) -> Self {
        Self(Arc::new(secret))
    }
}

impl fmt::Debug for WholeSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [namespace, name] = [&self.0.metadata.namespace, &self.0.metadata.name]
            .map(|text| text.as_deref().unwrap_or_default());
        write!(formatter, "Secret {namespace}/{name}")
    }
}

/// What reading a Secret, or leaving a reservation on it, has brought.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretAnswer {
    /// It is there, so; with the reservation, if one was left.
    Found(WholeSecret),
    /// There is none of that name.
    Absent,
    /// The API server could not be asked, or not in time, or would not do it.
    Unknown(Arc<str>),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_in_a_secret_is_not_shown() {
        let object =
            json!({"metadata": {"namespace": "a", "name": "b"}, "data": {"password": "aHVudGVyMg=="}});
        let secret = WholeSecret::from(serde_json::from_value::<Secret>(object).unwrap());
        assert_eq!(format!("{:?}", SecretAnswer::Found(secret)), "Found(Secret a/b)");
    }
}
