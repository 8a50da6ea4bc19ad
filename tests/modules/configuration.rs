//! The configuration file, as a running server follows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::control_plane::unique;
use crate::harness::{Installation, User};
use crate::scene::{know_modules, layer, registered, template, v2};

/// A change is an event of the file's folder, taken up in well under a second; a busy machine takes longer.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(20);

/// Replaces the file as the kubelet does: all at once.
pub(crate) fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, format!("apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n{text}")).unwrap();
    fs::rename(new, path).unwrap();
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < TAKEN_UP_WITHIN, "not after {TAKEN_UP_WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until every server has taken up so many files, that of its start among them.
pub(crate) async fn taken_up(installation: &Installation, files: u32) {
    until("the configuration is taken up", async || {
        let mut all = true;
        for replica in installation.replicas() {
            let metrics = replica.metrics().await;
            let taken = metrics.sum("regcred_configuration_reloads_total", &[("result", "success")]);
            all &= taken >= f64::from(files);
        }
        all
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_up_once_by_every_server_and_a_bad_one_is_told_of_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("regcred.yaml");
    write(&path, "");
    let installation = Installation::start(&[&format!("--config={}", path.display())]).await;
    let control_plane = installation.control_plane();
    know_modules(control_plane).await;
    registered(control_plane).await;
    let is_refused = async || {
        let object = template(&unique("sample"), &v2(json!([layer("raw-manifest", json!([]))])));
        let file = control_plane.manifest(&object.to_string());
        control_plane.kubectl_as(User::Admin, &["create", "--dry-run=server", "-f", &file]).await.code != 0
    };
    let all_say = async |holds: fn(&str) -> bool| {
        let mut all = true;
        for replica in installation.replicas() {
            let (status, body) = replica.get("/readyz").await.unwrap();
            assert_eq!(status, 200, "{body}");
            all &= holds(&body);
        }
        all
    };
    let successful = async |expected: bool| {
        let mut all = true;
        for replica in installation.replicas() {
            let last = replica.metrics().await.sum("regcred_configuration_last_reload_successful", &[]);
            all &= (last > 0.0) == expected;
        }
        all
    };

    write(&path, "modules: {publicRegistries: [ghcr.io/org]}");
    until("the registry is public", async || !is_refused().await).await;
    assert!(successful(true).await);

    write(&path, "modules: {publicRegistrys: []}");
    until("the mistake is told of", async || {
        all_say(|body| body.starts_with("ok\nremark: ") && body.contains("unknown field `publicRegistrys`"))
            .await
    })
    .await;
    assert!(successful(false).await);
    assert!(!is_refused().await, "what was before stays");
    for replica in installation.replicas() {
        let log = replica.log();
        let told = log.lines().filter(|line| line.contains("the new configuration is not taken"));
        let told: Vec<&str> = told.collect();
        assert!(told.len() == 1 && told[0].contains("unknown field `publicRegistrys`"), "{told:#?}");
    }

    write(&path, "modules: {}");
    until("the registry is private", is_refused).await;
    until("nothing is told of", async || all_say(|body| body == "ok\n").await && successful(true).await)
        .await;

    // However many reviews there were: at the start, and with each of the changes.
    for replica in installation.replicas() {
        let metrics = replica.metrics().await;
        let [taken, left] = ["success", "failure"]
            .map(|result| metrics.sum("regcred_configuration_reloads_total", &[("result", result)]));
        assert_eq!((taken, left), (3.0, 1.0), "{}", replica.name());
    }
}

#[test]
fn a_server_does_not_start_with_a_bad_file_and_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regcred.yaml");
    write(&path, "modules: {publicRegistrys: []}");
    let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--config"])
        .arg(&path)
        // It need not be there: nothing is asked before the configuration has been read.
        .env("KUBECONFIG", folder.path().join("no-kubeconfig"))
        .output()
        .unwrap();
    let errors = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{errors}");
    assert!(errors.contains("line 3") && errors.contains("unknown field `publicRegistrys`"), "{errors}");
    assert!(errors.contains("regcred manifests config-schema"), "{errors}");
}
