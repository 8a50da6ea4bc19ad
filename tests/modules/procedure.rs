//! What Kyma's documentation tells whoever keeps modules in a private registry to do, command by command.

use serde_json::json;

use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::scene::{KEY, installation, label, layer, template, v2};

#[tokio::test(flavor = "multi_thread")]
async fn a_module_in_a_private_registry_is_written_as_documented() {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let (name, value) = (unique("sample"), unique("creds"));
    let secret = [
        "create",
        "secret",
        "docker-registry",
        &value,
        "--namespace=kyma-system",
        "--docker-server=ghcr.io",
        "--docker-username=robot",
        "--docker-password=s3cret",
        "--dry-run=client",
        "-o",
        "json",
    ];
    let secret = control_plane.kubectl(&secret).await.succeeded();
    let labelled = control_plane.manifest(&secret);
    let labels = [
        "label",
        "--local",
        "-f",
        &labelled,
        &format!("{KEY}={value}"),
        "operator.kyma-project.io/managed-by=lifecycle-manager",
        "-o",
        "json",
    ];
    let secret = control_plane.kubectl(&labels).await.succeeded();
    let applied = control_plane.apply_as(User::Admin, &secret).await;
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""));

    let without =
        template(&name, &v2(json!([layer("raw-manifest", json!([])), layer("default-cr", json!([]))])));
    let refused = control_plane.apply_as(User::Admin, &without.to_string()).await.failed();
    assert!(
        refused.contains(
            "admission webhook \"module-templates.regcred.dev\" denied the request: These layers of module \
             example.io/module/sample in ghcr.io/org have no label oci-registry-cred, by which Lifecycle Manager finds the \
             Secret to pull them with: raw-manifest, default-cr. Add to each, in spec.descriptor.component.resources[].labels: \
             {name: oci-registry-cred, value: {operator.kyma-project.io/oci-registry-cred: NAME}}, and give the Secret the label \
             operator.kyma-project.io/oci-registry-cred=NAME. If the registry is public, list it in modules.publicRegistries of \
             regcred's configuration; or let regcred add the label, by moduleLabels of the RegistryCredential for the registry."
        ),
        "{refused}"
    );

    // Whoever runs regcred sees it in the log of the server that answered, and in its metrics.
    let logs: String = installation.replicas().iter().map(|replica| replica.log()).collect();
    assert!(
        logs.lines().any(|line| line.contains(&name) && line.contains("have no label oci-registry-cred"))
    );
    let mut counted = 0.0;
    for replica in installation.replicas() {
        let labels = [("finding", "missing_label")];
        counted += replica.metrics().await.sum("regcred_module_findings_total", &labels);
    }
    assert!(counted > 0.0);

    let labels = json!([label(&value)]);
    let corrected = v2(json!([layer("raw-manifest", labels.clone()), layer("default-cr", labels)]));
    let applied = control_plane.apply_as(User::Admin, &template(&name, &corrected).to_string()).await;
    assert_eq!(
        (applied.code, applied.stderr.as_str()),
        (0, ""),
        "no warning: the Secret is there and covers the registry"
    );
    let get = ["get", "moduletemplate", &name, "--namespace=kyma-system", "-o", "json"];
    let stored = control_plane.kubectl(&get).await.json();
    assert_eq!(stored["spec"]["descriptor"], corrected);
}
