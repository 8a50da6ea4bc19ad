//! For how long an authority has been in every bundle, as this replica has seen it.
//!
//! By the monotonic clock, from the moment when it was first read: never from a time that somebody else wrote.

use std::time::{Duration, Instant};

use super::bundles::Configuration;
use crate::certificates::TrustAnchor;

#[derive(Debug, Default)]
pub(super) struct Publication {
    seen: Option<(TrustAnchor, Instant)>,
}

impl Publication {
    /// Takes in what was just read; tells for how long that authority has been in every entry, if it is.
    pub(super) fn observe(
        &mut self,
        authority: Option<&TrustAnchor>,
        configurations: &[Configuration],
        now: Instant,
    ) -> Option<Duration> {
        let mut entries = configurations.iter().flat_map(|configuration| &configuration.entries);
        let published = authority.filter(|authority| entries.all(|entry| entry.trusts(authority)));
        self.seen = match (published, self.seen.take()) {
            (Some(authority), Some((seen, since))) if *authority == seen => Some((seen, since)),
            (Some(authority), _) => Some((authority.clone(), now)),
            (None, _) => None,
        };
        self.seen.as_ref().map(|(_, since)| now.duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::bundles::{Entry, Kind};
    use super::*;

    fn anchor(name: &str) -> TrustAnchor {
        TrustAnchor::imagined(name, SystemTime::UNIX_EPOCH, SystemTime::now())
    }

    fn trusting(bundles: &[&[&str]]) -> Vec<Configuration> {
        let entry = |(place, names): (usize, &&[&str])| Entry {
            place,
            name: format!("{place}.regcred.dev"),
            anchors: names.iter().map(|name| anchor(name)).collect(),
        };
        let entries = bundles.iter().enumerate().map(entry).collect();
        vec![Configuration {
            kind: Kind::Mutating,
            uid: String::new(),
            resource_version: String::new(),
            entries,
        }]
    }

    #[test]
    fn the_time_counts_from_when_every_bundle_had_it_and_from_zero_when_one_lost_it() {
        let (start, new) = (Instant::now(), anchor("new"));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut publication = Publication::default();
        for (time, bundles, expected) in [
            (0, vec![&["old"][..], &["old"]], None),
            (1, vec![&["old", "new"], &["old"]], None),
            (2, vec![&["old", "new"], &["old", "new"]], Some(0)),
            (5, vec![&["new"], &["new"]], Some(3)),
            (6, vec![&["new"], &["old"]], None),
            (7, vec![&["new"], &["new"]], Some(0)),
            (9, vec![&["new"], &["new"]], Some(2)),
        ] {
            let seen = publication.observe(Some(&new), &trusting(&bundles), at(time));
            assert_eq!(seen, expected.map(Duration::from_secs), "at {time}");
        }
        let other = publication.observe(Some(&anchor("old")), &trusting(&[&["old", "new"]]), at(10));
        assert_eq!(other, Some(Duration::ZERO), "another authority begins anew");
    }
}
