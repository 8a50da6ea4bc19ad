//! Whether an object may point to what it is about to point to.
//!
//! Only what is new is asked about: what an object pointed to already is kept there by that, and nobody who changes something else must
//! first mend what was broken before. A Secret that is new is looked at twice. The first look says what would be refused anyway; it
//! must leave no mark. The second is at the Secret with the reservation on it, which is from then on not deleted unseen: that one
//! counts.

mod bindings;
mod extensions;
mod judgement;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;

use self::bindings::{behind, dangling, new_bindings};
use self::extensions::Findings;
use self::judgement::{Demand, Looked, Sight, Verdict, looked_at};
use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::json::Json;
use crate::model::protection::{Claim, Reservation, SecretAnswer};
use crate::model::reference::{Pointers, Referrer, ReferrerKind};
use crate::policy::{Answers, Decision, Need, Outcome, Reason, Step};
use crate::review::Request;

/// The most Secrets that are looked at for one object: each is read, and marked, within one request.
const MOST_AT_ONCE: usize = 50;

/// Decides about an object that may point to Secrets.
pub(in crate::policy) fn decide(request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
    match Change::of(request) {
        Some(change) if !change.is_terminating() => change.decide(request, known, answers),
        _ => Step::Decided(Decision::allow(Reason::NotConcerned)),
    }
}

/// An object as it is to be stored, and as it is stored.
struct Change<'a> {
    referrer: Referrer,
    new: &'a RawValue,
    old: Option<&'a RawValue>,
}

impl<'a> Change<'a> {
    fn of(request: &Request<'a>) -> Option<Self> {
        let (new, old) = (request.object?, request.old_object);
        let resource = (&*request.resource.group, &*request.resource.resource);
        let kind = ReferrerKind::reserving().find(|kind| (kind.group(), kind.resource()) == resource)?;
        // The API server makes up a name without telling it in the request.
        let name = metadata(new, "name").unwrap_or_else(|| request.name().into());
        Some(Self { referrer: Referrer { kind, key: ObjectKey::new(request.namespace(), &name) }, new, old })
    }

    /// What is being deleted must be let go, and its spec is as it was.
    fn is_terminating(&self) -> bool {
        [Some(self.new), self.old].into_iter().flatten().any(|object| Json::from(object).is_terminating())
    }

    fn decide(&self, request: &Request<'_>, known: &Snapshot, answers: &Answers) -> Step {
        let before = self.old.map(|old| Pointers::of(&self.referrer, old)).unwrap_or_default();
        let now = Pointers::of(&self.referrer, self.new);
        let findings = match &self.referrer.kind {
            ReferrerKind::Shoot => Findings::of_shoot(self.new, self.old, request.namespace()),
            ReferrerKind::RegistryCacheConfig => {
                let new = now.secrets.iter().filter(|reference| !names(&before, &reference.secret));
                Findings::with_demands(
                    new.map(|reference| (reference.secret.clone(), Demand::of_config(reference))),
                )
            }
            _ => Findings::default(),
        };
        let mut verdict =
            Verdict { refused: findings.refused, warned: findings.warned, ..Verdict::default() };
        if !verdict.refused.is_empty() {
            return verdict.into_step(true);
        }
        let mut secrets = looked_at(&now, &before, findings.demands);
        let bindings = new_bindings(&now, &before);
        let is_concerned = findings.is_changed || !secrets.is_empty() || !bindings.is_empty();
        let is_seen = |namespace: &str| known.scope.covers(namespace);
        let unseen = secrets.iter().filter(|secret| !is_seen(&secret.key.namespace));
        let unseen: BTreeSet<&Arc<str>> = unseen.map(|secret| &secret.key.namespace).collect();
        verdict.warned.extend(unseen.into_iter().map(|namespace| words::unseen(namespace)));
        secrets.retain(|secret| is_seen(&secret.key.namespace));
        if secrets.len() > MOST_AT_ONCE {
            verdict.refused.push(words::too_many(secrets.len(), MOST_AT_ONCE));
            return verdict.into_step(true);
        }
        let bindings: Vec<_> =
            bindings.into_iter().filter(|(binding, _)| is_seen(&binding.key.namespace)).collect();
        let needs = unread(&secrets, &bindings, answers);
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        let behind = behind(&bindings, answers).filter(|behind| is_seen(&behind.secret.namespace));
        let behind: Vec<_> = behind.collect();
        let unread = behind.iter().map(|behind| &behind.secret);
        let unread = unread.filter(|key| key.can_exist() && !answers.referenced.contains_key(key));
        let needs: Vec<Need> = unread.cloned().map(Need::ReferencedSecret).collect();
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        verdict.warned.extend(dangling(&bindings, answers));
        verdict.warned.extend(behind.iter().filter_map(|behind| behind.warning(answers)));
        let first =
            judged(&secrets, verdict.clone(), |secret| Sight::Read(answer(&answers.referenced, secret)));
        if !first.allows() || request.is_dry_run() {
            return first.into_step(is_concerned);
        }
        let needs = self.unreserved(&secrets, request, answers);
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        let last = judged(&secrets, verdict, |secret| {
            if secret.is_new {
                Sight::Reserved(answer(&answers.reserved, secret))
            } else {
                Sight::Read(answer(&answers.referenced, secret))
            }
        });
        last.into_step(is_concerned)
    }

