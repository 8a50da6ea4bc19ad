//! The same in a garden: Shoots are stored by another API server than the Secrets that they point to, and regcred is outside of
//! both, called by URL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../protection_races/history.rs"]
mod history;
mod outage;
#[path = "../protection_races/race.rs"]
mod race;
mod stage;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::{Mutex, MutexGuard};

use crate::race::{Deleted, Outcome, Race, Taken};
use crate::stage::Stage;

/// How many races there are.
const RACES: usize = 200;
/// How many run at once: two API servers are kept busy by them.
const AT_ONCE: usize = 8;
/// Fewer of one outcome show no race.
const OFTEN: usize = 10;
/// From the first to the last moment that matters of a race.
const WINDOW: Duration = Duration::from_millis(200);

/// Each test has two control planes to itself, and this machine few cores.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "protection_garden: {text}");
}

/// Versions of the two storages cannot be compared. So a Shoot that is stored is held against the Secret that was reserved for it:
/// just that one must be there, and no other of its name.
#[tokio::test(flavor = "multi_thread")]
async fn no_shoot_is_stored_whose_secret_goes() {
    let _turn = turn().await;
    let stage = Stage::set().await;
    let races = stream::iter(0..RACES).map(|number| Race::new(number).run(&stage));
    let outcomes: Vec<Outcome> = races.buffer_unordered(AT_ONCE).collect().await;
    stage.calm();
    let history = stage.history.settled().await;
    let mut kinds = BTreeMap::<String, usize>::new();
    let (mut shoot_won, mut delete_won, mut violations) = (0, 0, 0);
    for outcome in &outcomes {
        *kinds.entry(format!("{} {}", outcome.taken.word(), outcome.deleted.word())).or_default() += 1;
        match (&outcome.taken, &outcome.deleted) {
            (Taken::Stored(_), Deleted::Refused) => shoot_won += 1,
            (Taken::Refused(_), Deleted::Done) => delete_won += 1,
            _ => {}
        }
        let reserved = history.get(&outcome.secret).and_then(|past| past.reserved.clone());
        let there = stage.uid_of(&outcome.secret).await;
        let Taken::Stored(version) = outcome.taken else { continue };
        assert_eq!(stage.version_of_shoot(&outcome.secret).await, Some(version), "{outcome:?}");
        if there.is_none() || there != reserved {
            violations += 1;
            figure(&format!("VIOLATION {outcome:?}: reserved {reserved:?}, there {there:?}"));
        }
    }
    figure(&format!("{} races, {violations} violations, {kinds:?}", outcomes.len()));
    assert_eq!((outcomes.len(), violations), (RACES, 0));
    // A busy machine may let an answer come too late.
    let unexpected: Vec<&str> = outcomes.iter().filter_map(Outcome::unexpected).collect();
    assert!(unexpected.len() * 100 <= outcomes.len(), "{unexpected:?}");
    assert!(shoot_won >= OFTEN && delete_won >= OFTEN, "no races: {kinds:?}");
}
