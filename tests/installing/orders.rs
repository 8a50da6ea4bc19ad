//! The orders in which regcred can be taken away.

use std::time::Instant;

use crate::harness::control_plane::ControlPlane;
use crate::harness::installation::NAMESPACE;
use crate::probe::Probe;
use crate::scene::{Scene, figure};

const CRD: [&str; 2] = ["crd", "registrycredentials.regcred.dev"];
const WEBHOOKS: [&str; 2] = ["mutatingwebhookconfiguration,validatingwebhookconfiguration", "regcred"];
const RIGHTS: [&str; 2] = ["clusterrolebinding,clusterrole", "regcred"];
const OWN_NAMESPACE: [&str; 2] = ["namespace", NAMESPACE];

/// What is deleted before the rest is, while servers run.
const ORDERS: [(&str, &[&[&str]]); 5] = [
    ("all at once", &[]),
    ("the namespace first", &[&OWN_NAMESPACE]),
    ("the CustomResourceDefinition first", &[&CRD]),
    ("the webhooks first, then the namespace", &[&WEBHOOKS, &OWN_NAMESPACE]),
    ("the rights first, then the CustomResourceDefinition", &[&RIGHTS, &CRD]),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_deleted_first_nothing_waits_no_copy_is_left_and_it_can_be_installed_again() {
    let scene = Scene::install().await;
    for (number, (order, first)) in ORDERS.into_iter().enumerate() {
        if number > 0 {
            scene.apply().await.unwrap();
        }
        let team = scene.serves().await;
        let probe = Probe::start(scene.control_plane(), &team.namespace, &team.image()).await;
        let begun = Instant::now();
        for thing in first {
            scene.delete(thing).await;
        }
        scene.delete_all(&[]).await;
        let elapsed = begun.elapsed();
        scene.installation.kill_replicas();
        let (pods, slowest) = probe.end().await;
        figure(&format!(
            "{order}: deleted in {elapsed:.1?}; {pods} pods created meanwhile, the slowest in {slowest:.1?}"
        ));
        scene.is_clean_after(&team).await;
    }
}

async fn bundle(control_plane: &ControlPlane) -> String {
    let path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    control_plane.kubectl(&["get", WEBHOOKS[0], "regcred", "-o", path]).await.succeeded()
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_twice_it_serves_on_and_deleted_without_servers_and_applied_at_once_it_serves_again() {
    let scene = Scene::install().await;
    let team = scene.serves().await;
    let probe = Probe::start(scene.control_plane(), &team.namespace, &team.image()).await;
    let trusted = bundle(scene.control_plane()).await;
    scene.apply().await.unwrap();
    assert_eq!(bundle(scene.control_plane()).await, trusted, "what regcred has published stays");
    assert_eq!(scene.diff().await, "", "kubectl finds nothing to change in what it installed");

    // The namespace is still going when the second installation begins, so some of that is refused until it has gone.
    scene.installation.kill_replicas();
    scene.delete_all(&["--wait=false"]).await;
    let limit = std::time::Duration::from_mins(2);
    scene.until("applied again", limit, async || scene.apply().await.ok()).await;
    let (pods, slowest) = probe.end().await;
    figure(&format!("{pods} pods created meanwhile, the slowest in {slowest:.1?}"));
    let again = scene.serves().await;
    scene.delete_all(&[]).await;
    scene.installation.kill_replicas();
    scene.is_clean_after(&team).await;
    scene.is_clean_after(&again).await;
}
