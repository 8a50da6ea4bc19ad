//! Shoots: which Secrets they name, and until when they need them.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::binding::BindingKind;
use super::extension_reference::references;
use super::field_error::FieldPath;
use crate::model::ObjectKey;
use crate::model::json::{Json, Type};
use crate::model::reference::Reference;

/// The finalizer that Gardener holds a Shoot with as long as anything of it is there, during which the Secrets it names are
/// deployed again and again (`pkg/apis/core/v1beta1/types.go`, `GardenerName`).
const FINALIZER: &str = "gardener";

/// A Shoot (`core.gardener.cloud`), as far as it is about Secrets.
#[derive(Debug, Clone, Copy)]
pub struct Shoot<'a> {
    metadata: Option<Json<'a>>,
    spec: Option<Json<'a>>,
}

/// What is happening to a Shoot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShootState {
    /// It is not being deleted; also if it is new, hibernated or being migrated.
    Alive,
    /// It is being deleted, and Gardener deploys its Secrets again for that; its spec cannot be changed any more.
    Deleting,
    /// Gardener has done with it, and it needs no Secret.
    Done,
}

impl ShootState {
    /// Whether a Secret must be there for it.
    pub fn needs_secrets(self) -> bool {
        match self {
            Self::Alive | Self::Deleting => true,
            Self::Done => false,
        }
    }
}

impl<'a> Shoot<'a> {
    /// Reads an object, whatever it holds.
    pub fn read(object: &'a RawValue) -> Self {
        let fields = Json::from(object).fields();
        Self { metadata: fields.get("metadata"), spec: fields.get("spec") }
    }

    /// What is happening to it (`pkg/controller/reference`, where Gardener releases the Secrets of a Shoot).
    pub fn state(self) -> ShootState {
        let metadata = self.metadata.map(Json::fields).unwrap_or_default();
        let is_terminating =
            metadata.get("deletionTimestamp").is_some_and(|time| time.json_type() != Type::Null);
        let finalizers = || metadata.get("finalizers").map(Json::items).unwrap_or_default().into_iter();
        let is_held = || finalizers().any(|name| name.text().is_some_and(|name| &*name == FINALIZER));
        if !is_terminating {
            ShootState::Alive
        } else if is_held() {
            ShootState::Deleting
        } else {
            ShootState::Done
        }
    }

    /// The Secrets of its own namespace that its spec names, in the order of the fields.
    ///
    /// These are the places that Gardener's reference controller follows (`pkg/controllermanager/controller/shoot/reference`),
    /// and the backup credentials of self-hosted Shoots, which it does not. Names of entries of `spec.resources`, as the
    /// configurations of extensions have them, are none of their own.
    pub fn references(self, namespace: &str) -> Vec<Reference> {
        let mut places = Places { namespace, found: Vec::new() };
        let Some(spec) = self.spec.map(Json::fields) else { return places.found };
        let purposes = purposes(spec.get("extensions"));
        for (number, resource) in items(spec.get("resources"), &[]) {
            let before = places.found.len();
            places.object(resource.field("resourceRef"), || format!("spec.resources[{number}]"));
            if let Some(reference) = places.found.get_mut(before) {
                let name = resource.field("name").and_then(Json::text);
                let purposes = name.and_then(|name| purposes.get(&*name));
                reference.purposes = purposes.cloned().unwrap_or_default();
            }
        }
        for (number, provider) in items(spec.get("dns"), &["providers"]) {
            let path = || format!("spec.dns.providers[{number}]");
            let before = places.found.len();
            places.object(provider.field("credentialsRef"), || format!("{}.credentialsRef", path()));
            // Gardener keeps both alike where it knows both.
            let former = provider.field("secretName").and_then(Json::text);
            let is_told = |reference: &Reference| Some(&*reference.secret.name) == former.as_deref();
            if !places.found.get(before).is_some_and(is_told) {
                places.name(provider.field("secretName"), || format!("{}.secretName", path()));
            }
        }
        let api_server = spec.get("kubernetes").and_then(|kubernetes| kubernetes.field("kubeAPIServer"));
        let prefix = "spec.kubernetes.kubeAPIServer";
        for (number, plugin) in items(api_server, &["admissionPlugins"]) {
            let path = || format!("{prefix}.admissionPlugins[{number}].kubeconfigSecretName");
            places.name(plugin.field("kubeconfigSecretName"), path);
        }
        for (number, kubeconfig) in items(api_server, &["structuredAuthorization", "kubeconfigs"]) {
            let path = || format!("{prefix}.structuredAuthorization.kubeconfigs[{number}].secretName");
            places.name(kubeconfig.field("secretName"), path);
        }
        for (number, worker) in items(spec.get("provider"), &["workers"]) {
            let path = || format!("spec.provider.workers[{number}].controlPlane.backup.credentialsRef");
            places.object(worker.at(&["controlPlane", "backup", "credentialsRef"]), path);
        }
        places.found
    }

