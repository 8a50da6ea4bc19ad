//! What is to be done at a place, which is the namespace and name of a Secret. A pure function of what is known, asked
//! again whenever something has changed there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{Graces, Record, since};
use crate::api::{Distribution, Mode};
use crate::knowledge::copy::{Copy, Owners};
use crate::knowledge::{Pods, Snapshot};
use crate::model::ObjectKey;
use crate::model::copy::{CopyKey, Wanted};
use crate::model::credential::Credential;
use crate::model::guarded_patch::Guard;
use crate::model::source::{SourceSecret, SourceState};

/// For how long a view that is older than what a copy was written from is not acted on. A watch whose connection has died is
/// found out after about a minute, so a view that is still older after twice that is no late one: the cluster was restored
/// from a backup.
const OUTDATED_FOR: Duration = Duration::from_mins(2);

/// For how long a copy that its credential owned is left to the garbage collector, which takes a moment. It may fail to see
/// that a custom resource has gone, as when the API server starts anew just then.
const COLLECTED_WITHIN: Duration = Duration::from_secs(10);

/// What is known of pods.
pub(super) trait Needs {
    /// Whether a pod of the namespace needs the credential; `None` when pods are not known.
    fn needs(&self, known: &Snapshot, namespace: &str, credential: &Credential) -> Option<bool>;
    /// Whether a pod of the namespace names this Secret; `None` when pods are not known.
    fn names(&self, place: &ObjectKey) -> Option<bool>;
}

impl Needs for Pods {
    fn needs(&self, known: &Snapshot, namespace: &str, credential: &Credential) -> Option<bool> {
        self.is_complete().then(|| Pods::needs(self, known, namespace, credential))
    }

    fn names(&self, place: &ObjectKey) -> Option<bool> {
        self.is_complete().then(|| Pods::names(self, &place.namespace, &place.name))
    }
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// Nothing, until something changes.
    Nothing,
    /// Look again at this moment.
    Later(Instant),
    /// Create the copy.
    Create(Wanted),
    /// Bring the copy to what its source holds now.
    Update { wanted: Wanted, guard: Guard, source: Arc<SourceSecret>, hold: Hold },
    /// Delete the copy and create it anew: the type of a Secret cannot be changed.
    Recreate(Wanted, Guard),
    /// Mark the copy as no longer needed.
    Mark(Wanted, Guard),
    /// Take the mark off.
    Unmark(Wanted, Guard),
    /// Delete the copy, which nobody may have any more.
    Delete(CopyKey, Guard),
    /// Delete the copy, or give it back, if a look at the namespace as it is now confirms that it is not offered any more.
    Withdraw { wanted: Wanted, guard: Guard, is_adopted: bool },
    /// Delete the marked copy if a look at the pods that there are now confirms that none needs it.
    DeleteUnneeded(Wanted, Guard),
    /// Take our marks off a Secret that was another's before.
    Release(CopyKey, Guard),
}

impl Plan {
    /// Whether the Secret that is there would go, be it for a moment.
    fn deletes(&self) -> bool {
        match self {
            Self::Recreate(..) | Self::Delete(..) | Self::DeleteUnneeded(..) => true,
            Self::Withdraw { is_adopted, .. } => !is_adopted,
            Self::Nothing
            | Self::Later(_)
            | Self::Create(_)
            | Self::Update { .. }
            | Self::Mark(..)
            | Self::Unmark(..)
            | Self::Release(..) => false,
        }
    }
}

/// How we hold a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Its credential owns it.
    Owned,
    /// It was created for its credential, which does not own it any more; that is mended.
    Disowned {
        /// Whether it has a list of owners.
        has_owners: bool,
    },
    /// It was another's before.
    Adopted,
}

/// Decides about a place; `record` is what was remembered of it, and is brought up to date.
pub(super) struct Planner<'a, N> {
    pub(super) known: &'a Snapshot,
    pub(super) pods: &'a N,
    pub(super) graces: Graces,
    pub(super) now: Instant,
}

