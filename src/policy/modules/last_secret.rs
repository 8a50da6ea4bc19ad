//! Tells whoever deletes a Secret, or takes its labels off, that it is the last one that something is pulled with.
//!
//! What selects Secrets is known from watches, which may be late: enough for a warning. What else a selector finds is looked for, and
//! a refusal rests on what an object says when it is looked at for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;

use super::query;
use crate::configuration::{Action, FindingKind, Modules};
use crate::knowledge::Snapshot;
use crate::model::json::Json;
use crate::model::module::{SECRET_LABEL, SelectedSecret, Selection, Selector};
use crate::model::protection::LiveReferrer;
use crate::model::pruned::Pruned;
use crate::model::reference::Referrer;
use crate::policy::shown::{NAMED, counted, shown_at_length};
use crate::policy::{Answers, Decision, Need, Outcome, Reason, SecretsAnswer, Step};
use crate::review::Request;

/// How many selectors of one Secret are asked about: it hardly ever has the labels of more than one, and each costs a list.
const SELECTORS: usize = 5;

/// What is concluded of the last Secret.
pub(super) fn decide(request: &Request<'_>, known: &Snapshot, rules: &Modules, answers: &Answers) -> Step {
    let looks =
        rules.action(FindingKind::LastSecret) != Action::Ignore && rules.looks_in(request.namespace());
    let Some(lost) = Lost::by(request).filter(|_| looks) else {
        return Step::Decided(Decision::allow(Reason::NotConcerned));
    };
    let affected: BTreeMap<_, _> = known
        .references
        .selecting(&lost.labels)
        .into_iter()
        .filter(|(selection, _)| lost.was_of_use_for(selection))
        .collect();
    let selectors: BTreeSet<&Selector> = affected.keys().map(|selection| &selection.selector).collect();
    let asked = selectors.into_iter().take(SELECTORS);
    let needs: Vec<Need> = asked
        .filter(|selector| !answers.secrets.contains_key(*selector))
        .map(|selector| Need::Secrets(query(selector, rules)))
        .collect();
    if !needs.is_empty() {
        return Step::Needs(needs);
    }
    let (mut without, mut unseen, mut reason) = (Vec::new(), Vec::new(), None);
    for (selection, referrers) in affected {
        match lost.left_for(selection, rules, answers) {
            Left::Another => {}
            Left::None => without.push((selection, referrers)),
            Left::Unknown(why) => {
                reason = Some(why);
                unseen.push((selection, referrers));
            }
        }
    }
    let mut decision = match judge(&lost, &without, known, rules, answers) {
        Step::Decided(decision) => decision,
        needs @ Step::Needs(_) => return needs,
    };
    if let Some(reason) = reason.filter(|_| decision.outcome == Outcome::Allowed) {
        decision.reason = Reason::Warned;
        decision.warnings.add(format!(
            "could not see ({reason}) if another Secret is left for {}",
            Users::of(&unseen, &BTreeSet::new()).names(|(referrer, _)| shown_at_length(referrer))
        ));
    }
    Step::Decided(decision)
}

