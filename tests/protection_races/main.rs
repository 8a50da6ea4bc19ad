//! A Shoot takes up a Secret while somebody deletes it, thousands of times: no Shoot may be stored whose Secret goes.
//!
//! `REGCRED_RACES` says how many (2,000 by default); `make race` runs more, and its last line is what came of it as JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;
mod history;
mod race;
mod stage;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde::Serialize;

use crate::race::{Deleted, Outcome, Race, Taken};
use crate::stage::Stage;

/// How many races there are unless `REGCRED_RACES` says otherwise.
const RACES: usize = 2_000;
/// Races between which a server may be killed.
const ROUND: usize = 200;
/// In one of so many rounds one of the two servers is killed.
const KILLED: usize = 4;
/// How many races run at once: so many keep two cores busy, and hold no request up for long.
const AT_ONCE: usize = 16;
/// Fewer of one outcome, of a thousand races, show no race.
const OFTEN: usize = 50;

/// What came of all races.
#[derive(Debug, Default, Serialize)]
struct Total {
    races: usize,
    violations: usize,
    shoot_won: usize,
    delete_won: usize,
    stuck: usize,
}

fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_shoot_is_stored_whose_secret_goes() {
    let races = std::env::var("REGCRED_RACES").map_or(RACES, |text| text.parse().expect("a number of races"));
    let stage = Stage::set().await;
    let mut outcomes = Vec::new();
    for (round, first) in (0..races).step_by(ROUND).enumerate() {
        let numbers = first..races.min(first + ROUND);
        let run = stream::iter(numbers).map(|number| Race::new(number).run(&stage)).buffer_unordered(AT_ONCE);
        let kill = async {
            if round % KILLED == KILLED - 1 {
                stage.replace_a_killed_server().await;
            }
        };
        let (ended, ()) = tokio::join!(run.collect::<Vec<_>>(), kill);
        outcomes.extend(ended);
        figure(&format!("protection_races: {} of {races}", outcomes.len()));
    }
    stage.calm();
    let total = judge(&stage, &outcomes).await;
    figure(&serde_json::to_string(&total).unwrap());
    assert_eq!((total.violations, total.stuck), (0, 0), "{total:?}");
    let often = races * OFTEN / 1_000;
    assert!(total.shoot_won >= often && total.delete_won >= often, "no races: {total:?}");
}

async fn judge(stage: &Arc<Stage>, outcomes: &[Outcome]) -> Total {
    let (history, stored) = (stage.history.settled().await, stage.pointing().await);
    let mut total = Total { races: outcomes.len(), ..Total::default() };
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for outcome in outcomes {
        *kinds.entry(format!("{:?} {:?}", outcome.taken.word(), outcome.deleted.word())).or_default() += 1;
        match (&outcome.taken, &outcome.deleted) {
            (Taken::Stored(_), Deleted::Refused) => total.shoot_won += 1,
            (Taken::Refused(_), Deleted::Done) => total.delete_won += 1,
            _ => {}
        }
        let found = stored.get(&outcome.secret);
        if let Taken::Stored(version) = &outcome.taken {
            assert_eq!(found, Some(version), "{outcome:?}");
        }
        // What was answered by an error may have been stored all the same.
        let Some(version) = found else { continue };
        let past = history.get(&outcome.secret).cloned().unwrap_or_default();
        let gone = past.deleted.iter().find(|deleted| *deleted > version);
        // It must be the very Secret that was reserved, not another of its name.
        let there = stage.uid_of(&outcome.secret).await;
        if gone.is_some() || there.is_none() || there != past.reserved {
            total.violations += 1;
            figure(&format!("protection_races: VIOLATION {outcome:?}, {past:?}, there {there:?}"));
        }
    }
    figure(&format!("protection_races: {kinds:?}"));
    let unexpected: Vec<&str> = outcomes.iter().filter_map(Outcome::unexpected).collect();
    // A busy machine may let an answer come too late.
    assert!(unexpected.len() * 100 <= outcomes.len(), "{unexpected:?}");
    total.stuck = stage.stuck(&stored.into_keys().collect()).await;
    total
}

/// From the first to the last moment that matters of a race.
const WINDOW: Duration = Duration::from_millis(200);
