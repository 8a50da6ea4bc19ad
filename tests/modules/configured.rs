//! `regcred check --config` says what the server with that configuration does, also of what replaces a `ModuleTemplate`.

use serde_json::{Value, json};

use crate::both_ways::Verdict;
use crate::configuration::{taken_up, write};
use crate::harness::Installation;
use crate::harness::control_plane::ControlPlane;
use crate::harness::credentials::{raw_secret, registry_secret};
use crate::scene::{KEY, in_registry, know_modules, label, layer, registered, template, v2, v3};

/// A descriptor before, none for what is created; the one that is written; whether it is allowed, and with how many warnings.
type Row = (&'static str, Option<fn() -> Value>, fn() -> Value, bool, usize);

fn labelled(value: &str) -> Value {
    v2(json!([layer("raw-manifest", json!([label(value)]))]))
}

fn unlabelled() -> Value {
    v2(json!([layer("raw-manifest", json!([]))]))
}

fn malformed() -> Value {
    v2(json!([layer("raw-manifest", json!([{"name": "oci-registry-cred", "value": {}}]))]))
}

/// The module in another version, in which its layers are as they were.
fn changed(mut module: Value) -> Value {
    module["component"]["version"] = "1.0.1".into();
    module
}

/// With the defaults.
const UPDATES: &[Row] = &[
    ("the same", Some(unlabelled), unlabelled, true, 0),
    ("wrong as before", Some(unlabelled), || changed(unlabelled()), true, 1),
    ("malformed as before", Some(malformed), || changed(malformed()), true, 1),
    (
        "one more layer",
        Some(unlabelled),
        || v2(json!([layer("raw-manifest", json!([])), layer("config", json!([]))])),
        false,
        1,
    ),
    ("the label taken away", Some(|| labelled("covering")), unlabelled, false, 0),
    ("the label garbled", Some(|| labelled("covering")), malformed, false, 0),
    ("the label added", Some(unlabelled), || labelled("covering"), true, 0),
    ("another label", Some(|| labelled("covering")), || labelled("absent"), true, 1),
    ("another schema", Some(unlabelled), || v3(json!([layer("raw-manifest", json!([]))])), true, 1),
    ("emptied", Some(unlabelled), || json!({}), true, 0),
    ("filled", Some(|| json!({})), unlabelled, false, 0),
];

/// With [`CONFIGURATION`].
const CONFIGURED: &[Row] = &[
    ("in a public registry", None, || in_registry(unlabelled(), "public.example/org"), true, 0),
    ("beside it", None, || in_registry(unlabelled(), "public.example/other"), true, 1),
    ("malformed", None, malformed, false, 0),
    ("no Secret", None, || labelled("absent"), false, 0),
    ("a Secret elsewhere", None, || labelled("elsewhere"), false, 0),
    ("a Secret of another type", None, || labelled("opaque"), false, 0),
    ("a broken Secret", None, || labelled("broken"), false, 0),
    ("a Secret for another registry", None, || in_registry(labelled("covering"), "quay.io/org"), false, 0),
    ("two Secrets", None, || labelled("ambiguous"), true, 1),
    ("a Secret", None, || labelled("covering"), true, 0),
    (
        "a Secret that was missing before",
        Some(|| labelled("absent")),
        || changed(labelled("absent")),
        true,
        1,
    ),
    ("a Secret that is missing now", Some(|| labelled("covering")), || labelled("absent"), false, 0),
];
const CONFIGURATION: &str = "modules:
  publicRegistries: [public.example/org]
  secretNamespaces: [kyma-system]
  findings:
    missingLabel: Warn
    noSecret: Deny
    secretElsewhere: Deny
    unusableSecret: Deny
    uncoveredRegistry: Deny
    unmanagedSecret: Ignore
";

fn secrets() -> Vec<Value> {
    let of = |namespace: &str, name: &str, value: &str| {
        let mut secret = registry_secret(namespace, name, &["ghcr.io"]);
        secret["metadata"]["labels"] = json!({KEY: value});
        secret
    };
    let mut broken = raw_secret("kyma-system", "broken", r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#);
    broken["metadata"]["labels"] = json!({KEY: "broken"});
    let mut opaque = of("kyma-system", "opaque", "opaque");
    opaque["type"] = "Opaque".into();
    let mut covering = of("kyma-system", "covering", "covering");
    covering["metadata"]["labels"]["operator.kyma-project.io/managed-by"] = "lifecycle-manager".into();
    vec![
        covering,
        of("kyma-system", "one", "ambiguous"),
        of("kyma-system", "another", "ambiguous"),
        of("default", "elsewhere", "elsewhere"),
        opaque,
        broken,
    ]
}

/// The objects that are there before.
fn before(table: &str, rows: &[Row]) -> Vec<Value> {
    let before = rows.iter().enumerate();
    before.filter_map(|(number, row)| Some(template(&format!("{table}-{number}"), &row.1?()))).collect()
}

/// Judges the rows both ways.
async fn judge(control_plane: &ControlPlane, table: &str, rows: &[Row], configuration: &[&str]) {
    let written = rows.iter().enumerate();
    let written = written.map(|(number, row)| (row, template(&format!("{table}-{number}"), &row.2())));
    let (updates, creations): (Vec<_>, Vec<_>) = written.partition(|((_, before, ..), _)| before.is_some());
    let old = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": before(table, rows)});
    std::fs::write(old.path(), list.to_string()).unwrap();
    let as_update = ["--operation=update", "--old", old.path().to_str().unwrap()];
    let parts = [("create", creations, &[][..]), ("replace", updates, &as_update)];
    for (verb, rows, more) in parts.into_iter().filter(|(_, rows, _)| !rows.is_empty()) {
        let objects: Vec<Value> = rows.iter().map(|(_, object)| object.clone()).collect();
        let mut offline = Verdict::offline(&objects, &secrets(), &[more, configuration].concat());
        for ((what, _, _, allowed, warnings), object) in rows {
            let server = Verdict::of_server(control_plane, verb, &object).await;
            assert_eq!((server.allowed, server.warnings.len()), (*allowed, *warnings), "{what}: {server:?}");
            assert_eq!(offline.remove(object["metadata"]["name"].as_str().unwrap()), Some(server), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_updates_and_by_a_configuration_what_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regcred.yaml");
    write(&path, "modules: {findings: {missingLabel: Ignore, malformedLabel: Ignore}}");
    let file = path.to_str().unwrap();
    let installation = Installation::start(&[&format!("--config={file}")]).await;
    let control_plane = installation.control_plane();
    know_modules(control_plane).await;
    for object in secrets().iter().chain(&before("updated", UPDATES)) {
        control_plane.apply(&object.to_string()).await;
    }
    write(&path, "");
    taken_up(&installation, 2).await;
    registered(control_plane).await;
    judge(control_plane, "updated", UPDATES, &[]).await;

    for object in before("configured", CONFIGURED) {
        control_plane.apply(&object.to_string()).await;
    }
    write(&path, CONFIGURATION);
    taken_up(&installation, 3).await;
    judge(control_plane, "configured", CONFIGURED, &["--config", file]).await;
}