/// What is done about objects that are left without a Secret.
fn judge(lost: &Lost, without: &[Group<'_>], known: &Snapshot, rules: &Modules, answers: &Answers) -> Step {
    let sees_all = rules.looks_within(&known.scope);
    let may_refuse = rules.action(FindingKind::LastSecret) == Action::Deny && sees_all;
    if may_refuse && answers.referrers.is_empty() && !without.is_empty() {
        let first = Users::of(without, &BTreeSet::new()).first.into_iter();
        return Step::Needs(first.map(|(referrer, _)| Need::Referrer(Referrer::clone(referrer))).collect());
    }
    let needs_it = |live: &LiveReferrer| match live {
        LiveReferrer::Found { pointers, .. } => pointers.selections.iter().any(|selection| {
            lost.is_selected_by(selection)
                && lost.was_of_use_for(selection)
                && matches!(lost.left_for(selection, rules, answers), Left::None)
        }),
        LiveReferrer::Absent | LiveReferrer::Unknown(_) => false,
    };
    let is_unknown = |live: &LiveReferrer| matches!(live, LiveReferrer::Unknown(_));
    let refuted = answers.referrers.iter().filter(|(_, live)| !needs_it(live) && !is_unknown(live));
    let users = Users::of(without, &refuted.map(|(referrer, _)| referrer).collect());
    if users.all == 0 {
        return Step::Decided(Decision::allow(Reason::Accepted));
    }
    let findings = vec![FindingKind::LastSecret];
    if may_refuse && answers.referrers.values().any(needs_it) {
        let outcome = Outcome::Denied(refusal(lost, &users));
        return Step::Decided(Decision { outcome, findings, ..Decision::allow(Reason::Refused) });
    }
    let mut decision = Decision { findings, ..Decision::allow(Reason::Warned) };
    let other = if sees_all { "no other Secret" } else { "no other Secret that regcred can see" };
    let names = users.names(|(referrer, _)| shown_at_length(referrer));
    decision.warnings.add(match users.all {
        1 => format!("{other} has credentials for {names}"),
        all => format!("{other} has credentials for {all} objects: {names}"),
    });
    decision.warnings.add(format!("give another one with such credentials these labels: {}", users.labels()));
    Step::Decided(decision)
}

fn refusal(lost: &Lost, without: &Users<'_>) -> String {
    let users = without.names(|(referrer, selection)| {
        let place = format!("{}, for {}", selection.path, selection.repository);
        format!("{} ({})", shown_at_length(referrer), shown_at_length(place))
    });
    format!(
        "Secret {} is the last one that Lifecycle Manager can pull these with: {users}; first give another Secret with such \
         credentials the labels {}",
        lost.secret.key,
        without.labels()
    )
}

/// A Secret that selectors will not find any more.
struct Lost {
    secret: SelectedSecret,
    /// The labels that it has.
    labels: BTreeMap<String, String>,
    /// Those that it will have; `None` when it goes.
    kept: Option<BTreeMap<String, String>>,
}

impl Lost {
    /// `None` of a request that takes no Secret away from anybody, or one of which the API server does not ask.
    fn by(request: &Request<'_>) -> Option<Self> {
        let Pruned(old) = serde_json::from_str::<Pruned<Secret>>(request.old_object?.get()).ok()?;
        let labels = old.metadata.labels.clone().unwrap_or_default();
        let is_going = match request.object {
            Some(new) => Json::from(new).is_terminating(),
            None => old.metadata.deletion_timestamp.is_some(),
        };
        let kept = match request.object {
            Some(new) => Some(labels_of(new.into())?),
            None => None,
        };
        let is_labelled = |labels: &BTreeMap<String, String>| labels.contains_key(SECRET_LABEL);
        let is_asked_about = is_labelled(&labels) || kept.as_ref().is_some_and(is_labelled);
        let concerns = is_asked_about && !is_going && kept.as_ref() != Some(&labels);
        concerns.then(|| Self { secret: SelectedSecret::from(&old), labels, kept })
    }

    /// Whether what was found by it will be found no more.
    fn is_selected_by(&self, selection: &Selection) -> bool {
        selection.selector.selects(&self.labels)
    }

    /// Whether it has credentials for something, by which it will not be found any more.
    fn was_of_use_for(&self, selection: &Selection) -> bool {
        let stays = self.kept.as_ref().is_some_and(|labels| selection.selector.selects(labels));
        !stays && selection.is_covered_by(std::iter::once(&self.secret))
    }

    /// What is left for something without it. One that is being deleted itself is none.
    fn left_for<'a>(&self, selection: &Selection, rules: &Modules, answers: &'a Answers) -> Left<'a> {
        match answers.secrets.get(&selection.selector) {
            Some(SecretsAnswer::Found(found)) => {
                let others = found.iter().filter(|other| {
                    other.key != self.secret.key
                        && !other.is_terminating
                        && rules.looks_in(&other.key.namespace)
                });
                if selection.is_covered_by(others) { Left::Another } else { Left::None }
            }
            Some(SecretsAnswer::Unknown(reason)) => Left::Unknown(reason),
            None => Left::Unknown("it has the labels of too many"),
        }
    }
}

/// The labels of an object; `None` of what the API server cannot have sent.
fn labels_of(object: Json<'_>) -> Option<BTreeMap<String, String>> {
    match object.at(&["metadata", "labels"]) {
        Some(labels) => serde_json::from_str::<Option<_>>(labels.raw()).ok().map(Option::unwrap_or_default),
        None => Some(BTreeMap::new()),
    }
}

/// What is left for something.
enum Left<'a> {
    /// Another Secret.
    Another,
    /// None.
    None,
    /// It could not be seen, for this reason.
    Unknown(&'a str),
}

/// Something that is needed, and the objects that need it, which may be very many.
type Group<'a> = (&'a Selection, &'a imbl::OrdSet<Arc<Referrer>>);

/// Objects that are left without a Secret.
struct Users<'a> {
    /// The first of them, in order.
    first: Vec<(&'a Arc<Referrer>, &'a Selection)>,
    /// How many there are.
    all: usize,
}

impl<'a> Users<'a> {
    /// All but those that have turned out to need none.
    fn of(groups: &[Group<'a>], refuted: &BTreeSet<&Referrer>) -> Self {
        let (mut first, mut all) = (Vec::new(), 0);
        for (selection, referrers) in groups {
            let named = referrers.iter().filter(|referrer| !refuted.contains(&***referrer)).take(NAMED);
            first.extend(named.map(|referrer| (referrer, *selection)));
            all += referrers.len() - refuted.iter().filter(|referrer| referrers.contains(**referrer)).count();
        }
        first.sort();
        first.truncate(NAMED);
        Self { first, all }
    }

    /// Those that are named, and how many more there are.
    fn names(&self, name: impl Fn(&(&'a Arc<Referrer>, &'a Selection)) -> String) -> String {
        counted(&self.first.iter().map(name).collect::<Vec<_>>(), self.all)
    }

    /// The labels that those ask for that are named, each once.
    fn labels(&self) -> String {
        let labels: BTreeSet<String> =
            self.first.iter().map(|(_, selection)| shown_at_length(&selection.selector)).collect();
        labels.into_iter().collect::<Vec<_>>().join(", or ")
    }
}
