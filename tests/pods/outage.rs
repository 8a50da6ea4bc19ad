//! Pods that were admitted while nobody answered are found and told of, and their copy is made.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;

use crate::harness::Installation;
use crate::scene::{Fate, Scene, pull_secrets};

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_an_outage_are_counted_and_told_of_and_get_their_copy_and_are_left_alone() {
    let installation = Installation::start(&[]).await;
    let scene = Scene::enter(&installation).await;
    scene.offer().await;
    installation.service().set_backends(Vec::new());
    installation.replicas().iter().for_each(|replica| replica.backend().cut());
    let (failing, running) =
        (scene.replica_set("failing", 1).await.remove(0), scene.bare_pod("running").await);
    assert!(pull_secrets(&failing).is_empty() && pull_secrets(&running).is_empty(), "somebody answered");
    installation.publish();
    scene.counted([0, 0, 2]).await;
    scene.fares(&failing, Fate::Failing).await;
    scene.fares(&running, Fate::Running).await;
    scene.counted([1, 1, 0]).await;

    // Nobody was asked to make it, but their images need it.
    scene.until("the copy", async || scene.api::<Secret>().get_opt(&scene.copy()).await.unwrap()).await;
    scene.is_told(&failing.name_any(), "PullSecretMissing").await;
    scene.is_told(&scene.namespace, "PullSecretMissing").await;
    let evictions = installation.control_plane().audit().count(|call| call.subresource == "eviction").await;
    assert_eq!(evictions, 0, "nobody allowed that");

    // What the Event asks for helps.
    scene
        .api::<k8s_openapi::api::core::v1::Pod>()
        .delete(&failing.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let replacement = scene
        .until("a replacement", async || {
            scene.pods("failing").await.into_iter().find(|pod| pod.metadata.uid != failing.metadata.uid)
        })
        .await;
    assert_eq!(pull_secrets(&replacement), [scene.copy()]);
    scene.counted([1, 0, 0]).await;
}
