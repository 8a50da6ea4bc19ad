use std::os::unix::fs::PermissionsExt as _;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::Value;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// A folder with a base in it, and the arguments for an overlay `certs/development` beside that base.
fn prepared(more: &[&str]) -> (tempfile::TempDir, Arguments) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("manifests");
    fs::create_dir(&base).unwrap();
    fs::write(base.join("kustomization.yaml"), "resources: []\n").unwrap();
    let output = folder.path().join("certs/development");
    let arguments = ["certificates", "--base", base.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let command = Command::try_parse_from(arguments.iter().chain(more)).unwrap();
    (folder, command.arguments)
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(490_896)
}

fn documents(arguments: &Arguments, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(arguments.output.join(file)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

fn decoded(value: &Value) -> String {
    String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_overlay_holds_the_pair_and_trusts_its_authority_in_both_webhook_configurations() {
    let (_folder, arguments) = prepared(&[]);
    write(&arguments, now()).unwrap();

    let authority = fs::read_to_string(arguments.output.join("ca.crt")).unwrap();
    let patches = documents(&arguments, "ca-bundle-patch.yaml");
    let kinds: Vec<_> = patches.iter().map(|patch| patch["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);
    let entries: Vec<&Value> =
        patches.iter().flat_map(|patch| patch["webhooks"].as_array().unwrap()).collect();
    let names: Vec<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, crate::policy::Rule::ALL.map(crate::policy::Rule::webhook));
    for entry in entries {
        assert_eq!(decoded(&entry["clientConfig"]["caBundle"]), authority);
    }

    let secret = &documents(&arguments, "tls-secret.yaml")[0];
    assert_eq!(secret["type"], "kubernetes.io/tls");
    assert_eq!(secret["metadata"]["namespace"], "regcred-system");
    assert!(decoded(&secret["data"]["tls.crt"]).starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(decoded(&secret["data"]["tls.key"]).starts_with("-----BEGIN PRIVATE KEY-----"));

    let deployment = &documents(&arguments, "deployment-patch.yaml")[0];
    assert_eq!(deployment["metadata"]["namespace"], "regcred-system");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], secret["metadata"]["name"]);

    let kustomization = &documents(&arguments, "kustomization.yaml")[0];
    assert_eq!(kustomization["resources"][0], "../../manifests");
    let patches = serde_json::json!([{"path": "ca-bundle-patch.yaml"}, {"path": "deployment-patch.yaml"}]);
    assert_eq!(kustomization["patches"], patches);
    assert!(kustomization.get("images").is_none());
}

#[test]
fn only_the_owner_may_read_the_key_even_where_a_readable_file_was() {
    let (_folder, arguments) = prepared(&["--force"]);
    fs::create_dir_all(&arguments.output).unwrap();
    let path = arguments.output.join("tls-secret.yaml");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write(&arguments, now()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn version_control_is_told_to_leave_the_overlay_alone() {
    let (_folder, arguments) = prepared(&[]);
    write(&arguments, now()).unwrap();
    let ignored = fs::read_to_string(arguments.output.join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"));
}

#[test]
fn an_overlay_that_is_there_is_replaced_only_by_force() {
    let (_folder, mut arguments) = prepared(&[]);
    write(&arguments, now()).unwrap();
    let first = fs::read_to_string(arguments.output.join("ca.crt")).unwrap();

    let message = write(&arguments, now()).unwrap_err().to_string();
    assert!(message.contains("already holds kustomization.yaml; give --force"), "{message}");
    assert_eq!(fs::read_to_string(arguments.output.join("ca.crt")).unwrap(), first);

    arguments.force = true;
    write(&arguments, now()).unwrap();
    assert_ne!(fs::read_to_string(arguments.output.join("ca.crt")).unwrap(), first);
    let left: Vec<_> = fs::read_dir(&arguments.output)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_image_replaces_the_one_of_the_base() {
    let (_folder, arguments) = prepared(&["--image", "localhost:5000/regcred:2"]);
    write(&arguments, now()).unwrap();
    let image = &documents(&arguments, "kustomization.yaml")[0]["images"][0];
    assert_eq!(image["name"], "regcred");
    assert_eq!(image["newName"], "localhost:5000/regcred");
    assert_eq!(image["newTag"], "2");
}

#[test]
fn what_cannot_become_an_overlay_is_refused_with_a_sentence() {
    let (folder, mut arguments) = prepared(&[]);
    arguments.output = arguments.base.join("overlays/development");
    let message = write(&arguments, now()).unwrap_err().to_string();
    assert!(message.contains("which kustomize refuses as a cycle"), "{message}");

    arguments.base = folder.path().join("nothing");
    let message = write(&arguments, now()).unwrap_err().to_string();
    assert!(message.contains("is not a kustomize base"), "{message}");

    let (_folder, arguments) = prepared(&["--namespace", "reg cred"]);
    let message = write(&arguments, now()).unwrap_err().to_string();
    assert!(message.contains("neither a DNS name nor"), "{message}");
}

#[test]
fn what_was_written_says_what_to_do_next() {
    let (_folder, arguments) = prepared(&["--days", "30"]);
    let text = write(&arguments, now()).unwrap().to_string();
    assert!(text.contains("valid until 2026-01-31T00:00:00Z"), "{text}");
    assert!(text.contains(&format!("kubectl apply -k {}", arguments.output.display())), "{text}");
}

#[test]
fn in_another_namespace_everything_is_there() {
    let (_folder, arguments) = prepared(&["--namespace", "elsewhere"]);
    write(&arguments, now()).unwrap();
    for file in ["tls-secret.yaml", "deployment-patch.yaml"] {
        assert_eq!(documents(&arguments, file)[0]["metadata"]["namespace"], "elsewhere", "{file}");
    }
}
