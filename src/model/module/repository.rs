//! Where the layers of a module are.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::model::json::Json;
use crate::model::keyring::Target;

/// The registry of a repository that names none, by the name that go-containerregistry gives it
/// (`pkg/name/registry.go`).
const DEFAULT_REGISTRY: &str = "index.docker.io";

/// What stands between a repository and the name of a component (`ocm.software` specification, OCI mapping).
const COMPONENT_DESCRIPTORS: &str = "component-descriptors";

/// The OCI repository that a module is in: a repository context of its descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    base: String,
    /// Where it is looked for by a digest: without the sub-path, or without any path where there is no sub-path, for a path is
    /// taken for one then (`api/ocm/extensions/repositories/ocireg/specnorm.go` of the OCM library).
    root: String,
    is_hashed: bool,
}

impl Repository {
    /// Reads a repository context: `baseUrl` without its scheme, and `subPath`. `None` without a `baseUrl`.
    pub(super) fn read(context: Json<'_>) -> Option<Self> {
        let text = |name: &str| context.field(name).and_then(Json::text);
        let url = text("baseUrl").filter(|url| !url.is_empty())?;
        let location = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(&url);
        let sub_path = text("subPath");
        let sub_path = sub_path.as_deref().unwrap_or_default().trim_matches('/');
        let location = location.trim_end_matches('/');
        let base = if sub_path.is_empty() { location.to_owned() } else { format!("{location}/{sub_path}") };
        let is_hashed = text("componentNameMapping").is_some_and(|mapping| &*mapping == "sha256-digest");
        let host = location.split('/').next().filter(|host| sub_path.is_empty() && !host.is_empty());
        Some(Self { base, root: host.unwrap_or(location).to_owned(), is_hashed })
    }

    /// Host and path, for people.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What Lifecycle Manager asks credentials for (`internal/manifest/img/parse.go`), but for slashes at the end of a `baseUrl`,
    /// which it keeps.
    fn of_component(&self, component: &str) -> String {
        if !self.is_hashed {
            return format!("{}/{COMPONENT_DESCRIPTORS}/{component}", self.base);
        }
        // Two slashes, as it is put together there; a key can end with both.
        let mut name = format!("{}//", self.root);
        for byte in digest(&SHA256, component.as_bytes()).as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// The same as go-containerregistry reads it, to be held against keys.
    pub fn target(&self, component: &str) -> Target {
        Target::new(&self.name_of(component))
    }

    /// The same as text.
    pub fn name_of(&self, component: &str) -> String {
        as_pulled(self.of_component(component))
    }

    /// Where it says that it is, as the kubelet would call that, to be held against patterns of images. Lifecycle Manager may
    /// leave the path out.
    pub fn image_target(&self, component: &str) -> Target {
        let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let name = format!("{}/{COMPONENT_DESCRIPTORS}/{component}", self.base);
        Target::new(&within(name, "docker.io", is_host))
    }
}

/// A name as go-containerregistry reads it (`pkg/name/repository.go`): what begins with no host is of Docker Hub, also what
/// begins with `localhost` and no port.
pub(super) fn as_pulled(name: String) -> String {
    within(name, DEFAULT_REGISTRY, |first| first.contains(['.', ':']))
}

/// A name with one for Docker Hub, and what tells a host from the first part of a path.
fn within(name: String, docker_hub: &str, is_host: impl Fn(&str) -> bool) -> String {
    let (first, rest) = name.split_once('/').unwrap_or((&name, ""));
    match first {
        "docker.io" | DEFAULT_REGISTRY => format!("{docker_hub}/{rest}"),
        _ if is_host(first) => name,
        _ => format!("{docker_hub}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    #[rstest]
    #[case::plain(json!({"baseUrl": "ghcr.io/org"}), "ghcr.io/org/component-descriptors/k.io/m")]
    #[case::with_scheme(json!({"baseUrl": "https://ghcr.io/org/"}), "ghcr.io/org/component-descriptors/k.io/m")]
    #[case::insecure(json!({"baseUrl": "http://10.0.0.1:5000"}), "10.0.0.1:5000/component-descriptors/k.io/m")]
    #[case::sub_path(json!({"baseUrl": "ghcr.io", "subPath": "/org/x/"}), "ghcr.io/org/x/component-descriptors/k.io/m")]
    #[case::null_sub_path(json!({"baseUrl": "ghcr.io", "subPath": null}), "ghcr.io/component-descriptors/k.io/m")]
    #[case::url_path(
        json!({"baseUrl": "ghcr.io", "componentNameMapping": "urlPath"}), "ghcr.io/component-descriptors/k.io/m"
    )]
    #[case::hashed(
        json!({"baseUrl": "ghcr.io", "componentNameMapping": "sha256-digest"}),
        "ghcr.io//aaaccde2d4a0bb8c0cb68fe3cc059c4a73005aee2bb504b4a7d0c11d0a3a7bc2"
    )]
    #[case::hashed_without_the_sub_path(
        json!({"baseUrl": "ghcr.io/team", "subPath": "org", "componentNameMapping": "sha256-digest"}),
        "ghcr.io/team//aaaccde2d4a0bb8c0cb68fe3cc059c4a73005aee2bb504b4a7d0c11d0a3a7bc2"
    )]
    #[case::hashed_without_its_path(
        json!({"baseUrl": "ghcr.io/org", "componentNameMapping": "sha256-digest"}),
        "ghcr.io//aaaccde2d4a0bb8c0cb68fe3cc059c4a73005aee2bb504b4a7d0c11d0a3a7bc2"
    )]
    fn credentials_are_asked_for_where_lifecycle_manager_pulls(
        #[case] context: serde_json::Value,
        #[case] expected: &str,
    ) {
        let raw = to_raw_value(&context).unwrap();
        assert_eq!(Repository::read((&*raw).into()).unwrap().of_component("k.io/m"), expected);
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"baseUrl": ""}))]
    #[case(json!({"baseUrl": 7}))]
    #[case(json!("ghcr.io"))]
    fn a_context_without_a_base_url_is_no_repository(#[case] context: serde_json::Value) {
        let raw = to_raw_value(&context).unwrap();
        assert_eq!(Repository::read((&*raw).into()), None);
    }
}