    /// The reservations that have not been left yet.
    fn unreserved(&self, secrets: &[Looked], request: &Request<'_>, answers: &Answers) -> Vec<Need> {
        let uid = metadata(self.old.unwrap_or(self.new), "uid").unwrap_or_default();
        let over = self.old.map(|old| metadata(old, "resourceVersion").unwrap_or_default());
        let claim = Claim { referrer: self.referrer.clone(), uid, over };
        let reservation = Reservation { attempt: Arc::from(&*request.uid), claim };
        let unreserved = secrets.iter().filter(|secret| secret.is_new).filter_map(|secret| {
            let SecretAnswer::Found(found) = answers.referenced.get(&secret.key)? else { return None };
            (!answers.reserved.contains_key(&secret.key)).then(|| Need::Reserve {
                secret: secret.key.clone(),
                uid: found.uid().into(),
                reservation: reservation.clone(),
            })
        });
        unreserved.collect()
    }
}

/// Whether an object names a Secret.
fn names(pointers: &Pointers, secret: &ObjectKey) -> bool {
    pointers.secrets.iter().any(|reference| reference.secret == *secret)
}

/// A text of the metadata of an object.
fn metadata(object: &RawValue, field: &str) -> Option<Arc<str>> {
    let text = Json::from(object).at(&["metadata", field])?.text()?;
    (!text.is_empty()).then(|| Arc::from(&*text))
}

/// What has not been read yet. What cannot exist need not be.
fn unread(secrets: &[Looked], bindings: &[(&Referrer, &'static str)], answers: &Answers) -> Vec<Need> {
    let secrets = secrets.iter().map(|secret| &secret.key);
    let secrets = secrets.filter(|key| key.can_exist() && !answers.referenced.contains_key(key));
    let bindings = bindings.iter().map(|(binding, _)| *binding);
    let bindings =
        bindings.filter(|binding| binding.key.can_exist() && !answers.referrers.contains_key(binding));
    secrets.cloned().map(Need::ReferencedSecret).chain(bindings.cloned().map(Need::Referrer)).collect()
}

/// What was answered about a Secret. Nobody is asked about one that cannot exist.
fn answer<'a>(answers: &'a BTreeMap<ObjectKey, SecretAnswer>, secret: &Looked) -> &'a SecretAnswer {
    answers.get(&secret.key).unwrap_or(&SecretAnswer::Absent)
}

fn judged<'s>(secrets: &[Looked], verdict: Verdict, sight: impl Fn(&Looked) -> Sight<'s>) -> Verdict {
    secrets.iter().fold(verdict, |verdict, secret| secret.judge(&sight(secret), verdict))
}

impl Verdict {
    /// Refuses what is wrong, before what may only not be decided yet.
    fn into_step(self, is_concerned: bool) -> Step {
        let has_warnings = !self.warned.is_empty();
        let (outcome, reason) = if !self.refused.is_empty() {
            (Outcome::Denied(words::all(&self.refused)), Reason::Refused)
        } else if let Some((reason, _)) = self.postponed.first() {
            let sentences: Vec<String> =
                self.postponed.iter().map(|(_, sentence)| sentence.clone()).collect();
            (Outcome::Postponed(words::all(&sentences)), *reason)
        } else if has_warnings {
            (Outcome::Allowed, Reason::Warned)
        } else if is_concerned {
            (Outcome::Allowed, Reason::Accepted)
        } else {
            (Outcome::Allowed, Reason::NotConcerned)
        };
        let mut decision = Decision { outcome, ..Decision::allow(reason) };
        self.warned.iter().for_each(|warning| decision.warnings.add(warning));
        Step::Decided(decision)
    }
}
