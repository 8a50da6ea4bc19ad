//! `ModuleTemplates` of all versions, at all sizes, before their Secret and after.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::registry_secret;
use crate::harness::modules::labelled;
use crate::labelling::stored;
use crate::scene::{KEY, figure, installation, label, layer, template, template_of, v2};

/// What the API server gives the webhook. kubectl's own time is in it, too.
const JUDGED_WITHIN: Duration = Duration::from_secs(10);
/// What a terminal shows without scrolling.
const MESSAGE_FITS: usize = 1_000;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_served_version_is_judged(#[values("v1alpha1", "v1beta1", "v1beta2")] version: &str) {
    let control_plane = installation().await.control_plane();
    let object = template_of(version, &unique("sample"), &v2(json!([layer("raw-manifest", json!([]))])));
    let refused = control_plane.apply_as(User::Admin, &object.to_string()).await.failed();
    assert!(refused.contains("have no label oci-registry-cred"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_written_before_its_secret_is_warned_of_and_ends_as_one_written_after() {
    let control_plane = installation().await.control_plane();
    let value = unique("creds");
    let descriptor = v2(json!([layer("raw-manifest", json!([label(&value)]))]));
    let write = async |object: &Value| {
        let written = control_plane.apply_as(User::Admin, &object.to_string()).await;
        assert_eq!(written.code, 0, "{}", written.stderr);
        written.stderr
    };
    let mut before = template(&unique("before"), &descriptor);
    let told = write(&before).await;
    assert!(told.contains(&format!("Warning: no Secret has the labels {KEY}={value}")), "{told}");
    let secret = registry_secret("kyma-system", &value, &["ghcr.io"]);
    write(&secret).await;
    write(&labelled(secret)).await;
    let after = template(&unique("after"), &descriptor);
    assert_eq!(write(&after).await, "");

    for channel in ["fast", "regular"] {
        before["spec"]["channel"] = channel.into();
        assert_eq!(write(&before).await, "", "its Secret is there now");
    }
    for object in [&before, &after] {
        let stored = stored(control_plane, object["metadata"]["name"].as_str().unwrap()).await;
        assert_eq!(stored["spec"], after["spec"]);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_large_descriptor_is_judged_in_bounded_time_and_in_few_words(
    #[values("create", "replace")] verb: &str,
) {
    let control_plane = installation().await.control_plane();
    let many: Vec<Value> = (0..5_000).map(|number| layer(&format!("layer-{number}"), json!([]))).collect();
    let mut large = v2(json!([layer("raw-manifest", json!([]))]));
    // 1 MB in all; etcd takes 1.5 MB.
    large["component"]["provider"] = "x".repeat(1_000_000).into();
    for (what, descriptor) in [("5,000 resources", v2(many.into())), ("1 MB", large)] {
        let name = unique("large");
        if verb == "replace" {
            control_plane.apply(&template(&name, &json!({})).to_string()).await;
        }
        let object = template(&name, &descriptor);
        let begun = Instant::now();
        let file = control_plane.manifest(&object.to_string());
        let refused = control_plane.kubectl_as(User::Admin, &[verb, "-f", &file]).await;
        let elapsed = begun.elapsed();
        assert_eq!(refused.code, 1);
        let message = refused.stderr;
        assert!(message.contains("have no label oci-registry-cred"), "{message}");
        assert!(message.len() < MESSAGE_FITS, "{} bytes", message.len());
        figure(&format!("{what}: {verb} refused in {elapsed:.1?} with {} bytes", message.len()));
        assert!(elapsed < JUDGED_WITHIN, "{what}: {elapsed:?}");
    }
}
