//! Which entries of a Shoot's `spec.resources` the configurations of extensions refer to, what for, and what the Secrets
//! behind them must hold.

use k8s_openapi::api::core::v1::Secret;

use super::address::{is_upstream, is_url};
use super::dns_rule::is_presentable;
use super::field_error::{FieldError, FieldPath};
use super::go_quote::quote;
use super::registry_cache::{RegistryConfig, credential_errors, credential_warnings};
use super::registry_mirror::{MirrorConfig, ca_bundle_errors};
use super::{registry_cache, registry_mirror, rsyslog_relp};
use crate::model::ObjectKey;
use crate::model::json::{Json, Type};

/// The type of the extension for DNS in `spec.extensions` of a Shoot.
const SHOOT_DNS_SERVICE: &str = "shoot-dns-service";

/// A field of an extension's configuration that names an entry of `spec.resources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// The name of the entry.
    pub name: String,
    /// What it is for, as it can be told to people: `registry-cache upstream docker.io`.
    pub explanation: String,
    /// The field.
    pub path: FieldPath,
    /// What the Secret must hold.
    pub content: Content,
    /// The name of the field, without where it is.
    field: &'static str,
}

/// What a Secret must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The credentials for an upstream of a registry cache.
    Credentials,
    /// The authorities of a registry mirror.
    CaBundle,
    /// Certificate and key of a client of rsyslog.
    ClientCertificate,
    /// What the extension may say; nothing is known of it.
    Any,
}

impl SecretReference {
    /// What is wrong with the Secret, in upstream's words.
    pub fn errors(&self, secret: &Secret) -> Vec<FieldError> {
        match self.content {
            Content::Credentials => credential_errors(secret, &self.name, &self.path),
            Content::CaBundle => ca_bundle_errors(secret, &self.name, &self.path),
            Content::ClientCertificate => rsyslog_relp::tls_errors(secret, &self.name, &self.path),
            Content::Any => Vec::new(),
        }
    }

    /// What upstream takes although it will not work.
    pub fn warnings(&self, secret: &Secret) -> Vec<String> {
        match self.content {
            Content::Credentials => credential_warnings(secret),
            Content::CaBundle | Content::ClientCertificate | Content::Any => Vec::new(),
        }
    }

    /// That `spec.resources` has no such entry, or one of another kind than Secret.
    pub fn no_resource(&self) -> FieldError {
        let detail = format!("failed to find referenced resource with name {} and kind Secret", self.name);
        FieldError::invalid(self.path.clone(), &self.name, &detail)
    }

    /// That there is no such Secret. Upstream says it without the path.
    pub fn no_secret(&self, secret: &ObjectKey) -> String {
        let (field, name) = (self.field, &self.name);
        format!("failed to get secret {secret} for {field} {name}: secrets {} not found", quote(&secret.name))
    }
}

/// The entries of `spec.resources` that an extension's configuration refers to, in order.
///
/// They are read whatever the version of the configuration, for each has had them in the same place; what the Secrets must
/// hold is known only for the versions that are. `path` is that of the `providerConfig`. An empty name refers to nothing,
/// where upstream finds no entry for it.
pub fn references(extension_type: &str, config: Json<'_>, path: &FieldPath) -> Vec<SecretReference> {
    match extension_type {
        registry_cache::EXTENSION_TYPE => of_caches(config, path),
        registry_mirror::EXTENSION_TYPE => of_mirrors(config, path),
        rsyslog_relp::EXTENSION_TYPE => of_rsyslog(config, path),
        SHOOT_DNS_SERVICE => of_dns_service(config, path),
        _ => Vec::new(),
    }
}

fn of_caches(config: Json<'_>, path: &FieldPath) -> Vec<SecretReference> {
    let is_known = RegistryConfig::read(config).is_some();
    let content = if is_known { Content::Credentials } else { Content::Any };
    items(config, "caches")
        .filter_map(|(place, cache)| {
            let upstream = text(cache, "upstream").filter(|upstream| is_upstream(upstream));
            let upstream =
                upstream.map_or_else(|| format!("caches[{place}]"), |name| format!("upstream {name}"));
            let path = path.child("caches").index(place);
            read(cache, "secretReferenceName", &path, format!("registry-cache {upstream}"), content)
        })
        .collect()
}

fn of_mirrors(config: Json<'_>, path: &FieldPath) -> Vec<SecretReference> {
    let is_known = MirrorConfig::read(config).is_some();
    let content = if is_known { Content::CaBundle } else { Content::Any };
    let mut references = Vec::new();
    for (place, mirror) in items(config, "mirrors") {
        let upstream = text(mirror, "upstream").filter(|upstream| is_upstream(upstream));
        let upstream = upstream.unwrap_or_else(|| format!("mirrors[{place}]"));
        let path = path.child("mirrors").index(place);
        references.extend(items(mirror, "hosts").filter_map(|(place, host)| {
            let url = text(host, "host").filter(|url| is_url(url));
            let url = url.map_or_else(|| format!("hosts[{place}]"), |url| format!("host {url}"));
            let explanation = format!("registry-mirror {url} of {upstream}");
            let path = path.child("hosts").index(place);
            read(host, "caBundleSecretReferenceName", &path, explanation, content)
        }));
    }
    references
}

/// Without TLS the extension does not look at the Secret.
fn of_rsyslog(config: Json<'_>, path: &FieldPath) -> Vec<SecretReference> {
    let Some(tls) = config.field("tls") else { return Vec::new() };
    let is_enabled = tls.field("enabled").is_some_and(|enabled| enabled.raw() == "true");
    let content = if is_enabled { Content::ClientCertificate } else { Content::Any };
    let explanation = "rsyslog-relp tls".to_owned();
    read(tls, "secretReferenceName", &path.child("tls"), explanation, content).into_iter().collect()
}

fn of_dns_service(config: Json<'_>, path: &FieldPath) -> Vec<SecretReference> {
    let mut references = Vec::new();
    for (place, provider) in items(config, "providers") {
        let name = text(provider, "type").filter(|name| is_presentable(name));
        let name = name.map_or_else(|| format!("providers[{place}]"), |name| format!("provider {name}"));
        let path = path.child("providers").index(place);
        // Both have been in use.
        for field in ["secretName", "credentials"] {
            let explanation = format!("{SHOOT_DNS_SERVICE} {name}");
            references.extend(read(provider, field, &path, explanation, Content::Any));
        }
    }
    references
}

fn read(
    json: Json<'_>,
    field: &'static str,
    path: &FieldPath,
    explanation: String,
    content: Content,
) -> Option<SecretReference> {
    let name = text(json, field).filter(|name| !name.is_empty())?;
    Some(SecretReference { name, explanation, path: path.child(field), content, field })
}

fn items<'a>(json: Json<'a>, list: &str) -> impl Iterator<Item = (usize, Json<'a>)> + use<'a> {
    json.field(list).map(Json::items).unwrap_or_default().into_iter().enumerate()
}

fn text(json: Json<'_>, field: &str) -> Option<String> {
    let value = json.field(field).filter(|value| value.json_type() == Type::String)?;
    value.text().map(|text| text.to_string())
}

#[cfg(test)]
#[path = "extension_reference_tests.rs"]
mod tests;
