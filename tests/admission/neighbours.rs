//! Other people's webhooks, policies and quotas, each in one namespace.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::Method;
use serde_json::{Value, json};

use super::scene::{Scene, pods, secrets};
use crate::harness::User;
use crate::harness::certificates::Authority;
use crate::harness::control_plane::unique;
use crate::harness::credentials::pod;
use crate::harness::dummy_webhook::DummyWebhook;
use crate::harness::network::Backend;

const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1";

/// A webhook that gives each review of what is created there the same answer.
async fn webhook(scene: &Scene, namespace: &str, kind: &str, resource: &str, answer: Value) -> String {
    // The API server calls mutating webhooks in the order of their configurations' names: this one after ours.
    let name = unique("zz-neighbour");
    let authority = Authority::new(&name);
    let dummy = DummyWebhook::start_with(&authority, &format!("{name}.{namespace}.svc"), answer).await;
    scene
        .control_plane()
        .network()
        .service(namespace, &name, 443)
        .set_backends(vec![Backend::new(dummy.address())]);
    let service = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 443}]}});
    scene.create(&format!("/api/v1/namespaces/{namespace}/services"), &service).await;
    let mut webhook = json!({
        "name": format!("{name}.bench.regcred.dev"),
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {"name": name, "namespace": namespace, "path": "/", "port": 443},
            "caBundle": BASE64_STANDARD.encode(authority.pem()),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
    });
    if kind == "mutating" {
        webhook["reinvocationPolicy"] = "Never".into();
    }
    let configuration = json!({"metadata": {"name": name}, "webhooks": [webhook]});
    scene.create(&format!("{REGISTRATION}/{kind}webhookconfigurations"), &configuration).await;
    // A new webhook configuration reaches the API server's admission within about a second.
    let asked = async || {
        try_out(scene, namespace, resource).await;
        (dummy.calls() > 0).then_some(())
    };
    scene.eventually("the neighbour's first review", asked).await;
    name
}

/// Creates one such object in a dry run, and returns the refusal, if it is one.
async fn try_out(scene: &Scene, namespace: &str, resource: &str) -> Option<String> {
    let (path, object) = match resource {
        "pods" => (pods(namespace), pod(namespace, "tried-out", &["public.example/team/app:1"])),
        _ => (secrets(namespace), json!({"metadata": {"name": "tried-out"}})),
    };
    let answer = scene.call(User::Admin, Method::POST, &format!("{path}?dryRun=All"), Some(&object)).await;
    (answer.code >= 400).then(|| answer.refusal())
}

/// A webhook that changes each new pod after ours has.
pub(super) async fn changes_pods(scene: &Scene, namespace: &str, patch: &Value) {
    let patch = BASE64_STANDARD.encode(patch.to_string());
    let answer = json!({"allowed": true, "patchType": "JSONPatch", "patch": patch});
    webhook(scene, namespace, "mutating", "pods", answer).await;
}

/// Something that refuses new Secrets in a namespace.
pub(super) struct Refusal {
    path: String,
    namespace: String,
}

impl Refusal {
    /// A webhook does.
    pub(super) async fn by_webhook(scene: &Scene, namespace: &str) -> Self {
        Scene::expect_refusals(namespace);
        let answer =
            json!({"allowed": false, "status": {"code": 403, "message": "Secrets come from the vault"}});
        let name = webhook(scene, namespace, "validating", "secrets", answer).await;
        Self::at(format!("{REGISTRATION}/validatingwebhookconfigurations/{name}"), namespace)
    }

    /// A policy does.
    pub(super) async fn by_policy(scene: &Scene, namespace: &str) -> Self {
        Scene::expect_refusals(namespace);
        let policy = json!({
            "metadata": {"name": namespace},
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]},
                    ],
                },
                "validations": [{"expression": "false", "message": "Secrets come from the vault"}],
            },
        });
        let bindings = format!("{REGISTRATION}/validatingadmissionpolicybindings");
        let spec = json!({"policyName": namespace, "validationActions": ["Deny"]});
        scene.create(&format!("{REGISTRATION}/validatingadmissionpolicies"), &policy).await;
        scene.create(&bindings, &json!({"metadata": {"name": namespace}, "spec": spec})).await;
        let refusal = Self::at(format!("{bindings}/{namespace}"), namespace);
        refusal.holds(scene).await;
        refusal
    }

    /// A quota does.
    pub(super) async fn by_quota(scene: &Scene, namespace: &str) -> Self {
        Scene::expect_refusals(namespace);
        let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas");
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"count/secrets": "0"}}});
        scene.create(&quotas, &quota).await;
        let refusal = Self::at(format!("{quotas}/few"), namespace);
        refusal.holds(scene).await;
        refusal
    }

    fn at(path: String, namespace: &str) -> Self {
        Self { path, namespace: namespace.to_owned() }
    }

    /// Waits until it does.
    async fn holds(&self, scene: &Scene) {
        let refused = async || try_out(scene, &self.namespace, "secrets").await;
        scene.eventually("the refusal", refused).await;
    }

    /// Ends it, and waits until the API server knows.
    pub(super) async fn lift(self, scene: &Scene) {
        scene.delete(&self.path).await;
        let allowed = async || try_out(scene, &self.namespace, "secrets").await.is_none().then_some(());
        scene.eventually("the end of the refusal", allowed).await;
    }
}
