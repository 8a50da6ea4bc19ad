//! `regcred check --state` says of a `ModuleTemplate` what the server does: each is judged on a dump of the Secrets, and then
//! written, without being stored.

use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{raw_secret, registry_secret};
use crate::scene::{KEY, installation, label, layer, template, v2, v3};

/// What is said of a `ModuleTemplate`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    allowed: bool,
    message: String,
    warnings: Vec<String>,
}

/// The label of one case's own, and its Secrets.
struct Names {
    value: String,
}

impl Names {
    fn labelled(&self, schema: fn(Value) -> Value) -> Value {
        schema(json!([layer("raw-manifest", json!([label(&self.value)]))]))
    }

    fn secret(&self, mut secret: Value, managed: bool) -> Value {
        secret["metadata"]["labels"] = json!({KEY: self.value});
        if managed {
            secret["metadata"]["labels"]["operator.kyma-project.io/managed-by"] = "lifecycle-manager".into();
        }
        secret
    }

    fn covering(&self, number: usize) -> Value {
        self.secret(registry_secret("kyma-system", &format!("{}-{number}", self.value), &["ghcr.io"]), true)
    }
}

type Case = fn(&Names) -> (Value, Vec<Value>);

#[rstest]
#[case::empty(|_: &Names| (json!({}), vec![]), true, 0)]
#[case::of_no_schema(|_: &Names| (json!({"a": "b"}), vec![]), true, 1)]
#[case::without_label(|_: &Names| (v2(json!([layer("raw-manifest", json!([]))])), vec![]), false, 0)]
#[case::without_label_v3(|_: &Names| (v3(json!([layer("raw-manifest", json!([]))])), vec![]), false, 0)]
#[case::malformed(
    |_: &Names| (v2(json!([layer("a", json!([{"name": "oci-registry-cred", "value": {"a": 1}}]))])), vec![]), false, 0
)]
#[case::no_secret(|names: &Names| (names.labelled(v2), vec![]), true, 1)]
#[case::covered(|names: &Names| (names.labelled(v2), vec![names.covering(1)]), true, 0)]
#[case::covered_v3(|names: &Names| (names.labelled(v3), vec![names.covering(1)]), true, 0)]
#[case::ambiguous(|names: &Names| (names.labelled(v2), vec![names.covering(1), names.covering(2)]), true, 1)]
#[case::unmanaged(|names: &Names| {
    let secret = registry_secret("kyma-system", &names.value, &["ghcr.io"]);
    (names.labelled(v2), vec![names.secret(secret, false)])
}, true, 1)]
#[case::of_another_registry(|names: &Names| {
    let secret = registry_secret("kyma-system", &names.value, &["quay.io"]);
    (names.labelled(v2), vec![names.secret(secret, true)])
}, true, 1)]
#[case::broken(|names: &Names| {
    let secret = raw_secret("kyma-system", &names.value, r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#);
    (names.labelled(v2), vec![names.secret(secret, true)])
}, true, 2)]
#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_a_module_what_the_server_does(
    #[case] case: Case,
    #[case] allowed: bool,
    #[case] warnings: usize,
) {
    let control_plane = installation().await.control_plane();
    let names = Names { value: unique("creds") };
    let (descriptor, secrets) = case(&names);
    for secret in &secrets {
        control_plane.apply(&secret.to_string()).await;
    }
    let object = template(&unique("sample"), &descriptor);

    let written = control_plane.manifest(&object.to_string());
    let create = ["create", "--dry-run=server", "-f", &written];
    let answer = control_plane.kubectl_as(User::Admin, &create).await;
    let lines = answer.stderr.lines();
    let server = Verdict {
        allowed: answer.code == 0,
        message: answer
            .stderr
            .split_once("denied the request: ")
            .map_or("", |(_, message)| message.trim())
            .into(),
        warnings: lines.filter_map(|line| line.strip_prefix("Warning: ")).map(str::to_owned).collect(),
    };

    let list = json!({"apiVersion": "v1", "kind": "List", "items": secrets});
    let state = control_plane.manifest(&list.to_string());
    let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["check", "-o", "json", "-f", &written, "--state", &state])
        .output()
        .unwrap();
    let line: Value = serde_json::from_slice(&run.stdout).unwrap();
    let offline = Verdict {
        allowed: line["allowed"].as_bool().unwrap(),
        message: line["message"].as_str().unwrap_or_default().into(),
        warnings: serde_json::from_value(line["warnings"].clone()).unwrap(),
    };
    assert_eq!(offline, server);
    assert_eq!((server.allowed, server.warnings.len()), (allowed, warnings), "{server:?}");
    assert_eq!(run.status.code(), Some(i32::from(!allowed)));
}
