//! A Shoot is admitted before a deletion comes, and stored only afterwards.

use std::time::Duration;

use crate::stage::{Stage, refused};

/// The leader has looked at a reservation by then, and what the watches have to tell has been told.
const A_WHILE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_stays_for_a_shoot_that_is_about_to_be_created() {
    let stage = Stage::set("created").await;
    let secret = stage.create_secret("creds").await;
    let write = stage.admitted(|| stage.create_shoot("shoot", &secret)).await;
    tokio::time::sleep(A_WHILE).await;
    let deleted = stage.delete_secret(&secret).await.unwrap();
    stage.shoots.hold(false);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, "is being taken up by Shoot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_stays_for_a_shoot_that_is_about_to_be_pointed_to_it() {
    let stage = Stage::set("pointed").await;
    let (former, secret) = (stage.create_secret("creds-v1").await, stage.create_secret("creds-v2").await);
    stage.create_shoot("shoot", &former).await.unwrap().unwrap();
    let write = stage.admitted(|| stage.point_shoot("shoot", &secret)).await;
    // Every watch has shown the Shoot by then, as it was before.
    tokio::time::sleep(A_WHILE).await;
    let deleted = stage.delete_secret(&secret).await.unwrap();
    stage.shoots.hold(false);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, "is being taken up by Shoot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_of_a_secret_takes_no_reservation_away() {
    let stage = Stage::set("replaced").await;
    let secret = stage.create_secret("creds").await;
    let write = stage.admitted(|| stage.create_shoot("shoot", &secret)).await;
    stage.replace_secret(&secret).await.unwrap();
    let deleted = stage.delete_secret(&secret).await.unwrap();
    stage.shoots.hold(false);
    let taken = write.await.unwrap();
    stage.judge("shoot", &secret).await;
    taken.unwrap();
    refused(&deleted, "is being taken up by Shoot");
}
