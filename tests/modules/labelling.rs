//! `ModuleTemplates` that are labelled as they are written, because a credential says how.

use std::process::Command;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::control_plane::{ControlPlane, unique};
use crate::harness::credentials::registry_secret;
use crate::harness::modules::labelled;
use crate::harness::{Installation, User};
use crate::misleading::MISLEADING;
use crate::scene::{
    KEY, figure, in_registry, installation, known, label, labelling, layer, template, v2, v3,
};

/// What the API server gives both webhooks together. kubectl's own time is in it, too.
const LABELLED_WITHIN: Duration = Duration::from_secs(13);

/// A registry of one test's own and its credential, whose Secret is the one that modules are pulled with.
pub(crate) struct Declared {
    name: String,
    registry: String,
}

impl Declared {
    pub(crate) async fn with(installation: &Installation, spec: &Value) -> Self {
        let name = unique("modules");
        let registry = format!("{name}.example/org");
        let secret = labelled(registry_secret("kyma-system", &name, &[&format!("{name}.example")]));
        let mut credential = labelling(&name, &registry, json!({KEY: name}));
        credential["spec"].as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
        let control_plane = installation.control_plane();
        control_plane.apply(&secret.to_string()).await;
        control_plane.apply(&credential.to_string()).await;
        known(installation, &registry, 1, true).await;
        Self { name, registry }
    }

    pub(crate) fn of(&self, schema: fn(Value) -> Value, layers: Value) -> Value {
        in_registry(schema(layers), &self.registry)
    }

    pub(crate) fn label(&self) -> Value {
        label(&self.name)
    }
}

pub(crate) async fn stored(control_plane: &ControlPlane, name: &str) -> Value {
    let get = ["get", "moduletemplate", name, "--namespace=kyma-system", "-o", "json"];
    control_plane.kubectl(&get).await.json()
}