    /// The bindings of its namespace through which it uses Secrets, possibly of another namespace, and the fields that name
    /// them.
    pub fn bindings(self) -> Vec<(BindingKind, String, &'static str)> {
        let spec = self.spec.map(Json::fields).unwrap_or_default();
        let fields = [
            (BindingKind::SecretBinding, "secretBindingName", "spec.secretBindingName"),
            (BindingKind::CredentialsBinding, "credentialsBindingName", "spec.credentialsBindingName"),
        ];
        let bindings = fields.into_iter().filter_map(|(kind, field, path)| {
            let name = spec.get(field).and_then(Json::text).filter(|name| !name.is_empty())?;
            Some((kind, name.to_string(), path))
        });
        bindings.collect()
    }
}

/// What the configurations of extensions need entries of `spec.resources` for, by their names.
fn purposes(extensions: Option<Json<'_>>) -> HashMap<String, Vec<String>> {
    let each = items(extensions, &[]).filter_map(|(number, extension)| {
        let fields = extension.fields();
        let extension_type = fields.get("type").and_then(Json::text)?;
        let path = FieldPath::new("spec").child("extensions").index(number).child("providerConfig");
        Some(references(&extension_type, fields.get("providerConfig")?, &path))
    });
    let mut purposes: HashMap<String, Vec<String>> = HashMap::new();
    for reference in each.flatten() {
        purposes.entry(reference.name).or_default().push(reference.explanation);
    }
    purposes
}

/// Where Secrets are named.
struct Places<'n> {
    namespace: &'n str,
    found: Vec<Reference>,
}

impl Places<'_> {
    /// A reference to an object, which may be of another kind.
    fn object(&mut self, reference: Option<Json<'_>>, path: impl FnOnce() -> String) {
        let fields = reference.map(Json::fields).unwrap_or_default();
        let is =
            |field, expected| fields.get(field).and_then(Json::text).is_some_and(|text| &*text == expected);
        if is("apiVersion", "v1") && is("kind", "Secret") {
            self.name(fields.get("name"), path);
        }
    }

    /// The name of a Secret.
    fn name(&mut self, name: Option<Json<'_>>, path: impl FnOnce() -> String) {
        if let Some(name) = name.and_then(Json::text).filter(|name| !name.is_empty()) {
            self.found.push(Reference::new(ObjectKey::new(self.namespace, &name), &path()));
        }
    }
}

