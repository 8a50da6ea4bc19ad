//! What a candidate does in each situation.

use super::*;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

/// A candidate `me` and the time; each call says how long after the start it comes.
struct Scene {
    candidate: Candidate,
    start: Instant,
}

impl Scene {
    fn new() -> Self {
        let start = Instant::now();
        Self { candidate: Candidate::new("me".into(), TIMING, start), start }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn woke(&mut self, seconds: u64) -> Step {
        self.candidate.woke(self.at(seconds))
    }

    fn looked(&mut self, seconds: u64, found: Option<Record>) -> Step {
        self.candidate.looked(found, self.at(seconds))
    }

    /// A claim that was sent and answered at these times.
    fn claimed(&mut self, sent: u64, answered: u64, version: u64) -> Step {
        let (sent, answered) = (self.at(sent), self.at(answered));
        self.candidate.claimed(sent, record(version, "me"), answered)
    }

    fn leads_at(&self, seconds: u64) -> bool {
        self.candidate.term().is_some_and(|term| self.at(seconds) < term.writes_until)
    }

    /// Takes an unclaimed Lease at once.
    fn leading() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.looked(0, None), Step::Claim);
        assert_eq!(scene.claimed(0, 0, 1), Step::Rest);
        assert!(scene.leads_at(0));
        scene
    }
}

fn record(version: u64, holder: &str) -> Record {
    Record {
        version: version.to_string(),
        holder: holder.to_owned(),
        renewed: None,
        lasts: Duration::from_secs(15),
    }
}

#[test]
fn a_lease_that_nobody_has_is_taken_at_once() {
    for found in [None, Some(record(7, "")), Some(record(7, "me"))] {
        let mut scene = Scene::new();
        assert_eq!(scene.woke(0), Step::Read);
        assert_eq!(scene.looked(0, found.clone()), Step::Claim, "{found:?}");
        assert!(!scene.leads_at(0), "only the API server's yes counts");
    }
}

#[test]
fn anothers_lease_is_taken_when_it_has_stood_unchanged_for_its_duration_from_our_first_sight() {
    let mut scene = Scene::new();
    assert_eq!(scene.looked(3, Some(record(7, "other"))), Step::Rest);
    assert_eq!(scene.looked(17, Some(record(7, "other"))), Step::Rest);
    assert_eq!(scene.candidate.wake_by(scene.at(17)), Some(scene.at(18)), "the rest ends when it is free");
    assert_eq!(scene.looked(18, Some(record(7, "other"))), Step::Claim);
    assert_eq!(scene.candidate.wake_by(scene.at(18)), None, "but not again and again after that");
}

#[test]
fn any_change_begins_the_wait_anew() {
    let renewed = Record { renewed: Some(Timestamp::UNIX_EPOCH), ..record(7, "other") };
    for changed in [record(8, "other"), record(8, "third"), renewed] {
        let mut scene = Scene::new();
        assert_eq!(scene.looked(0, Some(record(7, "other"))), Step::Rest);
        assert_eq!(scene.looked(14, Some(changed.clone())), Step::Rest);
        assert_eq!(scene.looked(28, Some(changed.clone())), Step::Rest, "{changed:?}");
        assert_eq!(scene.looked(29, Some(changed)), Step::Claim);
    }
}

#[test]
fn the_longer_of_the_holders_duration_and_ours_is_waited_for() {
    for (lasts, free_at) in [(0, 15), (1, 15), (15, 15), (60, 60)] {
        let held = Record { lasts: Duration::from_secs(lasts), ..record(7, "other") };
        let mut scene = Scene::new();
        assert_eq!(scene.looked(0, Some(held.clone())), Step::Rest);
        assert_eq!(scene.looked(free_at - 1, Some(held.clone())), Step::Rest, "{lasts}");
        assert_eq!(scene.looked(free_at, Some(held)), Step::Claim, "{lasts}");
    }
}

#[test]
fn a_deleted_lease_is_waited_for_as_if_its_holder_did_not_know_yet() {
    let mut scene = Scene::new();
    assert_eq!(scene.looked(0, Some(record(7, "other"))), Step::Rest);
    assert_eq!(scene.looked(10, None), Step::Rest);
    assert_eq!(scene.looked(24, None), Step::Rest);
    assert_eq!(scene.looked(25, None), Step::Claim);
}

