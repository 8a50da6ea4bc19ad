//! Replicas, an admin and time in any order: no API server ever meets a leaf that it does not trust.

use proptest::prelude::*;

use super::super::bundles::Kind;
use super::super::publication::Publication;
use super::super::record::Signing;
use super::*;
use crate::certificates::PrivateKeyPem;

const REPLICAS: usize = 3;
const SECOND: Duration = Duration::from_secs(1);
/// An API server learns of a bundle after less than `--bundle-propagation`.
const LAG: Duration = Duration::from_secs(4);

fn schedule() -> Schedule {
    Schedule::new(60 * SECOND, 240 * SECOND, 5 * SECOND).unwrap()
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(490_896)
}

#[derive(Debug, Clone)]
enum Action {
    /// A replica reads, and decides.
    Read(usize),
    /// It does what it decided, which may be long ago.
    Act(usize),
    /// It does all that it has to do.
    Settle(usize),
    Wait(u64),
    DeleteSecret,
    GarbleSecret,
    /// An older Secret is brought back.
    RestoreSecret,
    Restart(usize),
    /// An admin adds a certificate that nobody knows.
    AddForeign,
}

fn action() -> impl Strategy<Value = Action> {
    let replica = || 0..REPLICAS;
    prop_oneof![
        4 => replica().prop_map(Action::Read),
        4 => replica().prop_map(Action::Act),
        8 => replica().prop_map(Action::Settle),
        4 => (1_u64..20).prop_map(Action::Wait),
        1 => Just(Action::DeleteSecret),
        1 => Just(Action::GarbleSecret),
        1 => Just(Action::RestoreSecret),
        1 => replica().prop_map(Action::Restart),
        1 => Just(Action::AddForeign),
    ]
}

#[derive(Default)]
struct Replica {
    served: Option<Served>,
    publication: Publication,
    decided: Option<Decided>,
}

/// A step and the versions that it was decided on.
struct Decided {
    step: Step,
    secret: u64,
    bundle: u64,
    now: SystemTime,
}

struct World {
    now: SystemTime,
    clock: std::time::Instant,
    stored: Stored,
    secret: u64,
    backup: Option<Record>,
    /// Each bundle that there was, and since when.
    bundles: Vec<(SystemTime, Vec<TrustAnchor>)>,
    replicas: Vec<Replica>,
    made: usize,
}

impl World {
    fn new() -> Self {
        Self {
            now: start(),
            clock: std::time::Instant::now(),
            stored: Stored::Absent,
            secret: 0,
            backup: None,
            bundles: vec![(start() - Duration::from_hours(1), vec![])],
            replicas: (0..REPLICAS).map(|_| Replica::default()).collect(),
            made: 0,
        }
    }

    fn bundle(&self) -> &[TrustAnchor] {
        self.bundles.last().map_or(&[], |(_, bundle)| bundle)
    }

    fn configurations(&self) -> Vec<Configuration> {
        let entry = Entry { place: 0, name: "one.regcred.dev".to_owned(), anchors: self.bundle().to_vec() };
        vec![Configuration {
            kind: Kind::Mutating,
            uid: String::new(),
            resource_version: self.bundles.len().to_string(),
            entries: vec![entry],
            elsewhere: Vec::new(),
        }]
    }

    fn read(&mut self, number: usize) {
        let configurations = self.configurations();
        let (stored, now) = (self.stored.clone(), self.now);
        let monotonic = self.clock + now.duration_since(start()).unwrap();
        let replica = &mut self.replicas[number];
        let authority = match &stored {
            Stored::Record(record) => Some(&record.signing.certificate),
            _ => None,
        };
        let published_for = replica.publication.observe(authority, &configurations, monotonic);
        let observed =
            Observed { stored, configurations, served: replica.served.clone(), published_for, now };
        let step = observed.next(&schedule());
        let (secret, bundle) = (self.secret, self.bundles.len() as u64);
        self.replicas[number].decided = Some(Decided { step, secret, bundle, now });
    }

    /// Whether something was done.
    fn act(&mut self, number: usize) -> bool {
        let Some(Decided { step, secret, bundle, now }) = self.replicas[number].decided.take() else {
            return false;
        };
        match step {
            Step::Rest(_) => false,
            Step::Establish { former } => {
                self.made += 1;
                let not_after = now + schedule().authority;
                let certificate = TrustAnchor::imagined(&format!("made-{}", self.made), now, not_after);
                let signing = Signing { certificate, key: PrivateKeyPem::new(String::new()) };
                let leaves_until = schedule().leaf_end(now, not_after);
                self.store(secret, Record { signing, leaves_until, former });
                true
            }
            Step::Record(record) => {
                self.store(secret, record);
                true
            }
            Step::Publish(changes) => {
                // The configuration's resource version is tested.
                if bundle == self.bundles.len() as u64 {
                    self.bundles.push((self.now, changes[0].1[0].anchors.clone()));
                }
                true
            }
            Step::Serve { not_after } => {
                // It is tried on what was read, just as in the cluster.
                let Stored::Record(record) = &self.stored else { return true };
                if secret == self.secret && bundle == self.bundles.len() as u64 {
                    let issuer = record.signing.certificate.clone();
                    assert!(not_after <= record.leaves_until && not_after <= issuer.not_after());
                    self.replicas[number].served = Some(Served { issuer, made: now, not_after });
                }
                true
            }
        }
    }