/// The items of a list that is somewhere in a value, with their places.
fn items<'a>(value: Option<Json<'a>>, path: &[&str]) -> impl Iterator<Item = (usize, Json<'a>)> + use<'a> {
    value.and_then(|value| value.at(path)).map(Json::items).unwrap_or_default().into_iter().enumerate()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn raw(object: &Value) -> Box<RawValue> {
        to_raw_value(object).unwrap()
    }

    /// Names and paths.
    fn references(spec: &Value) -> Vec<(String, String)> {
        let found = Shoot::read(&raw(&json!({"spec": spec}))).references("garden-dev");
        found.into_iter().map(|reference| (reference.secret.to_string(), reference.path)).collect()
    }

    fn secret_reference(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "name": name})
    }

    #[rstest]
    #[case::a_resource(
        json!({"resources": [{"name": "docker-creds", "resourceRef": secret_reference("a")}]}),
        "spec.resources[0]"
    )]
    #[case::credentials_of_a_dns_provider(
        json!({"dns": {"providers": [{"type": "x"}, {"credentialsRef": secret_reference("a")}]}}),
        "spec.dns.providers[1].credentialsRef"
    )]
    #[case::the_former_name_of_these(
        json!({"dns": {"providers": [{"secretName": "a"}]}}), "spec.dns.providers[0].secretName"
    )]
    #[case::an_admission_plugin(
        json!({"kubernetes": {"kubeAPIServer": {"admissionPlugins": [{"name": "x", "kubeconfigSecretName": "a"}]}}}),
        "spec.kubernetes.kubeAPIServer.admissionPlugins[0].kubeconfigSecretName"
    )]
    #[case::an_authorizer(
        json!({"kubernetes": {"kubeAPIServer": {"structuredAuthorization": {"kubeconfigs": [{"secretName": "a"}]}}}}),
        "spec.kubernetes.kubeAPIServer.structuredAuthorization.kubeconfigs[0].secretName"
    )]
    #[case::the_backup_of_a_self_hosted_shoot(
        json!({"provider": {"workers": [{}, {"controlPlane": {"backup": {"credentialsRef": secret_reference("a")}}}]}}),
        "spec.provider.workers[1].controlPlane.backup.credentialsRef"
    )]
    fn a_secret_is_named(#[case] spec: Value, #[case] path: &str) {
        assert_eq!(references(&spec), [("garden-dev/a".to_owned(), path.to_owned())]);
    }

    #[rstest]
    #[case::nothing(json!({}))]
    #[case::null(Value::Null)]
    #[case::no_provider(json!({"dns": {}, "provider": null, "resources": null}))]
    #[case::another_kind(json!({"resources": [{"resourceRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}}]}))]
    #[case::another_version(json!({"resources": [{"resourceRef": {"apiVersion": "v2", "kind": "Secret", "name": "a"}}]}))]
    #[case::an_identity(json!({"dns": {"providers": [{"credentialsRef": {
        "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "WorkloadIdentity", "name": "a"
    }}]}}))]
    #[case::no_name(json!({"resources": [{"resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": ""}}]}))]
    #[case::a_config_map_for_audits(json!({"kubernetes": {"kubeAPIServer": {
        "auditConfig": {"auditPolicy": {"configMapRef": {"name": "a"}}}, "structuredAuthentication": {"configMapName": "a"},
        "structuredAuthorization": {"configMapName": "a"}, "serviceAccountConfig": {"signingKeySecretName": "a"}
    }}}))]
    #[case::the_name_of_a_resource(json!({"extensions": [{"type": "registry-cache", "providerConfig": {
        "caches": [{"upstream": "docker.io", "secretReferenceName": "a"}]
    }}]}))]
    #[case::of_other_types_than_expected(json!({"resources": {"a": 1}, "dns": [], "kubernetes": "x", "provider": 7}))]
    fn no_secret_is_named(#[case] spec: Value) {
        assert_eq!(references(&spec), []);
    }

    #[test]
    fn both_names_of_the_credentials_of_a_dns_provider_are_one_if_they_are_alike() {
        let provider = |secret_name: &str| json!({"dns": {"providers": [{"credentialsRef": secret_reference("a"), "secretName": secret_name}]}});
        assert_eq!(references(&provider("a")).len(), 1);
        assert_eq!(references(&provider("b")).len(), 2);
        let identity = json!({
            "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "WorkloadIdentity", "name": "a",
        });
        let beside = json!({"dns": {"providers": [{"credentialsRef": identity, "secretName": "a"}]}});
        assert_eq!(references(&beside).len(), 1, "another kind of the same name is no Secret");
    }

    #[test]
    fn bindings_are_named_with_their_kinds() {
        let spec = json!({"secretBindingName": "a", "credentialsBindingName": "b"});
        let found = Shoot::read(&raw(&json!({"spec": spec}))).bindings();
        assert_eq!(
            found,
            [
                (BindingKind::SecretBinding, "a".to_owned(), "spec.secretBindingName"),
                (BindingKind::CredentialsBinding, "b".to_owned(), "spec.credentialsBindingName"),
            ]
        );
        assert_eq!(Shoot::read(&raw(&json!({"spec": {"secretBindingName": ""}}))).bindings(), []);
    }

    #[rstest]
    #[case::new(json!({}), ShootState::Alive)]
    #[case::held(json!({"finalizers": ["gardener"]}), ShootState::Alive)]
    #[case::not_going(json!({"deletionTimestamp": null}), ShootState::Alive)]
    #[case::going(
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["other", "gardener"]}), ShootState::Deleting
    )]
    #[case::held_by_others(
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["gardener.cloud/reference-protection"]}),
        ShootState::Done
    )]
    #[case::held_by_nobody(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), ShootState::Done)]
    fn a_shoot_needs_its_secrets_until_gardener_has_done_with_it(
        #[case] metadata: Value,
        #[case] expected: ShootState,
    ) {
        let state = Shoot::read(&raw(&json!({"metadata": metadata, "spec": {}}))).state();
        assert_eq!((state, state.needs_secrets()), (expected, expected != ShootState::Done));
    }

    #[test]
    fn what_a_resource_is_for_is_told_by_the_extensions_that_refer_to_it() {
        let object = raw(&json!({"spec": {
            "resources": [
                {"name": "docker-creds", "resourceRef": secret_reference("a")},
                {"name": "audit", "resourceRef": secret_reference("b")},
            ],
            "extensions": [
                {"type": "unknown", "providerConfig": {"caches": [{"upstream": "x.io", "secretReferenceName": "audit"}]}},
                {"type": "registry-cache", "providerConfig": {
                    "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig",
                    "caches": [
                        {"upstream": "docker.io", "secretReferenceName": "docker-creds"},
                        {"upstream": "quay.io"},
                        {"upstream": "ghcr.io", "secretReferenceName": "docker-creds"},
                    ],
                }},
            ],
        }}));
        let told: Vec<String> =
            Shoot::read(&object).references("garden-dev").iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "spec.resources[0], registry-cache upstream docker.io, registry-cache upstream ghcr.io",
                "spec.resources[1]",
            ]
        );
    }

    #[test]
    fn hibernation_migration_and_disabled_extensions_change_nothing() {
        let spec = json!({
            "hibernation": {"enabled": true}, "seedName": "new",
            "extensions": [{"type": "registry-cache", "disabled": true}],
            "resources": [{"name": "docker-creds", "resourceRef": secret_reference("a")}],
        });
        let object = raw(&json!({"spec": spec, "status": {"seedName": "old"}}));
        let shoot = Shoot::read(&object);
        assert_eq!(shoot.state(), ShootState::Alive);
        assert_eq!(shoot.references("garden-dev").len(), 1);
    }
}