impl<N: Needs> Planner<'_, N> {
    pub(super) fn plan(&self, place: &ObjectKey, record: &mut Record) -> Plan {
        let Some(copy) = self.known.copies.get(place) else {
            *record = Record::default();
            return self.missing(place);
        };
        if record.marked.as_ref().is_some_and(|(uid, _)| *uid != copy.uid) || !copy.is_marked {
            record.marked = None;
        }
        let key = CopyKey { place: place.clone(), credential_uid: copy.credential_uid.clone() };
        match self.known.setback(&key, self.now) {
            Some(setback) => Plan::Later(setback.retry_at),
            // No webhook is asked about our own deletions. Whoever takes the copy up from now on changes its version, and when its
            // label goes, or what pointed to it before it had one, the watches tell.
            None => match self.there(key, copy, record) {
                plan if plan.deletes() && (copy.is_in_use || self.known.references.has(place)) => {
                    Plan::Nothing
                }
                plan => plan,
            },
        }
    }

    /// The first credential by name that is to have a copy here gets it; which one is the same for every leader.
    fn missing(&self, place: &ObjectKey) -> Plan {
        let rivals = self.known.credentials_with_copies_called(&place.name);
        let mut plan = Plan::Nothing;
        for credential in rivals.filter(|one| self.is_to_be_created(one, place)) {
            let wanted = Wanted { credential: Arc::clone(credential), place: place.clone() };
            match self.known.setback(&wanted.key(), self.now) {
                None => return Plan::Create(wanted),
                Some(setback) => plan = Plan::Later(setback.retry_at),
            }
        }
        plan
    }

    fn is_to_be_created(&self, credential: &Credential, place: &ObjectKey) -> bool {
        let is_wanted = || match credential.distribution {
            Distribution::Eager => true,
            Distribution::OnDemand => {
                self.pods.needs(self.known, &place.namespace, credential).unwrap_or(false)
            }
        };
        credential.mode == Mode::Enforce
            && self.known.is_offered(credential, &place.namespace)
            && self.known.good_source(credential).is_some()
            && self.known.rival(credential, &place.namespace).is_none()
            && is_wanted()
    }

    fn there(&self, key: CopyKey, copy: &Copy, record: &mut Record) -> Plan {
        let place = &key.place;
        let guard = copy.guard();
        let Some(credential) = self.known.credential(&copy.credential_uid) else {
            return self.orphan(key, copy, guard, record);
        };
        record.orphaned = None;
        // What is ending ends by itself, and what the watch does not show yet is looked at when it does.
        if self.known.namespaces.get(&place.namespace).is_none_or(|namespace| namespace.terminating) {
            return Plan::Nothing;
        }
        // A credential as it was before it was given its present namespaces takes no copy from them.
        if credential.generation < copy.credential_generation
            && let Some(acts) = self.outdated(record)
        {
            return Plan::Later(acts);
        }
        let end = |key, guard| {
            if copy.is_adopted { Plan::Release(key, guard) } else { Plan::Delete(key, guard) }
        };
        if !self.known.is_offered(credential, &place.namespace) {
            let wanted = Wanted { credential: Arc::clone(credential), place: place.clone() };
            return Plan::Withdraw { wanted, guard, is_adopted: copy.is_adopted };
        }
        // What was another's is not kept for the sake of a name that the credential has given up.
        if copy.is_adopted && credential.copy_name != place.name && !self.is_named(place) {
            return end(key, guard);
        }
        let wanted = Wanted { credential: Arc::clone(credential), place: place.clone() };
        let source_ends = match self.known.source_of(credential) {
            Some(SourceState::Good(source)) => {
                record.source_missing = None;
                if let Some(plan) = self.follow(&wanted, copy, source, &guard, record) {
                    return plan;
                }
                None
            }
            // It may be mended any moment, or has not been looked for yet: nothing changes meanwhile.
            Some(SourceState::Undecodable { .. }) | None => {
                record.source_missing = None;
                None
            }
            Some(SourceState::Missing) => {
                let ends = since(&mut record.source_missing, self.now) + self.graces.source_missing;
                if self.now >= ends {
                    return end(key, guard);
                }
                Some(ends)
            }
        };
        match self.by_need(wanted, copy, guard, record) {
            Plan::Nothing => source_ends.map_or(Plan::Nothing, Plan::Later),
            Plan::Later(moment) => Plan::Later(source_ends.map_or(moment, |ends| ends.min(moment))),
            other => other,
        }
    }

    /// The credential is not known: it has gone, or has come and the watch is late, or is unusable as it is written now.
    fn orphan(&self, key: CopyKey, copy: &Copy, guard: Guard, record: &mut Record) -> Plan {
        if self.known.is_unusable(&key.credential_uid) {
            return Plan::Nothing;
        }
        let pause = match self.known.has_ended(&key.credential_uid) {
            true if copy.owners == Owners::Credential => COLLECTED_WITHIN,
            true => Duration::ZERO,
            false => OUTDATED_FOR,
        };
        let ends = since(&mut record.orphaned, self.now) + pause;
        if self.now < ends {
            Plan::Later(ends)
        } else if copy.is_adopted {
            Plan::Release(key, guard)
        } else {
            Plan::Delete(key, guard)
        }
    }

    /// What brings a copy to its source's content, unless it is there.
    fn follow(
        &self,
        wanted: &Wanted,
        copy: &Copy,
        source: &Arc<SourceSecret>,
        guard: &Guard,
        record: &mut Record,
    ) -> Option<Plan> {
        let hold = match copy.owners {
            _ if copy.is_adopted => Hold::Adopted,
            Owners::Credential => Hold::Owned,
            Owners::Others => Hold::Disowned { has_owners: true },
            Owners::Nobody => Hold::Disowned { has_owners: false },
        };
        if copy.digest == source.digest && !matches!(hold, Hold::Disowned { .. }) {
            record.outdated = None;
            return None;
        }
        // Of another source, which the credential named before, no version says anything about this one.
        if *copy.source == *wanted.credential.source.to_string()
            && is_older(&source.resource_version, &copy.source_resource_version)
            && let Some(acts) = self.outdated(record)
        {
            return Some(Plan::Later(acts));
        }
        record.outdated = None;
        let (wanted, guard) = (wanted.clone(), guard.clone());
        if *copy.secret_type != *source.secret_type {
            // An adopted one was of the same type once, and has been re-created by somebody else since.
            return Some(if copy.is_adopted {
                Plan::Release(wanted.key(), guard)
            } else {
                Plan::Recreate(wanted, guard)
            });
        }
        Some(Plan::Update { wanted, guard, source: Arc::clone(source), hold })
    }

    fn is_named(&self, place: &ObjectKey) -> bool {
        self.pods.names(place).unwrap_or(true)
    }

    /// Until when what we know is taken for older than what others knew; `None` when that has lasted too long.
    fn outdated(&self, record: &mut Record) -> Option<Instant> {
        let acts = since(&mut record.outdated, self.now) + OUTDATED_FOR;
        (self.now < acts).then_some(acts)
    }

    /// A copy that no pod needs goes in two steps; see [`Plan::Mark`] and [`Plan::DeleteUnneeded`].
    fn by_need(&self, wanted: Wanted, copy: &Copy, guard: Guard, record: &mut Record) -> Plan {
        let Wanted { credential, place } = &wanted;
        // What was another's before stays ours while it is offered. Given back, it could not be given to the next pod, and
        // once the source has changed it might not be taken over again.
        let is_needed = copy.is_adopted
            || if wanted.has_former_name() {
                // Pods that name it so go on pulling with it, and it follows its source for them.
                self.is_named(place)
            } else {
                credential.distribution == Distribution::Eager
                    || self.pods.needs(self.known, &place.namespace, credential).unwrap_or(true)
            };
        if is_needed {
            record.unneeded = None;
            return if copy.is_marked { Plan::Unmark(wanted, guard) } else { Plan::Nothing };
        }
        if copy.is_marked {
            // Whoever takes the mark off stands for a pod that may not be seen yet: the count begins anew then.
            record.unneeded = None;
            let (_, marked) = record.marked.get_or_insert((copy.uid.clone(), self.now));
            let ends = *marked + self.graces.settle;
            return if self.now >= ends { Plan::DeleteUnneeded(wanted, guard) } else { Plan::Later(ends) };
        }
        let ends = since(&mut record.unneeded, self.now) + self.graces.unneeded;
        if self.now < ends { Plan::Later(ends) } else { Plan::Mark(wanted, guard) }
    }
}

/// Whether a resource version is older than another; those of one kind of object are ordered. One that is no number says
/// nothing.
fn is_older(version: &str, than: &str) -> bool {
    matches!((version.parse::<u64>(), than.parse::<u64>()), (Ok(version), Ok(than)) if version < than)
}

#[cfg(test)]
mod tests;
