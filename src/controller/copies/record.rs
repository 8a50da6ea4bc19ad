//! What the leader remembers of a place between two looks at it. Nothing of it survives a change of leader: each begins to
//! count anew, so that only time counts that one process has seen pass.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::ObjectKey;

/// What is remembered, by place, each of the copy that has this uid: it says nothing of the next one there.
#[derive(Debug, Default)]
pub(super) struct Records(HashMap<ObjectKey, (Arc<str>, Record)>);

impl Records {
    /// Takes out what is remembered of the copy with this uid; `None` for where there is none.
    pub(super) fn take(&mut self, place: &ObjectKey, uid: Option<&Arc<str>>) -> Record {
        let remembered = self.0.remove(place).filter(|(of, _)| Some(of) == uid);
        remembered.map(|(_, record)| record).unwrap_or_default()
    }

    /// Remembers this of the copy with this uid.
    pub(super) fn put(&mut self, place: &ObjectKey, uid: Option<&Arc<str>>, record: Record) {
        if let Some(uid) = uid.filter(|_| record != Record::default()) {
            self.0.insert(place.clone(), (Arc::clone(uid), record));
        }
    }

    /// Forgets places where no copy is any more.
    pub(super) fn retain(&mut self, is_there: impl Fn(&ObjectKey) -> bool) {
        self.0.retain(|place, _| is_there(place));
    }
}

/// What is remembered of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Since when no pod has been seen that needs the copy.
    pub(super) unneeded: Option<Instant>,
    /// Since when the source has been seen missing.
    pub(super) source_missing: Option<Instant>,
    /// Since when its credential has been seen missing.
    pub(super) orphaned: Option<Instant>,
    /// Since when the copy has been seen to be written from a newer source or credential than we know.
    pub(super) outdated: Option<Instant>,
    /// The uid of the copy that has been seen marked, and since when.
    pub(super) marked: Option<(Arc<str>, Instant)>,
}

/// The pauses between seeing and acting.
#[derive(Debug, Clone, Copy)]
pub struct Graces {
    /// How long a copy stays that no pod needs.
    pub unneeded: Duration,
    /// How long copies stay whose source has been deleted.
    pub source_missing: Duration,
    /// After which time a write that the API server has admitted is stored, or never will be. A pod that was admitted just
    /// before its copy was marked is known by then.
    pub settle: Duration,
}

/// Notes a moment, unless an earlier one is noted.
pub(super) fn since(noted: &mut Option<Instant>, now: Instant) -> Instant {
    *noted.get_or_insert(now)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_same(Some("1"), true)]
    #[case::the_next(Some("2"), false)]
    #[case::none(None, false)]
    fn what_is_remembered_is_of_one_copy_alone(#[case] uid: Option<&str>, #[case] is_remembered: bool) {
        let (mut records, place) = (Records::default(), ObjectKey::new("team-a", "regcred-ghcr"));
        let record = Record { unneeded: Some(Instant::now()), ..Record::default() };
        records.put(&place, Some(&"1".into()), record.clone());
        records.retain(|place| &*place.namespace == "team-a");
        assert_eq!(records.take(&place, uid.map(Arc::from).as_ref()) == record, is_remembered);
        assert_eq!(records.take(&place, Some(&"1".into())), Record::default(), "it was taken out");
    }

    #[test]
    fn nothing_is_remembered_of_where_no_copy_is() {
        let (mut records, place) = (Records::default(), ObjectKey::new("team-a", "regcred-ghcr"));
        let record = Record { unneeded: Some(Instant::now()), ..Record::default() };
        records.put(&place, None, record.clone());
        records.put(&place, Some(&"1".into()), record);
        records.retain(|_| false);
        assert_eq!(records.take(&place, Some(&"1".into())), Record::default());
    }
}