#[rstest]
#[case::v2(v2)]
#[case::v3alpha1(v3)]
#[tokio::test(flavor = "multi_thread")]
async fn an_unlabelled_template_is_stored_with_the_label_and_stays_so(#[case] schema: fn(Value) -> Value) {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let declared = Declared::with(installation, &json!({})).await;
    let (name, other) = (unique("sample"), json!({"name": "other", "value": "x"}));
    let malformed_elsewhere = json!([{"name": "oci-registry-cred", "value": "of no account"}]);
    let mut image = layer("module-image", malformed_elsewhere.clone());
    image["access"] = json!({"type": "ociArtifact", "imageReference": "ghcr.io/org/app:1"});
    let written = declared
        .of(schema, json!([layer("raw-manifest", json!([other])), layer("default-cr", json!([])), image]));
    let object = template(&name, &written);
    let applied = control_plane.apply_as(User::Admin, &object.to_string()).await;
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "no warning: the Secret is there");

    let labelled = [
        layer("raw-manifest", json!([other, declared.label()])),
        layer("default-cr", json!([declared.label()])),
        image.clone(),
    ];
    let expected = declared.of(schema, json!(labelled));
    let first = stored(control_plane, &name).await;
    assert_eq!(first["spec"]["descriptor"], expected);

    // Whoever applies it again, still without labels, changes nothing.
    control_plane.apply(&object.to_string()).await;
    let second = stored(control_plane, &name).await;
    assert_eq!(second["spec"]["descriptor"], expected);
    for field in ["generation", "resourceVersion"] {
        assert_eq!(second["metadata"][field], first["metadata"][field], "{field}");
    }

    // A label that somebody else has set stays, also one that a later change brings.
    let own = label("own");
    let mut changed = object.clone();
    changed["spec"]["descriptor"] = declared.of(
        schema,
        json!([
            layer("raw-manifest", json!([own])),
            layer("config", Value::Null),
            layer("default-cr", json!([]))
        ]),
    );
    control_plane.apply(&changed.to_string()).await;
    let layers = [
        layer("raw-manifest", json!([own])),
        layer("config", json!([declared.label()])),
        layer("default-cr", json!([declared.label()])),
    ];
    assert_eq!(stored(control_plane, &name).await["spec"]["descriptor"], declared.of(schema, json!(layers)));

    // The malformed label of a layer stays as well, and is why it is refused.
    changed["spec"]["descriptor"] = declared
        .of(schema, json!([layer("raw-manifest", malformed_elsewhere), layer("default-cr", json!([]))]));
    let refused = control_plane.apply_as(User::Admin, &changed.to_string()).await.failed();
    assert!(refused.contains("of these layers of module example.io/module/sample"), "{refused}");
    assert!(refused.contains("raw-manifest (its value is a string"), "{refused}");
    assert!(!refused.contains("have no label"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_of_another_registry_is_refused_as_before() {
    let installation = installation().await;
    let declared = Declared::with(installation, &json!({})).await;
    for base in [format!("{}anisation", declared.registry), format!("other-{}", declared.registry)] {
        let descriptor = in_registry(v2(json!([layer("raw-manifest", json!([]))])), &base);
        let object = template(&unique("sample"), &descriptor);
        let refused = installation.control_plane().apply_as(User::Admin, &object.to_string()).await.failed();
        assert!(refused.contains("have no label oci-registry-cred"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_mode_audit_tells_and_counts_and_labels_nothing() {
    // By itself, for it reads counters that all templates of an installation share.
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    crate::scene::know_modules(control_plane).await;
    crate::scene::registered(control_plane).await;
    let declared = Declared::with(&installation, &json!({"mode": "Audit"})).await;
    let counted = async || {
        let mut sum = 0.0;
        for replica in installation.replicas() {
            sum += replica.metrics().await.sum("regcred_audit_modules_total", &[]);
        }
        sum
    };
    assert!(counted().await < 1.0);
    let object = template(&unique("sample"), &declared.of(v2, json!([layer("raw-manifest", json!([]))])));
    let refused = control_plane.apply_as(User::Admin, &object.to_string()).await.failed();
    let name = &declared.name;
    let told = format!("Warning: audit: RegistryCredential {name} would label the layers {KEY}={name}");
    let told: String = told.chars().take("Warning: ".len() + 119).collect();
    assert!(refused.contains(&told), "{refused}");
    assert!(refused.contains("have no label oci-registry-cred"), "{refused}");
    assert!((counted().await - 1.0).abs() < 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_that_claim_a_registry_alike_label_nothing_and_a_warning_says_so() {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let declared = Declared::with(installation, &json!({})).await;
    let rival = format!("{}-rival", declared.name);
    let host = format!("{}.example", declared.name);
    control_plane.apply(&registry_secret("kyma-system", &rival, &[&host]).to_string()).await;
    let credential = labelling(&rival, &declared.registry, json!({KEY: rival}));
    control_plane.apply(&credential.to_string()).await;
    known(installation, &declared.registry, 2, true).await;
    let object = template(&unique("sample"), &declared.of(v2, json!([layer("raw-manifest", json!([]))])));
    let refused = control_plane.apply_as(User::Admin, &object.to_string()).await.failed();
    let told = format!("Warning: no label added: narrow images of regcred {} or {rival}", declared.name);
    assert!(refused.contains(&told), "{refused}");
    assert!(refused.contains("have no label oci-registry-cred"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_check_writes_with_the_label_is_read_by_kubectl_as_it_was_meant_and_taken() {
    let control_plane = installation().await.control_plane();
    let (name, value) = (unique("sample"), unique("creds"));
    let mut object =
        template(&name, &v2(json!([layer("raw-manifest", json!([])), layer("config", Value::Null)])));
    let texts: serde_json::Map<String, Value> =
        MISLEADING.iter().enumerate().map(|(number, text)| (format!("t{number}"), (*text).into())).collect();
    object["metadata"]["annotations"] = Value::Object(texts.clone());
    let written = control_plane.manifest(&object.to_string());
    let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["check", "--fix", &format!("--registry-cred-selector={KEY}={value}"), "-f", &written])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let labelled = control_plane.manifest(&String::from_utf8(run.stdout).unwrap());
    control_plane.kubectl_as(User::Admin, &["create", "-f", &labelled]).await.succeeded();
    let stored = stored(control_plane, &name).await;
    assert_eq!(stored["metadata"]["annotations"], Value::Object(texts));
    let labels = json!([label(&value)]);
    let expected = v2(json!([layer("raw-manifest", labels.clone()), layer("config", labels)]));
    assert_eq!(stored["spec"]["descriptor"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_layers_are_labelled_in_bounded_time() {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let declared = Declared::with(installation, &json!({})).await;
    let layers: Vec<Value> = (0..3_000).map(|number| layer(&format!("layer-{number}"), json!([]))).collect();
    let name = unique("large");
    let file = control_plane.manifest(&template(&name, &declared.of(v2, layers.into())).to_string());
    let begun = Instant::now();
    control_plane.kubectl_as(User::Admin, &["create", "-f", &file]).await.succeeded();
    let elapsed = begun.elapsed();
    figure(&format!("3,000 resources: labelled and stored in {elapsed:.1?}"));
    assert!(elapsed < LABELLED_WITHIN, "{elapsed:?}");
    let stored = stored(control_plane, &name).await;
    let resources = stored["spec"]["descriptor"]["component"]["resources"].as_array().unwrap();
    assert!(resources.iter().all(|layer| layer["labels"] == json!([declared.label()])));
}
