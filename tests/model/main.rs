//! Five hundred random operations on what regcred looks at, and on what it must not touch; then the cluster must look as a
//! simple model says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod expectation;
#[path = "../harness/mod.rs"]
mod harness;
mod operations;
mod world;

use std::time::{Duration, Instant};

use crate::harness::Installation;
use crate::harness::audit::Event;
use crate::operations::Operations;

const OPERATIONS: usize = 500;
/// Pauses that are short enough to wait for.
const PAUSES: [&str; 3] = ["--unneeded-grace=1s", "--source-grace=4s", "--settle-time=3s"];
/// The state must be reached within this time: the graces, the longest pause after failures of the kinds that occur here, a
/// watch that died with its API server, and a new leader that cannot know which credentials have gone (2 min).
const QUIET_LIMIT: Duration = Duration::from_mins(6);
/// The last statuses are written within this time: one credential's at most once in 5 s, and a second time after an answer that
/// another had overtaken.
const STATUS_LIMIT: Duration = Duration::from_secs(20);
/// How long nothing may be asked and nothing written when all is as it should be.
const REST: Duration = Duration::from_mins(1);
/// Where the certificates are, and what trusts them.
const OF_CERTIFICATES: [&str; 3] =
    ["secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

#[tokio::test(flavor = "multi_thread")]
async fn after_five_hundred_random_operations_the_state_is_the_models_and_then_nothing_is_asked_or_written() {
    let installation = Installation::start(&PAUSES).await;
    let mut operations = Operations::begin(&installation).await;
    let begun = Instant::now();
    for number in 0..OPERATIONS {
        operations.one(number).await;
    }
    Operations::figure(&format!("{OPERATIONS} operations in {:.0?}", begun.elapsed()));

    operations.quiet(QUIET_LIMIT).await;
    // Foreign Secrets in a copy's place are tried again now and then; without them there is nothing to do.
    operations.remove_conflicts().await;
    operations.quiet(QUIET_LIMIT).await;

    // The statuses follow what has become of the copies.
    tokio::time::sleep(STATUS_LIMIT).await;
    let audit = installation.control_plane().audit();
    let since = audit.position().await;
    tokio::time::sleep(REST).await;
    let is_ours = |call: &Event| call.user == "system:serviceaccount:regcred-system:regcred";
    let is_work = |call: &Event| match &*call.verb {
        // Watches end and begin again; one that begins with all objects is a list.
        "watch" => call.uri.contains("sendInitialEvents"),
        // The certificates are looked at.
        "get" => !OF_CERTIFICATES.contains(&&*call.resource),
        _ => true,
    };
    let is_work = |call: &Event| is_ours(call) && call.resource != "leases" && is_work(call);
    let calls = audit.since(since, is_work).await;
    assert!(calls.is_empty(), "at rest: {calls:#?}");
}
