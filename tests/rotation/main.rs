//! That a new source reaches a thousand namespaces within seconds, also when the server that writes is killed meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod fleet;
#[path = "../harness/mod.rs"]
mod harness;

use std::io::Write;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use fleet::{Fleet, LIMIT, NAMESPACES};
use harness::background;

/// After which time another server leads whose predecessor was killed: the lease's duration and one look more, as they are
/// unless set otherwise.
const LEASE: Duration = Duration::from_secs(15 + 2);

/// A machine that is busy with other things makes a rotation slower, and never faster: one of these must be within the limit.
const ATTEMPTS: usize = 3;
/// How many writes may be under way when the leader is killed: as many as the controller begins at once.
const UNDER_WAY: usize = 24;

/// The fleet, which both tests use one after the other.
async fn fleet() -> (&'static Fleet, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::const_new(());
    static FLEET: OnceCell<Result<Fleet, String>> = OnceCell::const_new();
    let turn = TURN.lock().await;
    let assemble = async || {
        let assembled = background::spawn(Fleet::assemble()).await;
        if let Ok(fleet) = &assembled {
            figure(&format!("{NAMESPACES} copies of a new credential were there in {:.1?}", fleet.spread_in));
        }
        assembled.map_err(|error| error.to_string())
    };
    let fleet = FLEET.get_or_init(assemble).await.as_ref();
    (fleet.unwrap_or_else(|problem| panic!("no fleet: {problem}")), turn)
}

/// Tells a figure, also when the test passes: the test runner keeps what is printed otherwise to itself.
fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "rotation: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_source_reaches_a_thousand_namespaces_in_seconds_with_one_write_each_and_no_read() {
    let (fleet, _turn) = fleet().await;
    for attempt in 1.. {
        let rotation = fleet.rotate(&format!("in-peace-{attempt}"), NAMESPACES, async || ()).await;
        figure(&format!(
            "{NAMESPACES} namespaces in {:.1?}, {} writes, {} reads",
            rotation.took,
            rotation.writes(),
            rotation.reads.len()
        ));
        assert_eq!((rotation.missed, rotation.replaced), (0, 0));
        assert_eq!((rotation.writes(), rotation.written_again().len()), (NAMESPACES, 0));
        assert!(rotation.refused.is_empty(), "{:?}", rotation.refused);
        assert!(rotation.reads.is_empty(), "{:?}", rotation.reads);
        if rotation.took <= LIMIT {
            break;
        }
        assert!(attempt < ATTEMPTS, "{:?}", rotation.took);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_in_the_middle_the_other_finishes_and_misses_none() {
    let (fleet, _turn) = fleet().await;
    let leader = fleet.leader().await;
    let rotation = fleet.rotate("in-peril", NAMESPACES / 4, async || leader.kill()).await;
    let by_the_other = {
        let other = fleet.installation().replicas().into_iter().find(|one| one.name() != leader.name());
        other.unwrap().metrics().await.sum("regcred_reconcile_total", &[("outcome", "updated")])
    };
    figure(&format!(
        "with the leader killed {NAMESPACES} namespaces in {:.1?}, of which the other wrote {by_the_other}",
        rotation.took
    ));
    fleet.installation().lose_replica(&leader).await;
    fleet.installation().add_replica().await;
    assert_eq!((rotation.missed, rotation.replaced), (0, 0));
    assert!(by_the_other > 0.5, "it was killed in the middle");
    assert_eq!(rotation.written_again(), Vec::<&String>::new());
    // Of a call whose caller is gone the API server may say that it failed, although the write was carried out.
    let told = rotation.writes() + rotation.refused.len();
    assert!(told >= NAMESPACES, "{} writes, and {:?}", rotation.writes(), rotation.refused);
    assert!(rotation.refused.len() <= UNDER_WAY, "{:?}", rotation.refused);
    assert!(rotation.took <= LIMIT + LEASE, "{:?}", rotation.took);
}
