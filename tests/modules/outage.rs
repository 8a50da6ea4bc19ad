//! `ModuleTemplates` from before the webhook, and while nobody answers.

use serde_json::{Value, json};

use crate::harness::overlays::manifests;
use crate::harness::{Installation, User};
use crate::scene::{know_modules, label, layer, registered, template, v2};

#[tokio::test(flavor = "multi_thread")]
async fn one_from_before_can_be_changed_and_what_does_not_concern_the_rule_passes_while_nobody_answers() {
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    know_modules(control_plane).await;
    control_plane.kubectl(&["delete", "validatingwebhookconfiguration", "regcred"]).await.succeeded();
    let write = async |object: &Value| control_plane.apply_as(User::Admin, &object.to_string()).await;
    let unlabelled = |layers: &[&str]| {
        let layers: Vec<Value> = layers.iter().map(|name| layer(name, json!([]))).collect();
        template("old", &v2(layers.into()))
    };
    // A removed webhook is asked for about a second more.
    while write(&unlabelled(&["raw-manifest"])).await.code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    control_plane.kubectl(&["apply", "-k", manifests().to_str().unwrap()]).await.succeeded();
    registered(control_plane).await;

    let mut changed = unlabelled(&["raw-manifest"]);
    changed["spec"]["channel"] = "fast".into();
    let warned = write(&changed).await;
    assert_eq!(warned.code, 0, "{}", warned.stderr);
    let warning = "Warning: these layers have no label oci-registry-cred: raw-manifest";
    assert!(warned.stderr.contains(warning), "{}", warned.stderr);
    let refused = write(&unlabelled(&["raw-manifest", "config"])).await.failed();
    assert!(refused.contains("pull them with: config. Add to each"), "{refused}");

    let hold = |finalizers: &str| format!(r#"{{"metadata": {{"finalizers": {finalizers}}}}}"#);
    let patch = async |patch: &str| {
        let patch =
            ["patch", "moduletemplate", "old", "--namespace=kyma-system", "--type=merge", "--patch", patch];
        control_plane.kubectl_as(User::Admin, &patch).await
    };
    patch(&hold(r#"["example.io/held"]"#)).await.succeeded();
    installation.kill_replicas();
    let get = ["get", "moduletemplate", "old", "--namespace=kyma-system", "-o", "json"];
    let labelled = ["label", "moduletemplate", "old", "--namespace=kyma-system", "a=b"];
    control_plane.kubectl_as(User::Admin, &labelled).await.succeeded();
    let status = ["patch", "moduletemplate", "old", "--namespace=kyma-system", "--subresource=status"];
    let status = [&status[..], &["--type=merge", "--patch", r#"{"status": {"state": "Ready"}}"#]].concat();
    control_plane.kubectl_as(User::Admin, &status).await.succeeded();
    assert_eq!(control_plane.kubectl(&get).await.json()["metadata"]["labels"]["a"], "b");
    let new = template("new", &v2(json!([layer("raw-manifest", json!([label("creds")]))])));
    let closed = write(&new).await.failed();
    assert!(closed.contains("failed calling webhook \"module-templates.regcred.dev\""), "{closed}");
    let of_spec = r#"{"spec": {"channel": "slow"}}"#;
    assert!(
        patch(of_spec).await.failed().contains("failed calling webhook"),
        "a changed spec is asked about"
    );
    let delete = ["delete", "moduletemplate", "old", "--namespace=kyma-system", "--wait=false"];
    control_plane.kubectl_as(User::Admin, &delete).await.succeeded();
    patch(of_spec).await.succeeded();
    patch(&hold("[]")).await.succeeded();
    let gone = ["wait", "--for=delete", "moduletemplate/old", "--namespace=kyma-system", "--timeout=60s"];
    control_plane.kubectl(&gone).await.succeeded();
}
