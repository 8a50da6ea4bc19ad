//! Secrets that modules are pulled with, as they are written.

use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{raw_secret, registry_secret};
use crate::harness::modules::labelled;
use crate::scene::{KEY, installation, known, label, labelling, layer, template, v2};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_labelled_secret_is_told_when_it_is_written_and_only_then() {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let name = unique("pulled-with");
    let write = async |secret: &Value| {
        let written = control_plane.apply_as(User::Admin, &secret.to_string()).await;
        assert_eq!(written.code, 0, "{}", written.stderr);
        written.stderr
    };
    let good = labelled(registry_secret("kyma-system", &name, &["ghcr.io"]));
    // A webhook that is new is asked about a second after it was registered.
    let mut probe = labelled(raw_secret("kyma-system", &unique("probe"), r#"{"auths":{}}"#));
    for attempt in 0.. {
        probe["metadata"]["annotations"] = json!({"attempt": attempt.to_string()});
        probe["metadata"]["labels"]["attempt"] = attempt.to_string().into();
        if write(&probe).await.contains("has credentials for no registry") {
            break;
        }
        assert!(attempt < 100, "Secrets are not asked about");
    }
    assert_eq!(write(&good).await, "");

    let unmanaged = {
        let mut secret = good.clone();
        secret["metadata"]["labels"] = json!({KEY: name});
        secret
    };
    let told = write(&unmanaged).await;
    assert!(told.contains("Warning: Lifecycle Manager before 2024 wants label"), "{told}");
    let mut annotated = unmanaged.clone();
    annotated["metadata"]["annotations"] = json!({"a": "b"});
    assert_eq!(write(&annotated).await, "", "nothing of it has changed that matters");

    let broken = labelled(raw_secret("kyma-system", &name, r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#));
    assert!(write(&broken).await.contains("Warning: no module can be pulled with this Secret"));
    assert_eq!(write(&raw_secret("kyma-system", &unique("unlabelled"), r#"{"auths":{}}"#)).await, "");

    let other = unique("of-type");
    let mut opaque = labelled(registry_secret("kyma-system", &other, &["ghcr.io"]));
    opaque["type"] = "Opaque".into();
    assert!(write(&opaque).await.contains("Warning: Lifecycle Manager passes over a Secret of type Opaque"));

    // The registries of the credential that labels modules so.
    let registry = format!("{name}.example");
    let source = format!("{name}-source");
    control_plane.apply(&registry_secret("kyma-system", &source, &[&registry]).to_string()).await;
    let mut credential = labelling(&name, &registry, json!({KEY: name}));
    credential["spec"]["secretRef"]["name"] = source.into();
    control_plane.apply(&credential.to_string()).await;
    known(installation, &registry, 1, true).await;
    let told = write(&good).await;
    assert!(told.contains(&format!("Warning: no credentials for {registry}, whose modules")), "{told}");
    assert_eq!(write(&labelled(registry_secret("kyma-system", &name, &["ghcr.io", &registry]))).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_very_many_secrets_have_is_told_of_and_the_module_is_allowed() {
    let control_plane = installation().await.control_plane();
    let value = unique("in-crowds");
    let secret = |number: usize| {
        let mut secret = labelled(registry_secret("kyma-system", &format!("{value}-{number}"), &["ghcr.io"]));
        secret["metadata"]["labels"][KEY] = value.clone().into();
        secret
    };
    // One more than is looked at.
    let secrets: Vec<Value> = (0..21).map(secret).collect();
    control_plane.apply(&json!({"apiVersion": "v1", "kind": "List", "items": secrets}).to_string()).await;
    let descriptor = v2(json!([layer("raw-manifest", json!([label(&value)]))]));
    let object = template(&unique("sample"), &descriptor);
    let written = control_plane.apply_as(User::Admin, &object.to_string()).await;
    assert_eq!((written.code, written.stderr.lines().count()), (0, 1), "{}", written.stderr);
    for fragment in ["Warning: ", "could not look for", &format!("{KEY}={value}"), "more than 20"] {
        assert!(written.stderr.contains(fragment), "{fragment:?}: {}", written.stderr);
    }
}
