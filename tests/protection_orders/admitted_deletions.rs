//! A deletion is allowed before a Shoot comes, and goes through only afterwards.

use crate::harness::patches::Way;
use crate::stage::{Stage, refused, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_allowed_before_a_shoot_came_is_judged_anew() {
    let stage = Stage::set("judged-anew").await;
    let secret = stage.create_secret("creds").await;
    let deletion = stage.admitted_deletion(&secret).await;
    let taken = stage.create_shoot("shoot", &secret).await.unwrap();
    stage.deletions.hold(false);
    let deleted = deletion.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, "is still used by Shoot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_is_admitted_by_what_its_reservation_has_landed_on() {
    let stage = Stage::set("landed").await;
    let secret = stage.create_secret("creds").await;
    let deletion = stage.admitted_deletion(&secret).await;
    let patches = stage.server.proxy().patches();
    patches.set(Way::Closed);
    let write = stage.create_shoot("shoot", &secret);
    until("the reservation is on its way", async || patches.waiting() > 0).await;
    stage.deletions.hold(false);
    deletion.await.unwrap().unwrap();
    patches.set(Way::Open);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    refused(&taken, "does not exist");
    assert_eq!(stage.marks(&secret).await, None, "a reservation brings no Secret back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_about_which_nobody_answers_is_not_stored() {
    let stage = Stage::set("unanswered").await;
    let secret = stage.create_secret("creds").await;
    let deletion = stage.admitted_deletion(&secret).await;
    stage.answer_reviews(false);
    let taken = stage.create_shoot("shoot", &secret).await.unwrap();
    stage.deletions.hold(false);
    let deleted = deletion.await.unwrap();
    stage.answer_reviews(true);
    stage.judge("shoot", &secret).await;
    refused(&taken, "failed calling webhook \"secret-references.regcred.dev\"");
    deleted.unwrap();
}
