//! A Secret, what points to it, and what the API server answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::knowledge::Index;
use crate::model::ObjectKey;
use crate::model::protection::{Bypass, Claim, Listing, LiveReferrer, Reservation};
use crate::model::reference::{Pointers, Reference, Referrer, ReferrerKind};
use crate::policy::{Answers, Decision, Need, Rule, Step};
use crate::review;

pub(super) const OWN_USER: &str = "system:serviceaccount:regcred-system:regcred";

pub(super) fn secret_key() -> ObjectKey {
    ObjectKey::new("garden-dev", "docker-creds-v1")
}

pub(super) fn shoot(name: &str) -> Referrer {
    Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", name) }
}

/// Points to the Secret.
pub(super) fn pointers() -> Pointers {
    let mut reference = Reference::new(secret_key(), "spec.resources[0]");
    reference.purposes.push("registry-cache upstream docker.io".to_owned());
    Pointers::to(vec![reference])
}

/// A Shoot of this uid and version, which points to the Secret or to nothing.
pub(super) fn found(uid: &str, resource_version: &str, points: bool) -> LiveReferrer {
    let pointers = if points { pointers() } else { Pointers::default() };
    LiveReferrer::Found { uid: uid.into(), resource_version: resource_version.into(), pointers }
}

/// The reservation of a Shoot that is to be created, or that is to be written over a version.
pub(super) fn reservation(name: &str, over: Option<&str>) -> Reservation {
    let claim = Claim { referrer: shoot(name), uid: "1".into(), over: over.map(Arc::from) };
    Reservation { attempt: format!("attempt-of-{name}").into(), claim }
}

/// The Secret with these labels, annotations and finalizers.
pub(super) fn secret(labels: &Value, annotations: &[(String, String)], finalizers: &[&str]) -> Value {
    let annotations: BTreeMap<_, _> = annotations.iter().cloned().collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "aHVudGVyMg=="},
        "metadata": {
            "namespace": "garden-dev", "name": "docker-creds-v1", "uid": "7", "resourceVersion": "9",
            "labels": labels, "annotations": annotations, "finalizers": finalizers,
        },
    })
}

pub(super) fn in_use() -> Value {
    json!({"regcred.dev/in-use": "true"})
}

pub(super) fn annotated(reservations: &[Reservation]) -> Vec<(String, String)> {
    reservations.iter().map(|one| (one.annotation(), one.value())).collect()
}

/// What the API server would answer.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) live: BTreeMap<Referrer, LiveReferrer>,
    pub(super) listing: Option<Listing>,
    pub(super) bypass: Option<Bypass>,
    /// What the watches have shown.
    pub(super) watched: Vec<Referrer>,
    /// Shoots, and the bindings that they name as the watches have shown.
    pub(super) bound: Vec<(Referrer, Referrer)>,
    /// The uids of those whose deletion the watches have shown.
    pub(super) deleted: Vec<&'static str>,
}

impl Cluster {
    /// A cluster whose lists and reads agree: these Shoots point to the Secret.
    pub(super) fn with(shoots: &[&str]) -> Self {
        let live = shoots.iter().map(|name| (shoot(name), found("1", "5", true)));
        let listed = shoots.iter().map(|name| (Arc::new(shoot(name)), pointers().secrets));
        Self {
            live: live.collect(),
            listing: Some(Listing::Complete(listed.collect())),
            watched: shoots.iter().map(|name| shoot(name)).collect(),
            ..Self::default()
        }
    }

    /// The same, of which the watches have shown nothing yet.
    pub(super) fn unwatched(self) -> Self {
        Self { watched: Vec::new(), ..self }
    }

    /// What is decided by a rule, and what was asked for that, in order.
    pub(super) fn decide(&self, rule: Rule, request: &Value) -> (Decision, Vec<String>) {
        let index = Index::new("regcred-system");
        index.know_own_user(OWN_USER);
        for referrer in &self.watched {
            index.apply_referrer(referrer.clone(), pointers());
        }
        for (user, binding) in &self.bound {
            let bindings = vec![(binding.clone(), "spec.secretBindingName")];
            index.apply_referrer(user.clone(), Pointers { bindings, ..Pointers::default() });
        }
        for uid in &self.deleted {
            index.delete_referrer(shoot("a"), uid);
        }
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
                .to_string();
        let request = review::decode(review.as_bytes()).unwrap();
        assert!(rule.looks_at(&request), "{rule:?}");
        let (known, configuration) = (index.snapshot(), Configuration::default());
        let (mut answers, mut asked) = (Answers::default(), Vec::new());
        for _ in 0..5 {
            match rule.decide(&request, &known, &configuration, &answers, Instant::now()) {
                Step::Decided(decision) => return (decision, asked),
                Step::Needs(needs) => {
                    assert!(!needs.is_empty());
                    asked.extend(needs.into_iter().map(|need| self.answer(need, &mut answers)));
                }
            }
        }
        panic!("it goes on asking: {asked:?}");
    }

    fn answer(&self, need: Need, answers: &mut Answers) -> String {
        match need {
            Need::Referrer(referrer) => {
                let live = self.live.get(&referrer).cloned().unwrap_or(LiveReferrer::Absent);
                let asked = format!("get {referrer}");
                assert!(answers.referrers.insert(referrer, live).is_none(), "{asked} twice");
                asked
            }
            Need::Referrers { secret, .. } => {
                answers.listing = Some(self.listing.clone().unwrap_or(Listing::Complete(Vec::new())));
                format!("list for {secret}")
            }
            Need::Bypass { requester, secret } => {
                answers.bypass = Some(self.bypass.clone().unwrap_or(Bypass::Denied));
                format!("may {} bypass {secret}", requester.username)
            }
            need => panic!("{need:?} is not asked about a Secret"),
        }
    }
}

/// A request of a user about the Secret.
pub(super) fn request(operation: &str, old: &Value, new: &Value, username: &str) -> Value {
    json!({
        "uid": "review", "operation": operation, "namespace": "garden-dev",
        "kind": {"group": "", "version": "v1", "kind": "Secret"},
        "resource": {"group": "", "version": "v1", "resource": "secrets"},
        "userInfo": {"username": username, "groups": ["developers"]},
        "object": new, "oldObject": old,
    })
}
