//! While no server answers, the API server itself keeps what is marked as in use. So the mark must be there whenever it counts.

use std::time::Duration;

use crate::harness::patches::Way;
use crate::stage::{Stage, refused, until};

/// The leader takes a mark off in less time that nothing needs, and a review has more for two patches that each take so long.
const LATE: Duration = Duration::from_millis(2_500);

const FAILED: &str = "failed calling webhook \"secrets-in-use.regcred.dev\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_comes_with_the_mark() {
    let stage = Stage::set("marked").await;
    let secret = stage.create_secret("creds").await;
    stage.server.proxy().patches().set(Way::Slow(LATE));
    let write = stage.admitted(|| stage.create_shoot("shoot", &secret)).await;
    stage.answer_reviews(false);
    let deleted = stage.delete_secret(&secret).await.unwrap();
    stage.answer_reviews(true);
    stage.shoots.hold(false);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, FAILED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_takes_off_only_what_it_has_looked_at() {
    let stage = Stage::set("looked-at").await;
    let secret = stage.create_secret("creds").await;
    stage.create_shoot("former", &secret).await.unwrap().unwrap();
    until("the former Shoot is settled", async || stage.marks(&secret).await == Some((true, 0))).await;
    let patches = stage.leader.proxy().patches();
    patches.set(Way::Closed);
    stage.delete_shoot("former").await;
    until("the leader takes the mark off", async || patches.waiting() > 0).await;
    let write = stage.admitted(|| stage.create_shoot("shoot", &secret)).await;
    let answered = stage.patches_of_leader().await;
    patches.set(Way::Open);
    until("it is answered", async || stage.patches_of_leader().await > answered).await;
    stage.answer_reviews(false);
    let deleted = stage.delete_secret(&secret).await.unwrap();
    stage.answer_reviews(true);
    stage.shoots.hold(false);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, FAILED);
}
