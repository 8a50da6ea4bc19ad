//! `kubectl debug`: an image that is added to a pod whose pull Secrets can no longer change.

use super::scene::{Scene, pods};
use crate::harness::User;
use crate::harness::credentials::pod;

/// Adds a container of this image to a pod, and returns what kubectl complained about.
async fn debug(scene: &Scene, namespace: &str, name: &str, image: &str) -> String {
    let target = format!("pod/{name}");
    let arguments =
        ["debug", &target, "--namespace", namespace, "--image", image, "--profile=general", "--attach=false"];
    let output = scene.control_plane().kubectl_as(User::Developer, &arguments).await;
    let stderr = output.stderr.clone();
    output.succeeded();
    stderr
}

async fn debuggers(scene: &Scene, namespace: &str, name: &str) -> usize {
    let stored = scene.get(&format!("{}/{name}", pods(namespace))).await.unwrap();
    stored["spec"]["ephemeralContainers"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn an_image_whose_secret_the_pod_does_not_name_is_warned_of_and_added() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("debug").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "public", &["public.example/app"])).await.object();
    let said = debug(&scene, &namespace, "public", &offer.image()).await;
    let expected = format!(
        "Warning: this image needs pull Secret {}, which pod public does not name and cannot be given any more\n",
        offer.copy()
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(debuggers(&scene, &namespace, "public").await, 1);

    // A public image beside it is not the time to say it again.
    let said = debug(&scene, &namespace, "public", "public.example/debugger").await;
    assert!(!said.contains("pull Secret"), "{said}");
    assert_eq!(debuggers(&scene, &namespace, "public").await, 2);
}

#[tokio::test]
async fn an_image_whose_secret_the_pod_names_is_added_without_a_word() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("debug").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "private", &[&offer.image()])).await.object();
    let said = debug(&scene, &namespace, "private", &format!("{}/team/debugger", offer.registry)).await;
    assert!(!said.contains("pull Secret"), "{said}");
    assert_eq!(debuggers(&scene, &namespace, "private").await, 1);
}
