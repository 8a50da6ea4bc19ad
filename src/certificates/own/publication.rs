//! For how long an authority has been in every bundle, as this replica has seen it.
//!
//! By the monotonic clock, from the moment when it was first read: never from a time that somebody else wrote. And from the
//! last write of a configuration: between two looks it may have left a bundle and come back, and an API server that is
//! behind may be about to learn of the first.

use std::time::{Duration, Instant};

use super::bundles::Configuration;
use crate::certificates::TrustAnchor;

#[derive(Debug, Default)]
pub(super) struct Publication {
    seen: Option<Seen>,
}

/// An authority that every entry trusts.
#[derive(Debug)]
struct Seen {
    authority: TrustAnchor,
    /// Uid and resource version of each configuration.
    versions: Vec<(String, String)>,
    since: Instant,
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
        let version = |one: &Configuration| (one.uid.clone(), one.resource_version.clone());
        let versions: Vec<_> = configurations.iter().map(version).collect();
        let before = self.seen.take();
        self.seen = published.map(|authority| {
            let same = before.filter(|seen| seen.authority == *authority && seen.versions == versions);
            same.unwrap_or_else(|| Seen { authority: authority.clone(), versions, since: now })
        });
        self.seen.as_ref().map(|seen| now.duration_since(seen.since))
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

    fn trusting(version: u32, bundles: &[&[&str]]) -> Vec<Configuration> {
        let entry = |(place, names): (usize, &&[&str])| Entry {
            place,
            name: format!("{place}.regcred.dev"),
            anchors: names.iter().map(|name| anchor(name)).collect(),
        };
        let entries = bundles.iter().enumerate().map(entry).collect();
        vec![Configuration {
            kind: Kind::Mutating,
            uid: String::new(),
            resource_version: version.to_string(),
            entries,
            elsewhere: Vec::new(),
        }]
    }

    #[test]
    fn the_time_counts_from_the_last_write_since_which_every_bundle_has_it() {
        let (start, new) = (Instant::now(), anchor("new"));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut publication = Publication::default();
        for (time, version, bundles, expected) in [
            (0, 1, vec![&["old"][..], &["old"]], None),
            (1, 2, vec![&["old", "new"], &["old"]], None),
            (2, 3, vec![&["old", "new"], &["old", "new"]], Some(0)),
            (5, 3, vec![&["old", "new"], &["old", "new"]], Some(3)),
            (6, 4, vec![&["new"], &["new"]], Some(0)),
            (8, 4, vec![&["new"], &["new"]], Some(2)),
            (9, 6, vec![&["new"], &["new"]], Some(0)),
            (10, 7, vec![&["new"], &["old"]], None),
            (11, 8, vec![&["new"], &["new"]], Some(0)),
            (13, 8, vec![&["new"], &["new"]], Some(2)),
        ] {
            let seen = publication.observe(Some(&new), &trusting(version, &bundles), at(time));
            assert_eq!(seen, expected.map(Duration::from_secs), "at {time}");
        }
        let other = publication.observe(Some(&anchor("old")), &trusting(8, &[&["old", "new"]]), at(14));
        assert_eq!(other, Some(Duration::ZERO), "another authority begins anew");
    }
}
