//! What people are told of objects whose Secret has gone. No I/O.

use crate::events::{Kind, Occurrence, Regarding};
use crate::knowledge::references::Use;
use crate::model::ObjectKey;
use crate::model::gardener::BindingKind;
use crate::model::reference::{Referrer, ReferrerKind};

/// How many places of one object are named.
const PLACES: usize = 3;
/// How many of the objects that use a binding are named.
const USERS: usize = 5;

/// How a Secret is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// There is none of that name.
    Gone,
    /// It is being deleted.
    Going,
}

/// An object points to a Secret that is not there, or not for long.
pub(super) fn dangling(secret: &ObjectKey, absence: Absence, one: &Use, uid: &str) -> Occurrence {
    let kind = &one.referrer.kind;
    let (what, way_out) = match absence {
        Absence::Gone => ("does not exist", format!("create it again, or point the {kind} at another")),
        Absence::Going => (
            "is being deleted and may vanish any moment",
            format!("point the {kind} at another, and keep a copy of it if there is no other"),
        ),
    };
    let places: Vec<&str> = one.places.iter().take(PLACES).map(|place| &*place.path).collect();
    let more = match one.places.len().saturating_sub(PLACES) {
        0 => String::new(),
        more => format!(" and {more} more places"),
    };
    let users = users(one);
    let places = places.join(", ");
    Occurrence {
        regarding: regarding(&one.referrer, uid),
        kind: Kind::Warning,
        reason: "SecretMissing",
        action: "ProtectSecret",
        note: format!("Secret {secret}, which {places}{more} names, {what}{users}: {way_out}"),
    }
}

/// Who uses a binding: whoever reads of the binding alone does not know what depends on it.
fn users(one: &Use) -> String {
    let named: Vec<String> = one.users.iter().take(USERS).map(|(user, _)| user.to_string()).collect();
    match one.users.len().saturating_sub(USERS) {
        _ if named.is_empty() => String::new(),
        0 => format!(", and {} needs it", named.join(", ")),
        more => format!(", and {} and {more} more need it", named.join(", ")),
    }
}

fn regarding(referrer: &Referrer, uid: &str) -> Regarding {
    let kind = &referrer.kind;
    let version = match kind {
        ReferrerKind::Configured(kind) => &kind.definition().version,
        ReferrerKind::Binding(BindingKind::CredentialsBinding) => "v1alpha1",
        ReferrerKind::Shoot
        | ReferrerKind::Binding(BindingKind::SecretBinding)
        | ReferrerKind::RegistryCacheConfig => "v1beta1",
        ReferrerKind::ModuleTemplate | ReferrerKind::Manifest => "v1beta2",
    };
    let api_version = match kind.group() {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    Regarding::of_kind(&api_version, &kind.to_string(), &referrer.key, Some(uid))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::model::reference::Reference;

    const SHOOT: ReferrerKind = ReferrerKind::Shoot;
    const BINDING: ReferrerKind = ReferrerKind::Binding(BindingKind::CredentialsBinding);

    fn secret() -> ObjectKey {
        ObjectKey::new("garden-dev", "docker-creds")
    }

    fn referrer(kind: ReferrerKind, name: &str) -> Arc<Referrer> {
        Arc::new(Referrer { kind, key: ObjectKey::new("garden-dev", name) })
    }

    fn using(kind: ReferrerKind, places: usize, users: usize) -> Use {
        let place = |number| Reference::new(secret(), &format!("spec.resources[{number}]"));
        let user = |number| (referrer(SHOOT, &format!("shoot-{number}")), "spec.credentialsBindingName");
        Use {
            referrer: referrer(kind, "one"),
            places: (0..places).map(place).collect(),
            users: (0..users).map(user).collect(),
        }
    }

    #[rstest]
    #[case::gone(
        Absence::Gone,
        using(SHOOT, 1, 0),
        "core.gardener.cloud/v1beta1",
        "Secret garden-dev/docker-creds, which spec.resources[0] names, does not exist: create it again, or point the Shoot at \
         another"
    )]
    #[case::going(
        Absence::Going,
        using(SHOOT, 5, 0),
        "core.gardener.cloud/v1beta1",
        "Secret garden-dev/docker-creds, which spec.resources[0], spec.resources[1], spec.resources[2] and 2 more places names, \
         is being deleted and may vanish any moment: point the Shoot at another, and keep a copy of it if there is no other"
    )]
    #[case::of_a_binding(
        Absence::Gone,
        using(BINDING, 1, 1),
        "security.gardener.cloud/v1alpha1",
        "Secret garden-dev/docker-creds, which spec.resources[0] names, does not exist, and Shoot garden-dev/shoot-0 needs it: \
         create it again, or point the CredentialsBinding at another"
    )]
    fn people_are_told_which_secret_is_missing_and_what_to_do(
        #[case] absence: Absence,
        #[case] one: Use,
        #[case] api_version: &str,
        #[case] note: &str,
    ) {
        let occurrence = dangling(&secret(), absence, &one, "7");
        assert_eq!(occurrence.note, note);
        let reference = occurrence.regarding.reference();
        assert_eq!(reference.api_version.as_deref(), Some(api_version));
        assert_eq!((reference.name.as_deref(), reference.uid.as_deref()), (Some("one"), Some("7")));
    }

    #[test]
    fn a_note_fits_into_an_event_however_many_need_the_secret() {
        let occurrence = dangling(&secret(), Absence::Going, &using(BINDING, 40, 400), "7");
        assert!(occurrence.note.len() < 1_024, "{}", occurrence.note);
        assert!(occurrence.note.contains(" and 395 more need it"), "{}", occurrence.note);
    }
}
