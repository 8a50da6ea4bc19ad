//! What Kyma's documentation tells whoever keeps modules in a private registry to do, command by command, and what kubectl
//! prints of the commonest mistakes.

use rstest::rstest;
use serde_json::{Value, json};

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
    assert!(refused.contains("have no label oci-registry-cred"), "{refused}");

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

/// What stands before and behind what regcred says.
const REFUSED: &str = "Error from server (Forbidden): error when creating \"FILE\": admission webhook \
    \"module-templates.regcred.dev\" denied the request: ";

const MISSING: &str = "These layers of module example.io/module/sample in ghcr.io/org have no label oci-registry-cred, by which \
    Lifecycle Manager finds the Secret to pull them with: raw-manifest, default-cr. Add to each, in \
    spec.descriptor.component.resources[].labels: {name: oci-registry-cred, value: \
    {operator.kyma-project.io/oci-registry-cred: NAME}}, and give the Secret the label \
    operator.kyma-project.io/oci-registry-cred=NAME. If the registry is public, list it in modules.publicRegistries of \
    regcred's configuration; or let regcred add the label, by moduleLabels of the RegistryCredential for the registry.\n";

/// A module whose layers have this value of the label.
fn with_value(value: &Value) -> Value {
    let labels = json!([{"name": "oci-registry-cred", "value": value}]);
    v2(json!([layer("raw-manifest", labels.clone()), layer("default-cr", labels)]))
}

#[rstest]
#[case::no_label(v2(json!([layer("raw-manifest", json!([])), layer("default-cr", json!([]))])), "", MISSING)]
#[case::on_the_component_alone(
    {
        let mut module = v2(json!([layer("raw-manifest", json!([])), layer("default-cr", json!([]))]));
        module["component"]["labels"] = json!([label("ghcr")]);
        module
    },
    "Warning: the label oci-registry-cred of the component itself is read by nobody: it belongs to each layer\n",
    MISSING
)]
#[case::as_kubectl_takes_it(
    with_value(&json!("operator.kyma-project.io/oci-registry-cred=ghcr")),
    "",
    "The label oci-registry-cred of these layers of module example.io/module/sample in ghcr.io/org cannot be used: \
     raw-manifest (its value is a string, not an object: write {\"operator.kyma-project.io/oci-registry-cred\":\"ghcr\"}), \
     default-cr (its value is a string, not an object: write {\"operator.kyma-project.io/oci-registry-cred\":\"ghcr\"}). \
     Write it, in spec.descriptor.component.resources[].labels, as {name: oci-registry-cred, value: \
     {operator.kyma-project.io/oci-registry-cred: NAME}}: its value is an object of the labels that the Secret has, all strings.\n"
)]
#[case::a_number_without_quotes(
    with_value(&json!({KEY: 7})),
    "",
    "The label oci-registry-cred of these layers of module example.io/module/sample in ghcr.io/org cannot be used: \
     raw-manifest (the value of \"operator.kyma-project.io/oci-registry-cred\" is a number, not a string (put it in quotes)), \
     default-cr (the value of \"operator.kyma-project.io/oci-registry-cred\" is a number, not a string (put it in quotes)). \
     Write it, in spec.descriptor.component.resources[].labels, as {name: oci-registry-cred, value: \
     {operator.kyma-project.io/oci-registry-cred: NAME}}: its value is an object of the labels that the Secret has, all strings.\n"
)]
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_prints_of_a_mistake_what_is_wrong_where_and_how_to_mend_it(
    #[case] module: Value,
    #[case] warning: &str,
    #[case] refusal: &str,
) {
    let control_plane = installation().await.control_plane();
    let file = control_plane.manifest(&template(&unique("mistake"), &module).to_string());
    let refused = control_plane.kubectl_as(User::Admin, &["create", "-f", &file]).await;
    assert_eq!(refused.code, 1);
    assert_eq!(refused.stderr.replace(&file, "FILE"), format!("{warning}{REFUSED}{refusal}"));
}
