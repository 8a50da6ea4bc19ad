//! The objects of the test in the API server.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use kube::api::{DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::expectation::{Credential, copy_name};

/// What is called by this name is the test's own.
pub(crate) const NAMESPACES: usize = 6;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) client: Client,
}

pub(crate) fn namespace_name(number: usize) -> String {
    format!("model-{number}")
}

pub(crate) fn document(source: usize, password: u64) -> String {
    json!({"auths": {format!("reg{source}.example"): {"username": "u", "password": format!("p{password}")}}})
        .to_string()
}

fn from<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

impl World {
    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn credentials(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("regcred.dev", "v1alpha1", "RegistryCredential");
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind))
    }

    /// False while a former namespace of that name is still going.
    pub(crate) async fn create_namespace(&self, name: &str, is_labelled: bool) -> bool {
        let object = json!({"metadata": {"name": name, "labels": labels(is_labelled)}});
        if self.namespaces().create(&PostParams::default(), &from(object)).await.is_err() {
            return false;
        }
        let account = json!({"metadata": {"name": "runner"}});
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), name);
        accounts.create(&PostParams::default(), &from(account)).await.unwrap();
        true
    }

    pub(crate) async fn label_namespace(&self, name: &str, is_labelled: bool) {
        let value = is_labelled.then_some("yes");
        let patch = Patch::Merge(json!({"metadata": {"labels": {"model": value}}}));
        self.namespaces().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    pub(crate) async fn delete_namespace(&self, name: &str) {
        self.namespaces().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn set_source(&self, source: usize, document: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": format!("s{source}")},
            "data": {".dockerconfigjson": BASE64_STANDARD.encode(document)}});
        let apply = PatchParams::apply("model").force();
        self.secrets("sources").patch(&format!("s{source}"), &apply, &Patch::Apply(object)).await.unwrap();
    }

    pub(crate) async fn delete_source(&self, source: usize) {
        self.secrets("sources").delete(&format!("s{source}"), &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn set_credential(&self, number: usize, credential: &Credential) {
        let object = json!({"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": format!("c{number}")},
        "spec": {
            "secretRef": {"namespace": "sources", "name": format!("s{}", credential.source)},
            "distribution": if credential.is_eager { "Eager" } else { "OnDemand" },
            "namespaces": if credential.is_for_all { vec!["model-*"] } else { vec![] },
            "namespaceSelector": (!credential.is_for_all).then(|| json!({"matchLabels": {"model": "yes"}})),
        }});
        let apply = PatchParams::apply("model").force();
        self.credentials().patch(&format!("c{number}"), &apply, &Patch::Apply(object)).await.unwrap();
    }

    pub(crate) async fn delete_credential(&self, number: usize) {
        self.credentials().delete(&format!("c{number}"), &DeleteParams::default()).await.unwrap();
    }

    /// A pod that pulls from a source's registry; tells the pull Secrets that it names in the end.
    pub(crate) async fn create_pod(&self, namespace: &str, name: &str, source: usize) -> Vec<String> {
        let object = json!({"metadata": {"name": name}, "spec": {"serviceAccountName": "runner",
            "containers": [{"name": "c", "image": format!("reg{source}.example/app")}]}});
        let pod: Pod = self.pods(namespace).create(&PostParams::default(), &from(object)).await.unwrap();
        let references = pod.spec.unwrap().image_pull_secrets.unwrap_or_default();
        references.into_iter().map(|reference| reference.name).collect()
    }

    pub(crate) async fn delete_pod(&self, namespace: &str, name: &str) {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods(namespace).delete(name, &now).await.unwrap();
    }

    pub(crate) async fn found(&self, namespace: &str, credential: usize) -> Option<Secret> {
        self.secret(namespace, &copy_name(credential)).await
    }

    /// A connection that the API server is just closing is no answer.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Option<Secret> {
        loop {
            match self.secrets(namespace).get_opt(name).await {
                Ok(found) => return found,
                Err(kube::Error::Service(_)) => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Whether what is there is regcred's.
    pub(crate) fn is_ours(secret: &Secret) -> bool {
        secret.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("regcred.dev/copy"))
    }

    pub(crate) async fn delete_secret(&self, namespace: &str, name: &str) {
        let _ = self.secrets(namespace).delete(name, &DeleteParams::default()).await;
    }

    /// Somebody edits a copy, if there is one.
    pub(crate) async fn edit_copy(&self, namespace: &str, credential: usize) {
        let patch = Patch::Merge(json!({"data": {".dockerconfigjson": "e30=", "more": "e30="}}));
        let _ = self.secrets(namespace).patch(&copy_name(credential), &PatchParams::default(), &patch).await;
    }

    /// Somebody puts a Secret in a copy's place; `None` if something is there.
    pub(crate) async fn create_foreign(&self, namespace: &str, name: &str, content: u64) -> Option<Secret> {
        let object = json!({"metadata": {"name": name, "labels": {"theirs": "yes"}}, "type": "Opaque",
            "data": BTreeMap::from([("key", BASE64_STANDARD.encode(content.to_string()))])});
        self.secrets(namespace).create(&PostParams::default(), &from(object)).await.ok()
    }
}

fn labels(is_labelled: bool) -> Value {
    if is_labelled { json!({"model": "yes"}) } else { json!({}) }
}
