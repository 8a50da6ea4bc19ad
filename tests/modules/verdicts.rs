//! `regcred check --state` says of a `ModuleTemplate` that is created what the server does.

use rstest::rstest;
use serde_json::{Value, json};

use crate::both_ways::Verdict;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{raw_secret, registry_secret};
use crate::scene::{KEY, in_registry, installation, known, label, labelling, layer, template, v2, v3};

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

/// A descriptor, and the Secrets of the cluster.
type Case = fn(&Names) -> (Value, Vec<Value>);

/// What is judged, whether it is allowed, and with how many warnings.
const CASES: &[(&str, Case, bool, usize)] = &[
    ("empty", |_| (json!({}), vec![]), true, 0),
    ("of no schema", |_| (json!({"a": "b"}), vec![]), true, 1),
    ("without the label", |_| (v2(json!([layer("raw-manifest", json!([]))])), vec![]), false, 0),
    ("without the label, v3", |_| (v3(json!([layer("raw-manifest", json!([]))])), vec![]), false, 0),
    ("malformed", |_| (with_value(&json!({"a": 1})), vec![]), false, 0),
    (
        "on the component alone",
        |_| {
            let mut module = v2(json!([layer("raw-manifest", json!([]))]));
            module["component"]["labels"] = json!([label("ghcr")]);
            (module, vec![])
        },
        false,
        1,
    ),
    (
        "layers that disagree",
        |names| {
            let other = json!([{"name": "oci-registry-cred", "value": {"a": "b"}}]);
            let layers = json!([layer("config", other), layer("raw-manifest", json!([label(&names.value)]))]);
            (v2(layers), vec![names.covering(1)])
        },
        true,
        1,
    ),
    ("no Secret", |names| (names.labelled(v2), vec![]), true, 1),
    ("covered", |names| (names.labelled(v2), vec![names.covering(1)]), true, 0),
    ("covered, v3", |names| (names.labelled(v3), vec![names.covering(1)]), true, 0),
    // Not in the order of their names.
    ("ambiguous", |names| (names.labelled(v2), vec![names.covering(2), names.covering(1)]), true, 1),
    (
        "more Secrets than are looked at",
        |names| (names.labelled(v2), (0..21).map(|number| names.covering(number)).collect()),
        true,
        1,
    ),
    (
        "unmanaged",
        |names| {
            let secret = registry_secret("kyma-system", &names.value, &["ghcr.io"]);
            (names.labelled(v2), vec![names.secret(secret, false)])
        },
        true,
        1,
    ),
    (
        "of another registry",
        |names| {
            let secret = registry_secret("kyma-system", &names.value, &["quay.io"]);
            (names.labelled(v2), vec![names.secret(secret, true)])
        },
        true,
        1,
    ),
    (
        "of another type",
        |names| {
            let mut secret = registry_secret("kyma-system", &names.value, &["ghcr.io"]);
            secret["type"] = "Opaque".into();
            (names.labelled(v2), vec![names.secret(secret, true)])
        },
        true,
        2,
    ),
    (
        "broken",
        |names| {
            let secret = raw_secret("kyma-system", &names.value, r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#);
            (names.labelled(v2), vec![names.secret(secret, true)])
        },
        true,
        2,
    ),
];

fn with_value(value: &Value) -> Value {
    v2(json!([layer("raw-manifest", json!([{"name": "oci-registry-cred", "value": value}]))]))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_each_module_of_a_folder_what_the_server_does() {
    let control_plane = installation().await.control_plane();
    let (mut objects, mut secrets) = (Vec::new(), Vec::new());
    for (_, case, ..) in CASES {
        let names = Names { value: unique("creds") };
        let (descriptor, selected) = case(&names);
        objects.push(template(&unique("sample"), &descriptor));
        secrets.extend(selected);
    }
    for secret in &secrets {
        control_plane.apply(&secret.to_string()).await;
    }
    let mut offline = Verdict::offline(&objects, &secrets, &[]);
    for ((what, _, allowed, warnings), object) in CASES.iter().zip(&objects) {
        let server = Verdict::of_server(control_plane, "create", object).await;
        assert_eq!((server.allowed, server.warnings.len()), (*allowed, *warnings), "{what}: {server:?}");
        assert_eq!(offline.remove(object["metadata"]["name"].as_str().unwrap()), Some(server), "{what}");
    }
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
    let server = Verdict::of_server(control_plane, "create", &object).await;
    let offline = Verdict::offline(&[object], &objects, &[]);
    assert_eq!(offline.into_values().collect::<Vec<_>>(), std::slice::from_ref(&server));
    assert_eq!((server.allowed, server.warnings.len()), (allowed, warnings), "{server:?}");
}
