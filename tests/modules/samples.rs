//! Real `ModuleTemplates` and the real kind, where they are at hand: each is written to the API server that its version is
//! served by, and judged offline in any case.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::credentials::{registry_credential, registry_secret};
use crate::harness::{ControlPlane, Installation, User};
use crate::scene::{KEY, know_modules, know_modules_by, registered};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// What each is to be told: refused for these layers, or allowed.
const EXPECTED: [(&str, Option<&str>); 9] = [
    ("moduletemplate-labelled-component-and-resources__klm-1.3.10.yaml", None),
    ("moduletemplate-labelled-install-layer-other-name__klm-1.0.0.yaml", None),
    ("moduletemplate-labelled-v1beta1-use-local-template__klm-c70317e2e.yaml", None),
    ("moduletemplate-unlabelled-fast-channel__klm-24d21bb64.yaml", Some("raw-manifest")),
    ("moduletemplate-unlabelled-localblob-octet-stream__klm-1.3.10.yaml", Some("raw-manifest")),
    (
        "moduletemplate-unlabelled-localblob-x-tar-and-ociartifact__klm-1.3.10.yaml",
        Some("raw-manifest, default-cr, associated-resources"),
    ),
    ("moduletemplate-unlabelled-localociblob__klm-1.0.0.yaml", Some("config, raw-manifest")),
    ("moduletemplate-unlabelled-mandatory__klm-1.3.10.yaml", Some("raw-manifest")),
    ("moduletemplate-unlabelled-v1alpha1__klm-388804d1d.yaml", Some("config, crds, kyma-load-test")),
];

/// Past the test runner, which keeps back what a test prints that does not fail.
fn skipped(what: &str) {
    let sentence = format!("\n!! SKIPPED: {SAMPLES} is not there, so {what}\n");
    std::io::stderr().write_all(sentence.as_bytes()).unwrap();
}

fn sample(name: &str) -> PathBuf {
    Path::new(SAMPLES).join("kyma").join(name)
}

/// What is said of a sample, in which it is told by its layers.
fn is_as_expected(refusal: &str, expected: Option<&str>, name: &str) {
    match expected {
        None => assert_eq!(refusal, "", "{name}"),
        Some(layers) => {
            let told = format!("pull them with: {layers}. Add to each");
            assert!(refusal.contains(&told), "{name}: {refusal}");
        }
    }
}

