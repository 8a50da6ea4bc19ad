//! `regcred check --state` says of a `ModuleTemplate` what the server does: each is judged on a dump of the Secrets and
//! credentials, and then written, without being stored.

use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::control_plane::{ControlPlane, unique};
use crate::harness::credentials::{raw_secret, registry_secret};
use crate::scene::{KEY, in_registry, installation, known, label, labelling, layer, template, v2, v3};

/// What is said of a `ModuleTemplate`, and what becomes of its descriptor where it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    allowed: bool,
    message: String,
    warnings: Vec<String>,
    descriptor: Value,
}

impl Verdict {
    /// The server's, about an object in a file.
    async fn of_server(control_plane: &ControlPlane, written: &str) -> Self {
        let create = ["create", "--dry-run=server", "-o", "json", "-f", written];
        let answer = control_plane.kubectl_as(User::Admin, &create).await;
        let lines = answer.stderr.lines();
        let message = answer.stderr.split_once("denied the request: ");
        Self {
            allowed: answer.code == 0,
            message: message.map_or("", |(_, message)| message.trim()).into(),
            warnings: lines.filter_map(|line| line.strip_prefix("Warning: ")).map(str::to_owned).collect(),
            descriptor: serde_json::from_str::<Value>(&answer.stdout)
                .map_or(Value::Null, |object| object["spec"]["descriptor"].clone()),
        }
    }

    /// The command's, in a cluster of these objects.
    fn offline(control_plane: &ControlPlane, written: &str, state: &[Value]) -> Self {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": state});
        let state = control_plane.manifest(&list.to_string());
        let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
            .args(["check", "-o", "json", "-f", written, "--state", &state])
            .output()
            .unwrap();
        let line: Value = serde_json::from_slice(&run.stdout).unwrap();
        let allowed = line["allowed"].as_bool().unwrap();
        assert_eq!(run.status.code(), Some(i32::from(!allowed)));
        let mut object: Value = serde_json::from_str(&std::fs::read_to_string(written).unwrap()).unwrap();
        if !line["patch"].is_null() {
            let patch: json_patch::Patch = serde_json::from_value(line["patch"].clone()).unwrap();
            json_patch::patch(&mut object, &patch).unwrap();
        }
        Self {
            allowed,
            message: line["message"].as_str().unwrap_or_default().into(),
            warnings: serde_json::from_value(line["warnings"].clone()).unwrap(),
            descriptor: if allowed { object["spec"]["descriptor"].clone() } else { Value::Null },
        }
    }
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
    let server = Verdict::of_server(control_plane, &written).await;
    assert_eq!(Verdict::offline(control_plane, &written, &secrets), server);
    assert_eq!((server.allowed, server.warnings.len()), (allowed, warnings), "{server:?}");
}

impl Names {
    /// A registry of the case's own.
    fn registry(&self) -> String {
        format!("{}.example", self.value)
    }

    /// A module there whose layer lacks the label.
    fn unlabelled(&self, schema: fn(Value) -> Value) -> Value {
        in_registry(
            schema(json!([layer("raw-manifest", json!([])), layer("config", Value::Null)])),
            &self.registry(),
        )
    }

    /// A credential with more in its spec, and its source, which is the Secret that its label selects.
    fn credential(&self, more: &Value) -> Vec<Value> {
        let mut credential = labelling(&self.value, &self.registry(), json!({KEY: self.value}));
        credential["spec"].as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        let source = registry_secret("kyma-system", &self.value, &[&self.registry()]);
        vec![credential, self.secret(source, true)]
    }
}

/// A descriptor, the objects of the cluster, and how many credentials for the registry itself every server must know first.
type Cluster = fn(&Names) -> (Value, Vec<Value>, usize);

#[rstest]
#[case::labelled(|names: &Names| (names.unlabelled(v2), names.credential(&json!({})), 1), true, 0)]
#[case::labelled_v3(|names: &Names| (names.unlabelled(v3), names.credential(&json!({})), 1), true, 0)]
#[case::audited(|names: &Names| (names.unlabelled(v2), names.credential(&json!({"mode": "Audit"})), 1), false, 1)]
#[case::of_another_registry(
    |names: &Names| (names.unlabelled(v2), names.credential(&json!({"images": [format!("{}/other", names.registry())]})), 0),
    false, 0
)]
#[case::two_that_agree(|names: &Names| {
    let other = Names { value: format!("{}-other", names.value) };
    let mut objects = names.credential(&json!({}));
    let mut second = labelling(&other.value, &names.registry(), json!({KEY: names.value}));
    second["spec"]["secretRef"]["name"] = names.value.clone().into();
    objects.push(second);
    (names.unlabelled(v2), objects, 2)
}, true, 0)]
#[case::rivals(|names: &Names| {
    let mut objects = names.credential(&json!({}));
    let mut rival = labelling(&format!("{}-rival", names.value), &names.registry(), json!({KEY: "rival"}));
    rival["spec"]["secretRef"]["name"] = names.value.clone().into();
    objects.push(rival);
    (names.unlabelled(v2), objects, 2)
}, false, 1)]
#[case::the_narrower(|names: &Names| {
    let mut objects = names.credential(&json!({}));
    let base = format!("{}/org", names.registry());
    let mut wider = labelling(&format!("{}-wider", names.value), &names.registry(), json!({KEY: "wider"}));
    wider["spec"]["secretRef"]["name"] = names.value.clone().into();
    objects[0]["spec"]["images"] = json!([base]);
    objects.push(wider);
    (in_registry(v2(json!([layer("raw-manifest", json!([]))])), &base), objects, 1)
}, true, 0)]
#[case::without_its_source(|names: &Names| {
    let mut objects = names.credential(&json!({}));
    objects.truncate(1);
    (names.unlabelled(v2), objects, 1)
}, false, 1)]
#[case::beside_a_malformed_label(|names: &Names| {
    let malformed = json!([{"name": "oci-registry-cred", "value": "a=b"}]);
    let layers = json!([layer("raw-manifest", malformed), layer("config", json!([]))]);
    (in_registry(v2(layers), &names.registry()), names.credential(&json!({})), 1)
}, false, 0)]
#[case::labels_that_are_no_list(|names: &Names| {
    let layers = json!([layer("raw-manifest", json!({"a": "b"})), layer("config", json!([]))]);
    (in_registry(v2(layers), &names.registry()), names.credential(&json!({})), 1)
}, false, 0)]
#[tokio::test(flavor = "multi_thread")]
async fn check_labels_a_module_and_judges_it_then_as_the_server_does(
    #[case] case: Cluster,
    #[case] allowed: bool,
    #[case] warnings: usize,
) {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let names = Names { value: unique("creds") };
    let (descriptor, objects, sources) = case(&names);
    for object in &objects {
        control_plane.apply(&object.to_string()).await;
    }
    let has_sources = objects.iter().any(|object| object["kind"] == "Secret");
    if sources > 0 {
        known(installation, &names.registry(), sources, has_sources).await;
    }
    let object = template(&unique("sample"), &descriptor);
    let written = control_plane.manifest(&object.to_string());
    let server = Verdict::of_server(control_plane, &written).await;
    assert_eq!(Verdict::offline(control_plane, &written, &objects), server);
    assert_eq!((server.allowed, server.warnings.len()), (allowed, warnings), "{server:?}");
}