#[test]
fn a_term_counts_from_before_the_claim_was_sent() {
    let mut scene = Scene::new();
    scene.looked(0, None);
    scene.claimed(1, 4, 1);
    assert!(scene.leads_at(10));
    assert!(!scene.leads_at(11));
    assert_eq!(scene.candidate.wake_by(scene.at(4)), Some(scene.at(11)), "its end is not overslept");
}

#[test]
fn an_answer_that_comes_after_the_deadline_brings_no_term() {
    let mut scene = Scene::new();
    scene.looked(0, None);
    assert_eq!(scene.claimed(1, 11, 1), Step::Rest);
    assert_eq!(scene.candidate.term(), None);
    assert_eq!(scene.woke(13), Step::Read);
    assert_eq!(scene.looked(13, Some(record(1, "me"))), Step::Claim, "it is ours, only not in time");
}

#[test]
fn renewals_go_on_in_one_term() {
    let mut scene = Scene::leading();
    for renewal in 1..5 {
        assert_eq!(scene.woke(renewal * 2), Step::Claim);
        assert_eq!(scene.claimed(renewal * 2, renewal * 2, renewal + 1), Step::Rest);
    }
    assert_eq!(scene.candidate.term().unwrap().number, 1);
    assert!(scene.leads_at(17) && !scene.leads_at(18));
}

#[test]
fn a_renewal_that_changed_nothing_is_none() {
    let mut scene = Scene::leading();
    scene.claimed(2, 2, 1);
    assert!(scene.leads_at(9) && !scene.leads_at(10));
}

#[test]
fn a_leader_whose_calls_fail_steps_down_at_the_deadline_and_begins_another_term_later() {
    let mut scene = Scene::leading();
    for second in [2, 5, 9] {
        assert_eq!(scene.woke(second), Step::Claim);
        assert_eq!(scene.candidate.failed(scene.at(second)), Step::Rest);
        assert!(scene.leads_at(second));
    }
    assert_eq!(scene.woke(10), Step::Read);
    assert_eq!(scene.candidate.term(), None);
    assert_eq!(scene.candidate.take_ending(), Some(Ending::Expired));
    assert_eq!(scene.candidate.take_ending(), None, "told once");
    assert_eq!(scene.looked(12, Some(record(1, "me"))), Step::Claim);
    scene.claimed(12, 12, 2);
    assert_eq!(scene.candidate.term().unwrap().number, 2);
}

#[test]
fn a_leader_that_is_refused_looks_and_goes_on_only_if_the_lease_is_its_own() {
    // A renewal whose answer was lost, or somebody who deleted the Lease: it goes on.
    for found in [Some(record(5, "me")), None] {
        let mut scene = Scene::leading();
        assert_eq!(scene.candidate.refused(scene.at(2)), Step::Read);
        assert_eq!(scene.looked(2, found), Step::Claim);
        assert!(scene.leads_at(3));
    }
    let mut scene = Scene::leading();
    assert_eq!(scene.candidate.refused(scene.at(2)), Step::Read);
    assert_eq!(scene.looked(2, Some(record(5, "other"))), Step::Rest);
    assert_eq!(scene.candidate.term(), None);
    assert_eq!(scene.candidate.take_ending(), Some(Ending::Superseded));

    // Somebody took our name out, to have another leader: whoever is first.
    let mut scene = Scene::leading();
    assert_eq!(scene.looked(2, Some(record(5, ""))), Step::Claim);
    assert_eq!(scene.candidate.term(), None);
}

#[test]
fn a_follower_that_is_refused_rests() {
    let mut scene = Scene::new();
    scene.looked(0, None);
    assert_eq!(scene.candidate.refused(scene.at(0)), Step::Rest);
}

#[test]
fn only_a_leader_has_something_to_give_back() {
    assert!(!Scene::new().candidate.resign());
    let mut scene = Scene::leading();
    assert!(scene.candidate.resign());
    assert_eq!(scene.candidate.term(), None);
    assert_eq!(scene.candidate.take_ending(), Some(Ending::Released));
}
