//! Objects of other projects, where they are at hand.

use std::io::Write;
use std::path::Path;

use super::command::{CANARY, Files};

const PORCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/porch");

/// Past the test runner, which keeps back what a test prints that does not fail.
pub(super) fn skipped(folder: &Path) {
    let sentence =
        format!("\n!! SKIPPED: {} is not there, so no object in it was judged\n", folder.display());
    std::io::stderr().write_all(sentence.as_bytes()).unwrap();
}

fn state(copy_name: &str) -> Files {
    Files::with(
        "state.yaml",
        format!(
            "apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {{name: porch}}\n\
             spec:\n  secretRef: {{namespace: porch-system, name: auth-secret}}\n  namespaces: [porch-fn-system]\n  \
             copyName: {copy_name}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: auth-secret, namespace: porch-system}}\n\
             type: kubernetes.io/dockerconfigjson\n\
             stringData: {{.dockerconfigjson: '{{\"auths\":{{\"ghcr.io\":{{\"password\":\"{CANARY}\"}}}}}}'}}\n\
             ---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: porch-fn-system}}\n"
        ),
    )
}

/// A function pod gets one entry; everything else of Porch is none of our business.
#[test]
fn every_object_of_porch_is_judged_sensibly() {
    if !Path::new(PORCH).is_dir() {
        return skipped(Path::new(PORCH));
    }
    let run = state("pull").check(&["-f", PORCH, "--state", "state.yaml", "-o", "json"]);
    assert_eq!((run.code, run.errors.as_str()), (0, ""));
    let lines = run.lines();
    assert!(lines.len() >= 20, "{}", lines.len());
    let (pods, others): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["kind"] == "Pod");
    assert_eq!(pods.len(), 1);
    assert_eq!(
        pods[0]["patch"],
        serde_json::json!([{"op": "add", "path": "/spec/imagePullSecrets/-", "value": {"name": "pull"}}])
    );
    for line in others {
        assert_eq!((&line["allowed"], line["patch"].is_null()), (&true.into(), true), "{line}");
        assert_eq!(
            (&line["warnings"], &line["effects"]),
            (&serde_json::json!([]), &serde_json::json!([])),
            "{line}"
        );
    }
    let named_already = state("auth-secret").check(&["-f", PORCH, "--state", "state.yaml", "-o", "json"]);
    assert!(named_already.lines().iter().all(|line| line["patch"].is_null()));
}

/// The other folders are for rules to come; what is no object in them must be told, not fallen over.
#[test]
fn no_object_of_others_makes_it_panic() {
    let samples = Path::new(PORCH).parent().unwrap();
    if !samples.is_dir() {
        return skipped(samples);
    }
    let run = state("pull").check(&["-f", samples.to_str().unwrap(), "--state", "state.yaml", "-o", "json"]);
    assert!(run.lines().len() > 50);
    // What is said about modules is shown where ModuleTemplates are.
    for line in run.lines().iter().filter(|line| line["kind"] != "ModuleTemplate") {
        let message = line["message"].as_str().unwrap_or_default();
        let is_missed = message.ends_with("not found") || message.contains("does not exist; create it first");
        assert!(line["allowed"] == true || is_missed, "{line}");
    }
}
