//! Another webhook that changes a `ModuleTemplate` after ours, upon which the API server asks us again.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use crate::harness::User;
use crate::harness::certificates::Authority;
use crate::harness::control_plane::unique;
use crate::harness::dummy_webhook::DummyWebhook;
use crate::harness::network::Backend;
use crate::labelling::{Declared, stored};
use crate::scene::{installation, layer, template, v2};

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_another_webhook_adds_after_us_is_labelled_too() {
    let installation = installation().await;
    let control_plane = installation.control_plane();
    let declared = Declared::with(installation, &json!({})).await;

    // The API server asks webhooks in the order of their configurations' names: this one after ours.
    let (neighbour, namespace) = (unique("zz-neighbour"), "kyma-system");
    let authority = Authority::new(&neighbour);
    let added = json!([{
        "op": "add", "path": "/spec/descriptor/component/resources/-", "value": layer("default-cr", json!([])),
    }]);
    let answer = json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64_STANDARD.encode(added.to_string())});
    let dummy = DummyWebhook::start_with(&authority, &format!("{neighbour}.{namespace}.svc"), answer).await;
    let service = control_plane.network().service(namespace, &neighbour, 443);
    service.set_backends(vec![Backend::new(dummy.address())]);
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": neighbour, "namespace": namespace},
        "spec": {"ports": [{"port": 443}]},
    });
    control_plane.apply(&object.to_string()).await;
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": neighbour},
        "webhooks": [{
            "name": format!("{neighbour}.bench.regcred.dev"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": {
                "service": {"name": neighbour, "namespace": namespace, "path": "/", "port": 443},
                "caBundle": BASE64_STANDARD.encode(authority.pem()),
            },
            "rules": [{
                "apiGroups": ["operator.kyma-project.io"], "apiVersions": ["*"], "operations": ["CREATE"],
                "resources": ["moduletemplates"],
            }],
            "objectSelector": {"matchLabels": {"changed-by": neighbour}},
            "sideEffects": "None",
        }],
    });
    control_plane.apply(&configuration.to_string()).await;

    let name = unique("sample");
    let mut object = template(&name, &declared.of(v2, json!([layer("raw-manifest", json!([]))])));
    object["metadata"]["labels"] = json!({"changed-by": neighbour});
    let file = control_plane.manifest(&object.to_string());
    // A new webhook reaches the API server's admission within about a second.
    for _ in 0..100 {
        let create = ["create", "--dry-run=server", "-f", &file];
        control_plane.kubectl_as(User::Admin, &create).await.succeeded();
        if dummy.calls() > 0 {
            break;
        }
    }
    control_plane.kubectl_as(User::Admin, &["create", "-f", &file]).await.succeeded();
    let labels = json!([declared.label()]);
    let expected =
        declared.of(v2, json!([layer("raw-manifest", labels.clone()), layer("default-cr", labels)]));
    assert_eq!(stored(control_plane, &name).await["spec"]["descriptor"], expected);
}
