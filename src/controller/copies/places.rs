//! Where a change may make a difference.

use super::plan::Needs;
use crate::api::Distribution;
use crate::cluster::changes::Change;
use crate::knowledge::{Snapshot, Wants};
use crate::model::ObjectKey;
use crate::model::credential::Credential;

/// The places that a change concerns: those of copies that are there or should be, so never more than there will be copies,
/// however many credentials every namespace is offered. A change of a namespace or of a copy concerns few, however many
/// namespaces there are.
pub(super) fn concerned(known: &Snapshot, pods: &impl Needs, change: &Change) -> Vec<ObjectKey> {
    let should_be = |credential| should_be_of(known, pods, credential);
    match change {
        Change::Copy(place) => vec![place.clone()],
        // What points to a copy keeps it; when it does not any more, the copy may have to go.
        Change::References(secret) => {
            known.copies.contains_key(secret).then(|| secret.clone()).into_iter().collect()
        }
        Change::Status(_) | Change::MarkedSecret(_) => Vec::new(),
        Change::Namespace(namespace) | Change::Pods(namespace) => {
            let there = known.copies_in(namespace).map(|(place, _)| place.clone());
            let credentials =
                known.credentials.values().filter(|one| should_be_in(namespace, known, pods, one));
            there.chain(credentials.map(|one| one.copy_in(namespace))).collect()
        }
        Change::Credential { name, uid } => {
            let there = known.places_of(uid).cloned();
            there.chain(known.credentials.get(name).into_iter().flat_map(|one| should_be(one))).collect()
        }
        Change::Source(source) => known
            .credentials_of(source)
            .flat_map(|one| known.places_of(&one.uid).cloned().chain(should_be(one)))
            .collect(),
        Change::Everything => {
            let there = known.copies.keys().cloned();
            there.chain(known.credentials.values().flat_map(|one| should_be(one))).collect()
        }
    }
}

fn should_be_of<'a>(
    known: &'a Snapshot,
    pods: &'a impl Needs,
    credential: &'a Credential,
) -> impl Iterator<Item = ObjectKey> + 'a {
    let namespaces =
        known.namespaces.keys().filter(|namespace| should_be_in(namespace, known, pods, credential));
    namespaces.map(|namespace| credential.copy_in(namespace))
}

/// Whether there should be a copy, were it only for the namespace: the plan looks at the rest.
fn should_be_in(namespace: &str, known: &Snapshot, pods: &impl Needs, credential: &Credential) -> bool {
    known.wants(credential, namespace) == Wants::Copy
        && match credential.distribution {
            Distribution::Eager => true,
            Distribution::OnDemand => pods.needs(known, namespace, credential).unwrap_or(false),
        }
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::knowledge::Index;
    use crate::model::copy::copy_of;
    use crate::model::source::tests::source_secret;

    /// Pods that need one credential in one namespace.
    struct NeededIn(&'static str, &'static str);

    impl Needs for NeededIn {
        fn needs(&self, _: &Snapshot, namespace: &str, credential: &Credential) -> Option<bool> {
            Some(namespace == self.0 && *credential.name == *self.1)
        }

        fn names(&self, _: &ObjectKey) -> Option<bool> {
            Some(false)
        }
    }

    struct NotKnown;

    impl Needs for NotKnown {
        fn needs(&self, _: &Snapshot, _: &str, _: &Credential) -> Option<bool> {
            None
        }

        fn names(&self, _: &ObjectKey) -> Option<bool> {
            None
        }
    }

    /// Three namespaces, a credential of each kind, and a copy that is not offered any more.
    fn index() -> Index {
        let index = Index::new("regcred-system");
        for name in ["team-a", "team-b", "other"] {
            index.apply_namespace(&ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() });
        }
        let specs = [
            ("audited", json!({"distribution": "Eager", "mode": "Audit"})),
            ("eager", json!({"distribution": "Eager"})),
            ("needed", json!({})),
            ("withdrawn", json!({"namespaces": ["nowhere"]})),
        ];
        for (name, more) in specs {
            let mut spec =
                json!({"secretRef": {"namespace": "sources", "name": name}, "namespaces": ["team-*"]});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let object: Value = json!({
                "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
                "metadata": {"name": name, "uid": format!("uid-of-{name}")}, "spec": spec,
            });
            index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
        }
        let known = index.snapshot();
        let withdrawn = &known.credentials["withdrawn"];
        index.apply_copy(&copy_of(&source_secret("{}"), withdrawn, &withdrawn.copy_in("team-a")));
        index
    }

    fn places(change: &Change, pods: &impl Needs) -> Vec<String> {
        let places = concerned(&index().snapshot(), pods, change);
        let mut places: Vec<String> = places.iter().map(ToString::to_string).collect();
        places.sort_unstable();
        places
    }

    fn credential(name: &str) -> Change {
        Change::Credential { name: name.into(), uid: format!("uid-of-{name}").into() }
    }

    const IN_TEAM_A: [&str; 3] =
        ["team-a/regcred-eager", "team-a/regcred-needed", "team-a/regcred-withdrawn"];

    #[rstest]
    #[case::a_namespace(Change::Namespace("team-a".into()), &IN_TEAM_A)]
    #[case::its_pods(Change::Pods("team-a".into()), &IN_TEAM_A)]
    #[case::without_needs(Change::Namespace("team-b".into()), &["team-b/regcred-eager"])]
    #[case::not_offered(Change::Namespace("other".into()), &[])]
    #[case::a_credential(credential("needed"), &["team-a/regcred-needed"])]
    #[case::withdrawn(credential("withdrawn"), &["team-a/regcred-withdrawn"])]
    #[case::audited(credential("audited"), &[])]
    #[case::gone(credential("gone"), &[])]
    #[case::a_source(Change::Source(ObjectKey::new("sources", "eager")), &["team-a/regcred-eager", "team-b/regcred-eager"])]
    #[case::everything(
        Change::Everything,
        &["team-a/regcred-eager", "team-a/regcred-needed", "team-a/regcred-withdrawn", "team-b/regcred-eager"]
    )]
    #[case::a_copy(Change::Copy(ObjectKey::new("team-b", "any")), &["team-b/any"])]
    #[case::what_points_to_a_copy(
        Change::References(ObjectKey::new("team-a", "regcred-withdrawn")), &["team-a/regcred-withdrawn"]
    )]
    #[case::what_points_to_another_secret(Change::References(ObjectKey::new("team-a", "other")), &[])]
    #[case::a_status(Change::Status("eager".into()), &[])]
    fn a_change_concerns_the_copies_that_are_there_or_should_be(
        #[case] change: Change,
        #[case] expected: &[&str],
    ) {
        assert_eq!(places(&change, &NeededIn("team-a", "needed")), expected);
    }

    #[test]
    fn where_pods_are_not_known_nothing_is_needed() {
        let expected = ["team-a/regcred-eager", "team-a/regcred-withdrawn"];
        assert_eq!(places(&Change::Namespace("team-a".into()), &NotKnown), expected);
    }
}
