//! The marks of those who are about to point to a Secret.

use std::sync::Arc;

use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{LiveReferrer, RESERVATION_PREFIX};
use crate::model::ObjectKey;
use crate::model::reference::{Referrer, ReferrerKind};

/// A write that was about to point to a Secret, as it stands in an annotation of the Secret. It may be stored still, or never, until it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The uid of the review in which it was judged: each attempt has its own.
    pub attempt: Arc<str>,
    /// Who is about to point to the Secret.
    pub claim: Claim,
}

/// What is written, and over what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The object.
    pub referrer: Referrer,
    /// Its uid; the API server gives it before it asks.
    pub uid: Arc<str>,
    /// The resource version that is written over; none of an object that is to be created.
    pub over: Option<Arc<str>>,
}

/// The value of the annotation.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    kind: String,
    namespace: String,
    name: String,
    uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

impl Reservation {
    /// The name of the annotation.
    pub fn annotation(&self) -> String {
        format!("{RESERVATION_PREFIX}{}", self.attempt)
    }

    /// The value of the annotation.
    pub fn value(&self) -> String {
        let Claim { referrer: Referrer { kind, key }, uid, over } = &self.claim;
        let value = Value {
            kind: kind.to_string(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: uid.to_string(),
            resource_version: over.as_deref().map(str::to_owned),
        };
        // Strings alone, which always have a JSON form.
        serde_json::to_string(&value).unwrap_or_default()
    }

    /// Reads an annotation. `None` for one that is no reservation, or that nobody can have left who is about to write something.
    pub fn read(annotation: &str, value: &str) -> Option<Self> {
        let attempt = annotation.strip_prefix(RESERVATION_PREFIX)?;
        let value: Value = serde_json::from_str(value).ok()?;
        let kind = ReferrerKind::reserving().find(|kind| kind.to_string() == value.kind)?;
        let referrer = Referrer { kind, key: ObjectKey::new(&value.namespace, &value.name) };
        let over = value.resource_version.map(Arc::from);
        Some(Self { attempt: attempt.into(), claim: Claim { referrer, uid: value.uid.into(), over } })
    }

    /// Whether the write has been stored, or never will be, as a look at its object shows that was begun after the reservation had landed.
    /// What it has stored is then for that look, or for a later one, to show.
    pub fn is_settled_by(&self, live: &LiveReferrer) -> bool {
        match (live, &self.claim.over) {
            // It is created under that uid or not at all. Another of its name may go again before it is created.
            (LiveReferrer::Found { uid, .. }, None) => *uid == self.claim.uid,
            // It can be written over that version alone.
            (LiveReferrer::Found { uid, resource_version, .. }, Some(over)) => {
                *uid != self.claim.uid || resource_version != over
            }
            (LiveReferrer::Absent, over) => over.is_some(),
            (LiveReferrer::Unknown(_), _) => false,
        }
    }
}

/// The reservations that a Secret has, in the order of their attempts.
pub fn reservations(metadata: &ObjectMeta) -> Vec<Reservation> {
    let annotations = metadata.annotations.iter().flatten();
    annotations.filter_map(|(name, value)| Reservation::read(name, value)).collect()
}

/// How many annotations of a Secret stand for reservations, readable or not.
pub fn reserved(metadata: &ObjectMeta) -> usize {
    let annotations = metadata.annotations.iter().flatten();
    annotations.filter(|(name, _)| name.starts_with(RESERVATION_PREFIX)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::model::gardener::BindingKind;
    use crate::model::reference::Pointers;

    fn reservation(over: Option<&str>) -> Reservation {
        let referrer =
            Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", "crazy-botany") };
        let claim = Claim { referrer, uid: "1".into(), over: over.map(Arc::from) };
        Reservation { attempt: "attempt".into(), claim }
    }

    fn found(uid: &str, resource_version: &str) -> LiveReferrer {
        let pointers = Pointers::default();
        LiveReferrer::Found { uid: uid.into(), resource_version: resource_version.into(), pointers }
    }

    #[rstest]
    #[case::created(None, found("1", "7"), true)]
    #[case::not_created_yet(None, LiveReferrer::Absent, false)]
    #[case::another_is_there_that_may_go_again(None, found("2", "7"), false)]
    #[case::not_written_yet(Some("7"), found("1", "7"), false)]
    #[case::written_or_outdated(Some("7"), found("1", "8"), true)]
    #[case::created_again(Some("7"), found("2", "7"), true)]
    #[case::gone(Some("7"), LiveReferrer::Absent, true)]
    #[case::not_known(Some("7"), LiveReferrer::Unknown("no answer".into()), false)]
    #[case::not_known_whether_created(None, LiveReferrer::Unknown("no answer".into()), false)]
    fn a_write_is_settled_once_it_is_stored_or_cannot_be_any_more(
        #[case] over: Option<&str>,
        #[case] live: LiveReferrer,
        #[case] expected: bool,
    ) {
        assert_eq!(reservation(over).is_settled_by(&live), expected);
    }

    #[rstest]
    #[case::of_another_kind(RESERVATION_PREFIX, r#"{"kind":"Pod","namespace":"a","name":"b","uid":"1"}"#)]
    #[case::that_is_no_json(RESERVATION_PREFIX, "crazy-botany")]
    #[case::that_lacks_a_uid(RESERVATION_PREFIX, r#"{"kind":"Shoot","namespace":"a","name":"b"}"#)]
    #[case::under_another_name("regcred.dev/", r#"{"kind":"Shoot","namespace":"a","name":"b","uid":"1"}"#)]
    fn nobody_reserves_by_an_annotation(#[case] prefix: &str, #[case] value: &str) {
        assert_eq!(Reservation::read(&format!("{prefix}attempt"), value), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            kind in prop::sample::select(vec![
                ReferrerKind::Shoot,
                ReferrerKind::Binding(BindingKind::SecretBinding),
                ReferrerKind::Binding(BindingKind::CredentialsBinding),
                ReferrerKind::RegistryCacheConfig,
            ]),
            [namespace, name, uid, attempt] in prop::array::uniform4(".{0,40}"),
            over in prop::option::of(".{1,20}"),
        ) {
            let referrer = Referrer { kind, key: ObjectKey::new(&namespace, &name) };
            let claim = Claim { referrer, uid: uid.into(), over: over.map(Arc::from) };
            let written = Reservation { attempt: attempt.into(), claim };
            prop_assert_eq!(Reservation::read(&written.annotation(), &written.value()), Some(written));
        }

        #[test]
        fn whatever_stands_there_is_read_or_passed_over(value in ".*") {
            let _ = Reservation::read(&format!("{RESERVATION_PREFIX}attempt"), &value);
        }
    }
}