#[test]
fn every_sample_is_judged_offline_as_it_should_be() {
    if !Path::new(SAMPLES).is_dir() {
        return skipped("no real ModuleTemplate was judged offline");
    }
    let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args([
            "check",
            "-o",
            "json",
            "-f",
            &format!("{SAMPLES}/kyma"),
            "--state",
            &format!("{SAMPLES}/kyma"),
        ])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    let lines: Vec<Value> = String::from_utf8(run.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (name, expected) in EXPECTED {
        let of_sample = |line: &&Value| line["source"].as_str().unwrap().contains(name);
        let line = lines.iter().find(of_sample).unwrap_or_else(|| panic!("{name} was not judged"));
        is_as_expected(line["message"].as_str().unwrap_or_default(), expected, name);
        let no_secret =
            "no Secret has the labels operator.kyma-project.io/oci-registry-cred=operator-regcred";
        assert_eq!(line["warnings"].to_string().contains(no_secret), expected.is_none(), "{line}");
    }
    let judged = lines.iter().filter(|line| line["kind"] == "ModuleTemplate").count();
    assert_eq!(judged, EXPECTED.len());
}

/// `regcred check` of all samples; the code that it exits with, what it prints, and what it says.
fn check(more: &[&str]) -> (Option<i32>, String, String) {
    let samples = format!("{SAMPLES}/kyma");
    let command =
        Command::new(env!("CARGO_BIN_EXE_regcred")).args(["check", "-f", &samples]).args(more).output();
    let run = command.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (run.status.code(), text(run.stdout), text(run.stderr))
}

#[test]
fn every_sample_is_allowed_once_a_credential_says_how_it_is_labelled_or_the_command_has_labelled_it() {
    if !Path::new(SAMPLES).is_dir() {
        return skipped("no real ModuleTemplate was labelled");
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let registries = ["europe-west3-docker.pkg.dev", "europe-docker.pkg.dev", "ghcr.io/ruanxin/signed"];
    let spec = json!({"namespaces": ["kcp-system"], "moduleLabels": {KEY: "operator-regcred"}});
    let items = [
        registry_credential("modules", ("kcp-system", "modules"), spec),
        registry_secret("kcp-system", "modules", &registries),
    ];
    fs::write(&state, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let (code, output, errors) = check(&["--state", state.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{output}{errors}");
    let labelled = output.matches("would add label oci-registry-cred").count();
    assert_eq!(labelled, EXPECTED.iter().filter(|(_, layers)| layers.is_some()).count(), "{output}");

    let (code, output, errors) =
        check(&["--fix", &format!("--registry-cred-selector={KEY}=operator-regcred"), "-o", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(output.lines().count(), EXPECTED.len());
    assert_eq!(errors.matches("added label oci-registry-cred").count(), labelled, "{errors}");
}

/// The versions of the kind that the API server serves, as objects name them.
async fn served(control_plane: &ControlPlane) -> Vec<String> {
    let get = ["get", "crd", "moduletemplates.operator.kyma-project.io", "-o", "json"];
    let crd = control_plane.kubectl(&get).await.json();
    let versions = crd["spec"]["versions"].as_array().unwrap().iter();
    let served = versions.filter(|version| version["served"] == true);
    served.map(|version| format!("operator.kyma-project.io/{}", version["name"].as_str().unwrap())).collect()
}

#[rstest]
#[case::of_the_last_version_that_read_labels(Some("kyma-crd-moduletemplates__klm-1.3.10.yaml"), 7)]
#[case::of_today(Some("kyma-crd-moduletemplates__klm-c5b83f1b.yaml"), 7)]
#[case::of_all_versions(None, EXPECTED.len())]
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_of_a_served_version_is_judged_as_it_is_written(
    #[case] crd: Option<&str>,
    #[case] of_served_versions: usize,
) {
    if !Path::new(SAMPLES).is_dir() {
        return skipped("no real ModuleTemplate was written");
    }
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    match crd {
        Some(crd) => {
            let crd = Path::new(SAMPLES).join("crds").join(crd);
            know_modules_by(control_plane, crd.to_str().unwrap()).await;
        }
        None => know_modules(control_plane).await,
    }
    control_plane.kubectl(&["create", "namespace", "kcp-system"]).await.succeeded();
    registered(control_plane).await;
    let served = served(control_plane).await;
    let mut written = 0;
    for (name, expected) in EXPECTED {
        let path = sample(name);
        let object: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if !served.iter().any(|version| object["apiVersion"] == **version) {
            continue;
        }
        written += 1;
        let create = ["create", "--validate=false", "-f", path.to_str().unwrap()];
        let answer = control_plane.kubectl_as(User::Admin, &create).await;
        let refusal =
            answer.stderr.split_once("denied the request: ").map_or("", |(_, message)| message.trim());
        is_as_expected(refusal, expected, name);
        assert_eq!(answer.code == 0, expected.is_none(), "{name}: {}", answer.stderr);
        if answer.code == 0 {
            // Several samples have one name.
            control_plane.kubectl(&["delete", "-f", path.to_str().unwrap()]).await.succeeded();
        }
    }
    assert_eq!(written, of_served_versions, "samples of the versions {served:?}");
}

#[test]
fn the_secret_of_the_samples_is_one_that_modules_can_be_pulled_with() {
    if !Path::new(SAMPLES).is_dir() {
        return skipped("no real Secret was judged");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.yaml");
    let secret = fs::read_to_string(sample("secret-oci-registry-cred__klm-1.3.10.yaml")).unwrap();
    let warnings = |text: &str| {
        fs::write(&path, text).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_regcred"));
        run.args(["check", "-o", "json", "-f"]).arg(&path);
        let line: Value = serde_json::from_slice(&run.output().unwrap().stdout).unwrap();
        assert_eq!((&line["kind"], &line["allowed"]), (&json!("Secret"), &json!(true)));
        line["warnings"].as_array().unwrap().len()
    };
    assert_eq!(warnings(&secret), 0);
    assert_eq!(warnings(&secret.replace("kubernetes.io/dockerconfigjson", "Opaque")), 1, "it is looked at");
}
