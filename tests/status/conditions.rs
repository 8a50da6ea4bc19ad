//! The conditions, from nothing to all copies current, and what is in the way.

use serde_json::json;

use crate::harness::credentials::pod;
use crate::scene::{Scene, condition};

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_wait_for_synced_waits_for_the_source_and_all_copies() {
    let scene = Scene::set("waited").await;
    let namespaces = [scene.namespace("waited").await, scene.namespace("waited").await];
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("SourceValid=False").await;
    let status = scene.status().await;
    assert_eq!(condition(&status, "SourceValid"), "False SecretMissing");
    assert_eq!(condition(&status, "Ready"), "False SecretMissing");
    assert_eq!(condition(&status, "Synced"), "False SourceInvalid");
    let object = format!("regcred/{}", scene.name);
    let early = ["wait", "--for=condition=Synced", &object, "--timeout=1s"];
    assert!(scene.control_plane().kubectl(&early).await.failed().contains("timed out"));

    scene.bring_source(&["a.example", "b.example"]).await;
    scene.wait_for("Synced").await;
    for namespace in &namespaces {
        let copy = format!("regcred-{}", scene.name);
        scene.kubectl(&["get", "secret", &copy, "--namespace", namespace]).await;
    }
    let status = scene.status().await;
    assert_eq!(condition(&status, "SourceValid"), "True Usable");
    assert_eq!(condition(&status, "Ready"), "True AllCurrent");
    assert_eq!(condition(&status, "Conflict"), "False NoConflict");
    assert_eq!(status["copies"], json!({"wanted": 2, "synced": 2, "failed": 0}));
    assert_eq!(status["registries"], json!(["a.example", "b.example"]));
    scene.told("default", &scene.name, &["SourceBroken", "SourceRecovered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_demand_a_copy_is_wanted_where_a_pod_needs_it() {
    let scene = Scene::set("demanded").await;
    let (busy, _idle) = (scene.namespace("busy").await, scene.namespace("idle").await);
    scene.bring_source(&["demanded.example"]).await;
    scene.offer(json!({})).await;
    scene.wait_for("Synced").await;
    let status = scene.status().await;
    assert_eq!(condition(&status, "Ready"), "True NothingWanted");
    scene.apply(&pod(&busy, "puller", &["demanded.example/team/app:1"])).await;
    let status = scene.until("in demand", |status| status["copies"]["wanted"] == 1).await;
    assert_eq!(status["summary"]["synced"], "1/1", "{status}");
    assert_eq!(condition(&status, "Ready"), "True AllCurrent");
    scene.kubectl(&["delete", "pod", "puller", "--namespace", &busy, "--force"]).await;
    scene.until("no longer in demand", |status| status["copies"]["wanted"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_follows_the_spec() {
    let scene = Scene::set("followed").await;
    scene.bring_source(&["a.example", "b.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Synced").await;
    assert_eq!(scene.status().await["observedGeneration"], 1);
    let patch = json!({"spec": {"images": ["b.example/team"]}}).to_string();
    scene.kubectl(&["patch", "regcred", &scene.name, "--type=merge", "-p", &patch]).await;
    // kubectl looks at the generation that the condition is about.
    scene.wait_for("Synced").await;
    let status = scene.status().await;
    assert_eq!(status["observedGeneration"], 2);
    assert!(status["conditions"].as_array().unwrap().iter().all(|one| one["observedGeneration"] == 2));
    assert_eq!(status["registries"], json!(["b.example"]));

    // What the schema cannot see: a port that is none.
    let patch = json!({"spec": {"images": ["b.example:port"]}}).to_string();
    scene.kubectl(&["patch", "regcred", &scene.name, "--type=merge", "-p", &patch]).await;
    let status = scene.until("about the third spec", |status| status["observedGeneration"] == 3).await;
    assert_eq!(condition(&status, "Ready"), "False InvalidSpec");
    assert!(status["conditions"][0]["message"].as_str().unwrap().contains("b.example:port"), "{status}");
    scene.told("default", &scene.name, &["InvalidSpec"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_comes_again_begins_anew() {
    let scene = Scene::set("again").await;
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager", "mode": "Audit"})).await;
    scene.until("in mode Audit", |status| condition(status, "Ready") == "True Audit").await;
    let first = scene.object().await;
    scene.kubectl(&["delete", "regcred", &scene.name]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    let status =
        scene.until("that of the second", |status| condition(status, "Ready") == "True NothingWanted").await;
    assert_ne!(scene.object().await["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(status["observedGeneration"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_in_the_way_is_told_until_it_has_gone() {
    let scene = Scene::set("foreign").await;
    let (taken, free) = (scene.namespace("taken").await, scene.namespace("free").await);
    let copy = format!("regcred-{}", scene.name);
    let foreign =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": copy, "namespace": taken}});
    scene.apply(&foreign).await;
    scene.bring_source(&["a.example"]).await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("Conflict").await;
    let status = scene.until("synced elsewhere", |status| status["copies"]["synced"] == 1).await;
    assert_eq!(condition(&status, "Ready"), "False ForeignSecret");
    assert_eq!(condition(&status, "Synced"), "False Conflict");
    assert_eq!(status["copies"]["failed"], 1);
    let failure = &status["copies"]["failures"][0];
    assert_eq!(
        (failure["namespace"].as_str().unwrap(), &failure["reason"]),
        (&*taken, &json!("ForeignSecret"))
    );
    scene.told("default", &scene.name, &["Conflict"]).await;
    scene.told(&taken, &taken, &["CopyConflict"]).await;
    assert!(scene.events(&free, &free).await.is_empty());

    scene.kubectl(&["delete", "secret", &copy, "--namespace", &taken]).await;
    scene.wait_for("Synced").await;
    let status = scene.status().await;
    assert_eq!(condition(&status, "Conflict"), "False NoConflict");
    assert_eq!(condition(&status, "Ready"), "True AllCurrent");
    scene.told("default", &scene.name, &["ConflictResolved"]).await;
}
