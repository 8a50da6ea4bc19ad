//! Which namespaces are to have a copy of a credential: the one rule that admission, the controller and the retry loop
//! share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Snapshot;
use super::copy::Copy;
use crate::api::Mode;
use crate::model::ObjectKey;
use crate::model::consent::Consent;
use crate::model::credential::{Credential, NotOffered, Offer};
use crate::model::namespace::Namespace;

/// Whether a namespace is to have a copy of a credential, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// It is.
    Copy,
    /// It is not.
    Nothing,
    /// The watch does not show the namespace, which may be too new for it, or has last shown it ending; another one may
    /// have come under its name.
    Perhaps,
}

impl Snapshot {
    /// Whether a namespace is offered a credential: what the credential says of its namespaces, and whether the
    /// namespace consents. Everybody who decides about an offer asks here.
    pub fn offers(
        &self,
        credential: &Credential,
        namespace: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Offer {
        if !self.scope.covers(namespace) {
            return Offer::No(NotOffered::OutOfScope);
        }
        let offer = credential.namespaces.offer(namespace, labels);
        match (offer, labels) {
            (Offer::Yes, None) if self.consent != Consent::Off => Offer::DependsOnLabels,
            (Offer::Yes, Some(labels)) => match self.consent.dissent(&credential.name, labels) {
                Some(dissent) => Offer::No(NotOffered::Dissent(dissent)),
                None => Offer::Yes,
            },
            _ => offer,
        }
    }

    /// Whether a namespace is to be given a copy of a credential. One in mode Audit gives none.
    pub fn wants(&self, credential: &Credential, namespace: &str) -> Wants {
        match credential.mode {
            Mode::Enforce => self.may_have(credential, namespace),
            Mode::Audit => Wants::Nothing,
        }
    }

    /// Whether it is certain that a namespace may have a copy of a credential, whatever its mode: one that is there when the
    /// credential goes to Audit stays, for pods pull with it.
    pub fn is_offered(&self, credential: &Credential, namespace: &str) -> bool {
        self.may_have(credential, namespace) == Wants::Copy
    }

    /// The same of a namespace that has just been read.
    pub fn is_offered_to(&self, credential: &Credential, name: &str, namespace: &Namespace) -> bool {
        let is_free = !self.is_kept_for_a_source(credential, &credential.copy_in(name));
        is_free && self.may_be_offered(credential, name, Some(namespace)) == Wants::Copy
    }

    /// Whether a namespace would be given a copy if its place were not that of another credential's source.
    pub fn gives_way_to_a_source(&self, credential: &Credential, namespace: &str) -> bool {
        let place = credential.copy_in(namespace);
        let seen = self.namespaces.get(namespace).map(AsRef::as_ref);
        credential.mode == Mode::Enforce
            && place != credential.source
            && self.is_kept_for_a_source(credential, &place)
            && self.may_be_offered(credential, namespace, seen) == Wants::Copy
    }

    /// The credential before which another one gives way where their copies have one name and this one's copy is not there: the
    /// first by name that is offered to the namespace. It does not matter which of them a pod needs first, so that every
    /// replica, and `regcred check`, says the same. One in mode Audit gives way as if all were enforced, and takes no place.
    pub fn first_claim(
        &self,
        credential: &Credential,
        name: &str,
        namespace: &Namespace,
    ) -> Option<&Arc<Credential>> {
        let place = credential.copy_in(name);
        if self.copies.get(&place).is_some_and(|copy| copy.credential_uid == credential.uid) {
            return None;
        }
        let takes_it = |other: &&Arc<Credential>| {
            (other.mode == Mode::Enforce || credential.mode == Mode::Audit)
                && self.is_offered_to(other, name, namespace)
        };
        let called_so = self.credentials_with_copies_called(&credential.copy_name);
        called_so.take_while(|other| other.name < credential.name).find(takes_it)
    }

    /// The same of a namespace that the watch shows.
    pub fn rival(&self, credential: &Credential, name: &str) -> Option<&Arc<Credential>> {
        self.first_claim(credential, name, self.namespaces.get(name)?)
    }

    fn may_have(&self, credential: &Credential, namespace: &str) -> Wants {
        if self.is_kept_for_a_source(credential, &credential.copy_in(namespace)) {
            return Wants::Nothing;
        }
        self.may_be_offered(credential, namespace, self.namespaces.get(namespace).map(AsRef::as_ref))
    }

    fn may_be_offered(&self, credential: &Credential, name: &str, seen: Option<&Namespace>) -> Wants {
        let labels = seen.map(|seen| &seen.labels);
        let is_out_of_question = self.keeps_out_of(name)
            || seen.is_some_and(Namespace::opts_out)
            || self.offers(credential, name, labels).is_no();
        match seen {
            _ if is_out_of_question => Wants::Nothing,
            Some(seen) if !seen.terminating => Wants::Copy,
            Some(_) | None => Wants::Perhaps,
        }
    }

    /// Whether a place is that of a source, its own or another credential's: a copy there would be written over what others are
    /// made of. One that regcred itself has made there already is no source, whoever refers to it, and pods pull with it.
    pub fn is_kept_for_a_source(&self, credential: &Credential, place: &ObjectKey) -> bool {
        let is_made = |copy: &Copy| copy.credential_uid == credential.uid && !copy.is_adopted;
        self.is_a_source(place) && !self.copies.get(place).is_some_and(is_made)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::knowledge::Index;

    fn credential(spec: &Value) -> Credential {
        let mut object = json!({
            "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
            "spec": {"secretRef": {"namespace": "sources", "name": "ghcr"}},
        });
        object["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
        Credential::parse(&serde_json::from_value(object).unwrap()).unwrap()
    }

    /// What the namespace `team-a` and others want, with these labels on each.
    fn known(consent: Consent, labels: &Value) -> std::sync::Arc<Snapshot> {
        let index = Index::new("regcred-system").with_consent(consent);
        for (name, ending) in [
            ("team-a", json!(null)),
            ("sources", json!(null)),
            ("kube-system", json!(null)),
            ("regcred-system", json!(null)),
            ("ending", json!("2026-01-01T00:00:00Z")),
        ] {
            let metadata = json!({"name": name, "labels": labels, "deletionTimestamp": ending});
            index.apply_namespace(&serde_json::from_value::<ObjectMeta>(metadata).unwrap());
        }
        index.snapshot()
    }

    #[rstest]
    #[case::offered(json!({"namespaces": ["*"]}), "team-a", Wants::Copy)]
    #[case::not_named(json!({"namespaces": ["team-b"]}), "team-a", Wants::Nothing)]
    #[case::excluded(json!({"namespaces": ["*"], "excludeNamespaces": ["team-*"]}), "team-a", Wants::Nothing)]
    #[case::selected(json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}), "team-a", Wants::Copy)]
    #[case::not_selected(json!({"namespaceSelector": {"matchLabels": {"pull": "no"}}}), "team-a", Wants::Nothing)]
    #[case::system(json!({"namespaces": ["*"]}), "kube-system", Wants::Nothing)]
    #[case::our_own(json!({"namespaces": ["*"]}), "regcred-system", Wants::Nothing)]
    #[case::beside_its_source(json!({"namespaces": ["*"]}), "sources", Wants::Copy)]
    #[case::ending(json!({"namespaces": ["*"]}), "ending", Wants::Perhaps)]
    #[case::ending_and_not_named(json!({"namespaces": ["team-a"]}), "ending", Wants::Nothing)]
    #[case::unknown(json!({"namespaces": ["*"]}), "new", Wants::Perhaps)]
    #[case::unknown_and_its_labels_decide(
        json!({"namespaceSelector": {"matchLabels": {"pull": "yes"}}}),
        "new",
        Wants::Perhaps
    )]
    #[case::unknown_and_not_named(json!({"namespaces": ["team-a"]}), "new", Wants::Nothing)]
    fn a_copy_belongs_where_the_credential_is_offered(
        #[case] spec: Value,
        #[case] namespace: &str,
        #[case] expected: Wants,
    ) {
        let known = known(Consent::Off, &json!({"pull": "yes"}));
        let credential = credential(&spec);
        assert_eq!(known.wants(&credential, namespace), expected);
        let is_audited = credential.mode == Mode::Audit;
        assert_eq!(known.is_offered(&credential, namespace), expected == Wants::Copy || is_audited);
    }

    #[test]
    fn a_namespace_that_regcred_is_not_limited_to_is_offered_nothing() {
        use crate::model::scope::Scope;

        let scope = Scope::of(&["sources".into(), "team-a".into()]);
        let index = Index::new("regcred-system").with_scope(scope);
        for name in ["sources", "team-a", "team-b"] {
            let metadata = json!({"name": name});
            index.apply_namespace(&serde_json::from_value::<ObjectMeta>(metadata).unwrap());
        }
        let (known, credential) = (index.snapshot(), credential(&json!({"namespaces": ["*"]})));
        assert_eq!(known.wants(&credential, "team-a"), Wants::Copy);
        for elsewhere in ["team-b", "new"] {
            assert_eq!(known.wants(&credential, elsewhere), Wants::Nothing);
            assert_eq!(known.offers(&credential, elsewhere, None), Offer::No(NotOffered::OutOfScope));
        }
    }

    #[test]
    fn a_credential_in_mode_audit_gives_no_copy_and_takes_none_away() {
        let (known, everywhere) =
            (known(Consent::Off, &json!({})), json!({"namespaces": ["*"], "mode": "Audit"}));
        let credential = credential(&everywhere);
        assert_eq!(known.wants(&credential, "team-a"), Wants::Nothing);
        assert!(known.is_offered(&credential, "team-a"));
    }

    /// Whose source is under the name of the copy in `team-a`, and what copy is there.
    #[rstest]
    #[case::nobodys("nobody", None, Wants::Copy)]
    #[case::its_own("ghcr", None, Wants::Nothing)]
    #[case::another_credentials("other", None, Wants::Nothing)]
    #[case::and_the_copy_is_there("other", Some(("uid-of-ghcr", false)), Wants::Copy)]
    #[case::and_was_taken_over("other", Some(("uid-of-ghcr", true)), Wants::Nothing)]
    #[case::and_is_a_copy_of_another("other", Some(("uid-of-other", false)), Wants::Nothing)]
    fn a_source_is_no_place_of_a_copy(
        #[case] whose: &str,
        #[case] there: Option<(&str, bool)>,
        #[case] expected: Wants,
    ) {
        let index = Index::new("regcred-system");
        index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
        for name in ["ghcr", "other"] {
            let (namespace, source) =
                if name == whose { ("team-a", "regcred-ghcr") } else { ("sources", "any") };
            let object = json!({
                "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
                "metadata": {"name": name, "uid": format!("uid-of-{name}")},
                "spec": {"secretRef": {"namespace": namespace, "name": source}, "namespaces": ["*"]},
            });
            index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
        }
        if let Some((uid, is_adopted)) = there {
            let origin = json!({
                "credential": "any", "credentialUid": uid, "adopted": is_adopted, "source": "any", "sourceUid": "any",
                "sourceResourceVersion": "1", "copy": "team-a/regcred-ghcr",
            });
            let copy = json!({"metadata": {
                "namespace": "team-a", "name": "regcred-ghcr", "labels": {"regcred.dev/copy": "true"},
                "annotations": {"regcred.dev/origin": origin.to_string()},
            }});
            index.apply_copy(&serde_json::from_value(copy).unwrap());
        }
        let known = index.snapshot();
        assert_eq!(known.wants(&known.credentials["ghcr"], "team-a"), expected);
        // One that stands beside its own source needs no other name.
        let gives_way = expected == Wants::Nothing && whose != "ghcr";
        assert_eq!(known.gives_way_to_a_source(&known.credentials["ghcr"], "team-a"), gives_way);
    }

    /// Of the credentials `alpha`, `ghcr` and `zeta`, whose copies have one name.
    #[rstest]
    #[case::the_first("alpha", json!({}), json!({}), None)]
    #[case::any_other("ghcr", json!({}), json!({}), Some("alpha"))]
    #[case::the_first_is_not_offered("ghcr", json!({"namespaces": ["elsewhere"]}), json!({}), None)]
    #[case::the_first_is_audited("ghcr", json!({"mode": "Audit"}), json!({}), None)]
    #[case::all_are_audited("ghcr", json!({"mode": "Audit"}), json!({"mode": "Audit"}), Some("alpha"))]
    #[case::the_second("zeta", json!({"mode": "Audit"}), json!({}), Some("ghcr"))]
    fn where_copies_have_one_name_the_first_credential_has_the_place(
        #[case] whose: &str,
        #[case] of_alpha: Value,
        #[case] of_others: Value,
        #[case] expected: Option<&str>,
    ) {
        let index = Index::new("regcred-system");
        index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
        for (name, spec) in [("alpha", of_alpha), ("ghcr", of_others.clone()), ("zeta", of_others)] {
            let mut object = json!({
                "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
                "metadata": {"name": name, "uid": format!("uid-of-{name}")},
                "spec": {"secretRef": {"namespace": "sources", "name": name}, "namespaces": ["*"], "copyName": "pull"},
            });
            object["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
            index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
        }
        let known = index.snapshot();
        let rival = known.rival(&known.credentials[whose], "team-a");
        assert_eq!(rival.map(|rival| &*rival.name), expected);
    }

    #[test]
    fn a_namespace_that_opts_out_has_no_copy() {
        let known = known(Consent::Off, &json!({"regcred.dev/inject": "disabled"}));
        assert_eq!(known.wants(&credential(&json!({"namespaces": ["*"]})), "team-a"), Wants::Nothing);
    }

    #[rstest]
    #[case::unlabelled(json!({}), true, true, false)]
    #[case::refused(json!({"refuse.regcred.dev/ghcr": "true"}), true, false, false)]
    #[case::accepted(json!({"accept.regcred.dev/ghcr": "true"}), true, true, true)]
    #[case::both(json!({"accept.regcred.dev/ghcr": "true", "refuse.regcred.dev/ghcr": "true"}), true, false, false)]
    fn a_namespace_is_asked_for_its_consent(
        #[case] labels: Value,
        #[case] off: bool,
        #[case] refusal: bool,
        #[case] two_sided: bool,
    ) {
        let credential = credential(&json!({"namespaces": ["*"]}));
        for (consent, expected) in
            [(Consent::Off, off), (Consent::Refusal, refusal), (Consent::TwoSided, two_sided)]
        {
            let known = known(consent, &labels);
            assert_eq!(known.is_offered(&credential, "team-a"), expected, "{consent:?}");
        }
    }

    #[test]
    fn consent_makes_no_offer_where_the_credential_makes_none() {
        let known = known(Consent::TwoSided, &json!({"accept.regcred.dev/ghcr": "true"}));
        let excluding = json!({"namespaces": ["*"], "excludeNamespaces": ["team-a"]});
        assert!(!known.is_offered(&credential(&excluding), "team-a"));
    }

    #[test]
    fn where_consent_is_asked_for_nothing_is_offered_until_the_labels_are_known() {
        let credential = credential(&json!({"namespaces": ["*"]}));
        for consent in [Consent::Refusal, Consent::TwoSided] {
            assert_eq!(known(consent, &json!({})).offers(&credential, "new", None), Offer::DependsOnLabels);
        }
        assert_eq!(known(Consent::Off, &json!({})).offers(&credential, "new", None), Offer::Yes);
    }
}