    fn store(&mut self, decided_on: u64, record: Record) {
        if decided_on == self.secret {
            if self.backup.is_none() {
                self.backup = Some(record.clone());
            }
            self.set(Stored::Record(record));
        }
    }

    fn set(&mut self, stored: Stored) {
        self.stored = stored;
        self.secret += 1;
    }

    fn settle(&mut self, number: usize) {
        for _ in 0..20 {
            self.read(number);
            if !self.act(number) {
                return;
            }
        }
        panic!("replica {number} does not come to rest");
    }

    fn do_it(&mut self, action: &Action) {
        match action {
            Action::Read(number) => self.read(*number),
            Action::Act(number) => drop(self.act(*number)),
            Action::Settle(number) => self.settle(*number),
            Action::Wait(seconds) => {
                // As often as the keeper looks when something is due.
                for _ in 0..*seconds {
                    self.now += SECOND;
                    self.check();
                }
            }
            Action::DeleteSecret => self.set(Stored::Absent),
            Action::GarbleSecret => self.set(Stored::Unusable),
            Action::RestoreSecret => {
                if let Some(backup) = self.backup.clone() {
                    self.set(Stored::Record(backup));
                }
            }
            Action::Restart(number) => self.replicas[*number] = Replica::default(),
            Action::AddForeign => {
                self.made += 1;
                let foreign = TrustAnchor::imagined(
                    &format!("foreign-{}", self.made),
                    self.now,
                    self.now + 999 * SECOND,
                );
                let bundle = self.bundle().iter().cloned().chain([foreign]).collect();
                self.bundles.push((self.now, bundle));
            }
        }
        self.check();
    }

    /// Whether every replica serves a valid leaf of the authority that signs.
    fn is_at_one(&self) -> bool {
        let Stored::Record(record) = &self.stored else { return false };
        let is_right =
            |served: &Served| served.issuer == record.signing.certificate && served.not_after > self.now;
        self.replicas.iter().all(|replica| replica.served.as_ref().is_some_and(is_right))
    }

    /// Each leaf that is served and valid is trusted by API servers that know the bundle of now and by those that lag.
    fn check(&self) {
        let known_since = |time: SystemTime| self.bundles.iter().rposition(|(since, _)| *since <= time);
        let oldest = known_since(self.now - LAG).unwrap_or_default();
        for (number, replica) in self.replicas.iter().enumerate() {
            let Some(served) = replica.served.as_ref().filter(|served| served.not_after > self.now) else {
                continue;
            };
            // Whoever served nothing before may be early by what the first wait is shorter.
            let early = served.made + LAG > self.now;
            for (since, bundle) in &self.bundles[oldest..] {
                let trusted = bundle.contains(&served.issuer);
                assert!(
                    trusted || (early && *since < served.made),
                    "replica {number}: {served:?} in {bundle:?}"
                );
            }
        }
    }
}

/// A replica that did not look while its authority left the bundle and came back.
#[test]
fn a_leaf_waits_for_an_authority_that_has_just_come_back() {
    let mut world = World::new();
    for action in [
        Action::Settle(0),
        Action::DeleteSecret,
        Action::Settle(1),
        Action::Wait(63),
        Action::Settle(1),
        Action::RestoreSecret,
        Action::Settle(1),
        Action::Settle(0),
    ] {
        world.do_it(&action);
    }
    assert!(world.replicas[0].served.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_leaf_is_served_that_an_api_server_does_not_trust(
        actions in prop::collection::vec(action(), 1..80),
    ) {
        let mut world = World::new();
        for action in &actions {
            world.do_it(action);
        }
    }

    #[test]
    fn after_a_while_of_quiet_all_replicas_serve_leaves_of_one_authority_and_do_nothing_more(
        actions in prop::collection::vec(action(), 1..80),
    ) {
        let mut world = World::new();
        for action in &actions {
            world.do_it(action);
        }
        (0..REPLICAS).for_each(|number| world.settle(number));
        // Longer than the propagation, twice: a renewal may fall into the first.
        for _ in 0..14 {
            if world.is_at_one() {
                break;
            }
            world.do_it(&Action::Wait(1));
            (0..REPLICAS).for_each(|number| world.settle(number));
        }
        prop_assert!(world.is_at_one());
        let (secret, bundles) = (world.secret, world.bundles.len());
        (0..REPLICAS).for_each(|number| world.settle(number));
        prop_assert_eq!((world.secret, world.bundles.len()), (secret, bundles));
    }
}
