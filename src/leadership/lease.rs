//! The Lease object: what is read of it, and how it looks when it is claimed or given back.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::core::ObjectMeta;

use super::judgement::Record;

/// Its name, in our own namespace.
pub(super) const NAME: &str = "regcred";

/// What a Lease says.
pub(super) fn record_of(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    Record {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default(),
        renewed: spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0),
        lasts: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    }
}

/// The Lease with our name in it. It keeps the resourceVersion of what was seen, so that writing it fails when
/// anybody else has written meanwhile.
///
/// `wall_clock` is for people who read it.
pub(super) fn claimed(
    seen: Option<&Lease>,
    identity: &str,
    duration: Duration,
    wall_clock: Timestamp,
) -> Lease {
    let mut lease = seen.cloned().unwrap_or_else(unclaimed);
    let is_new = seen.is_none();
    let spec = lease.spec.get_or_insert_default();
    let now = MicroTime(moved_on(spec.renew_time.as_ref(), wall_clock));
    if spec.holder_identity.as_deref() != Some(identity) {
        spec.holder_identity = Some(identity.to_owned());
        spec.acquire_time = Some(now.clone());
        let transitions = spec.lease_transitions.unwrap_or_default();
        spec.lease_transitions = Some(if is_new { 0 } else { transitions.saturating_add(1) });
    }
    spec.renew_time = Some(now);
    spec.lease_duration_seconds = Some(whole_seconds(duration));
    lease
}

/// The Lease without a holder: whoever comes next may have it at once.
pub(super) fn released(seen: &Lease, wall_clock: Timestamp) -> Lease {
    let mut lease = seen.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = None;
    spec.renew_time = Some(MicroTime(moved_on(spec.renew_time.as_ref(), wall_clock)));
    lease
}

fn unclaimed() -> Lease {
    let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "regcred".to_owned())]);
    Lease {
        metadata: ObjectMeta { name: Some(NAME.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        spec: Some(LeaseSpec::default()),
    }
}

/// The wall clock, but never the very time that stands there already: the API server keeps the resourceVersion of an
/// object that a write does not change, and nobody would see the renewal.
fn moved_on(before: Option<&MicroTime>, wall_clock: Timestamp) -> Timestamp {
    // Lease times have microseconds.
    let same = before.is_some_and(|before| before.0.as_microsecond() == wall_clock.as_microsecond());
    if same {
        wall_clock.saturating_add(SignedDuration::from_micros(1)).unwrap_or(wall_clock)
    } else {
        wall_clock
    }
}

/// Rounded up, so that others never wait less than was meant.
fn whole_seconds(duration: Duration) -> i32 {
    let up = u64::from(duration.subsec_nanos() > 0);
    i32::try_from(duration.as_secs().saturating_add(up)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_new_lease_says_who_has_it_since_when_and_for_how_long() {
        let lease = claimed(None, "one", Duration::from_millis(14_001), at(100));
        assert_eq!(lease.metadata.name.as_deref(), Some(NAME));
        let spec = lease.spec.unwrap();
        assert_eq!(spec.holder_identity.as_deref(), Some("one"));
        assert_eq!(
            (spec.acquire_time, spec.renew_time),
            (Some(MicroTime(at(100))), Some(MicroTime(at(100))))
        );
        assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(0)));
    }

    #[test]
    fn a_renewal_keeps_when_it_was_acquired_and_whatever_else_stands_there() {
        let mut first = claimed(None, "one", Duration::from_secs(15), at(100));
        first.metadata.resource_version = Some("7".into());
        first.metadata.annotations = Some(BTreeMap::from([("note".into(), "of an admin".into())]));
        let renewed = claimed(Some(&first), "one", Duration::from_secs(15), at(102));
        assert_eq!(renewed.metadata, first.metadata, "with the resourceVersion, which guards the write");
        let spec = renewed.spec.unwrap();
        assert_eq!(
            (spec.acquire_time, spec.renew_time),
            (Some(MicroTime(at(100))), Some(MicroTime(at(102))))
        );
        assert_eq!(spec.lease_transitions, Some(0));
    }

    #[test]
    fn another_holder_is_a_transition() {
        let first = claimed(None, "one", Duration::from_secs(15), at(100));
        let spec = claimed(Some(&first), "two", Duration::from_secs(15), at(120)).spec.unwrap();
        assert_eq!(spec.holder_identity.as_deref(), Some("two"));
        assert_eq!((spec.acquire_time, spec.lease_transitions), (Some(MicroTime(at(120))), Some(1)));
    }

    #[test]
    fn a_renewal_changes_the_lease_even_while_the_wall_clock_stands_still() {
        let first = claimed(None, "one", Duration::from_secs(15), at(100));
        let renewed = claimed(Some(&first), "one", Duration::from_secs(15), at(100));
        assert_ne!(record_of(&renewed).renewed, record_of(&first).renewed);
        assert_ne!(renewed, first);
    }

    #[test]
    fn a_released_lease_is_nobodys() {
        let first = claimed(None, "one", Duration::from_secs(15), at(100));
        assert_eq!(record_of(&first).holder, "one");
        assert_eq!(record_of(&released(&first, at(101))).holder, "");
    }

    #[test]
    fn a_lease_without_anything_in_it_can_be_read() {
        let record = record_of(&Lease::default());
        assert_eq!((record.holder.as_str(), record.lasts), ("", Duration::ZERO));
        let lease = claimed(Some(&Lease::default()), "one", Duration::from_secs(15), at(100));
        assert_eq!(record_of(&lease).holder, "one");
    }
}
