//! Which Secrets Lifecycle Manager pulls something with: those that a selector finds, in whatever namespace it looks.

use serde_json::value::RawValue;

use super::credential_label::Selector;
use super::descriptor::{Descriptor, Location};
use super::repository::as_pulled;
use super::selected_secret::SelectedSecret;
use super::template::ModuleTemplate;
use crate::model::json::Json;
use crate::model::keyring::Target;

/// Where a Manifest says which Secrets its module is pulled with. Its `spec.config` may say so as well, but nothing reads that
/// (`internal/manifest/spec_resolver.go`).
const SOURCE: [&str; 3] = ["spec", "install", "source"];

/// What an object needs Secrets for, and by which labels these are found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// The labels.
    pub selector: Selector,
    /// What is pulled: registry and repository, as they are held against the keys of Secrets.
    pub repository: String,
    /// The place in the object, as people write it.
    pub path: String,
}

impl Selection {
    /// What a `ModuleTemplate` needs for the layer that is installed; `None` if it needs none, or is being deleted, for what has come
    /// of it has a Manifest. A public registry is no exception: of what has the label nothing is pulled while no Secret is found.
    pub fn of_template(object: &RawValue) -> Option<Self> {
        let template = ModuleTemplate::read(object);
        let Descriptor::Component(component) = template.descriptor() else { return None };
        let Location::Repository(repository) = &component.location else { return None };
        let (place, layer) = component.installed().filter(|_| !template.is_terminating)?;
        Some(Self {
            selector: layer.label.selector()?.clone(),
            repository: repository.name_of(&component.name),
            path: component.path_of_labels_of(place),
        })
    }

    /// What a Manifest needs, until it is gone: Lifecycle Manager looks for the Secrets whenever it looks at it. `None` if it asks for
    /// none, or in a way that Lifecycle Manager never writes.
    pub fn of_manifest(object: &RawValue) -> Option<Self> {
        let source = Json::from(object).at(&SOURCE)?.fields();
        let selector = source.get("credSecretSelector")?.fields();
        if selector.get("matchExpressions").is_some_and(|expressions| !expressions.items().is_empty()) {
            return None;
        }
        let (repository, name) = (source.get("repo")?.text()?, source.get("name")?.text()?);
        let repository = ["https://", "http://"]
            .iter()
            .find_map(|scheme| repository.strip_prefix(scheme))
            .unwrap_or(&repository);
        Some(Self {
            selector: Selector::read(selector.get("matchLabels")?).ok()?,
            repository: as_pulled(format!("{repository}/{name}")),
            path: format!("{}.credSecretSelector", SOURCE.join(".")),
        })
    }

    /// Whether any of these Secrets has credentials for what is pulled.
    pub fn is_covered_by<'a>(&self, secrets: impl Iterator<Item = &'a SelectedSecret>) -> bool {
        !SelectedSecret::covering(secrets, &Target::new(&self.repository)).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn label(value: &str) -> Value {
        json!([{"name": "oci-registry-cred", "value": {"a": value}}])
    }

    fn blob(name: &str, labels: &Value) -> Value {
        json!({"name": name, "access": {"type": "localBlob"}, "labels": labels})
    }

    fn template(component: &Value) -> Value {
        json!({"spec": {"descriptor": {"component": component}}})
    }

    fn component(resources: &Value) -> Value {
        json!({
            "name": "k.io/m", "repositoryContexts": [{"baseUrl": "https://ghcr.io/org"}], "resources": resources,
        })
    }

    fn told(selection: Option<Selection>) -> Option<[String; 3]> {
        selection.map(|one| [one.selector.to_string(), one.repository, one.path])
    }

    #[test]
    fn a_module_template_asks_for_the_secrets_of_the_layer_that_is_installed() {
        let layers = [blob("config", &label("other")), blob("raw-manifest", &label("b"))];
        let of = |object: &Value| told(Selection::of_template(&to_raw_value(object).unwrap()));
        let mut object = template(&component(&json!(layers)));
        let found = Some(
            [
                "a=b",
                "ghcr.io/org/component-descriptors/k.io/m",
                "spec.descriptor.component.resources[1].labels",
            ]
            .map(str::to_owned),
        );
        assert_eq!(of(&object), found);
        object["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(of(&object), None, "it goes");
        let newer = json!({"spec": {"descriptor": {
            "metadata": {"name": "k.io/m"}, "repositoryContexts": [{"baseUrl": "org"}], "spec": {"resources": layers},
        }}});
        let found = Some(
            [
                "a=b",
                "index.docker.io/org/component-descriptors/k.io/m",
                "spec.descriptor.spec.resources[1].labels",
            ]
            .map(str::to_owned),
        );
        assert_eq!(of(&newer), found);
    }

    #[rstest]
    #[case::empty(json!({"spec": {"descriptor": {}}}))]
    #[case::without_a_label(template(&component(&json!([blob("raw-manifest", &json!([]))]))))]
    #[case::that_selects_everything(template(&component(&json!([
        blob("raw-manifest", &json!([{"name": "oci-registry-cred", "value": {}}]))
    ]))))]
    #[case::with_a_label_where_nothing_reads_it(template(&component(&json!([
        blob("raw-manifest", &json!([])), blob("config", &label("b"))
    ]))))]
    #[case::that_is_nowhere(template(&json!({"name": "k.io/m", "resources": [blob("raw-manifest", &label("b"))]})))]
    #[case::of_another_shape(json!(["spec"]))]
    fn another_module_template_asks_for_none(#[case] object: Value) {
        assert_eq!(Selection::of_template(&to_raw_value(&object).unwrap()), None);
    }

    fn manifest(source: &Value) -> Value {
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {
            "config": {"repo": "quay.io", "name": "n", "credSecretSelector": {"matchLabels": {"c": "d"}}},
            "install": {"name": "raw-manifest", "source": source},
        }})
    }

    #[rstest]
    #[case::plain("ghcr.io/org/component-descriptors", "k.io/m", "ghcr.io/org/component-descriptors/k.io/m")]
    #[case::insecure("http://10.0.0.1:5000", "m", "10.0.0.1:5000/m")]
    #[case::with_scheme("https://ghcr.io/", "0a", "ghcr.io//0a")]
    #[case::docker_hub("org/component-descriptors", "m", "index.docker.io/org/component-descriptors/m")]
    fn a_manifest_asks_for_the_secrets_of_what_it_installs_until_it_is_gone(
        #[case] repository: &str,
        #[case] name: &str,
        #[case] pulled: &str,
    ) {
        let source = json!({
            "repo": repository, "name": name, "ref": "sha256:1", "type": "oci-ref",
            "credSecretSelector": {"matchLabels": {"a": "b"}, "matchExpressions": []},
        });
        let found = Selection::of_manifest(&to_raw_value(&manifest(&source)).unwrap());
        let expected = ["a=b", pulled, "spec.install.source.credSecretSelector"].map(str::to_owned);
        assert_eq!(told(found), Some(expected));
    }

    #[rstest]
    #[case::without_credentials(json!({"repo": "r", "name": "n"}))]
    #[case::that_selects_everything(json!({"repo": "r", "name": "n", "credSecretSelector": {}}))]
    #[case::in_many_words(json!({"repo": "r", "name": "n", "credSecretSelector": {"matchLabels": {}}}))]
    #[case::by_expressions(json!({"repo": "r", "name": "n", "credSecretSelector": {
        "matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}],
    }}))]
    #[case::from_nowhere(json!({"credSecretSelector": {"matchLabels": {"a": "b"}}}))]
    #[case::of_another_shape(json!("oci-ref"))]
    fn another_manifest_asks_for_none(#[case] source: Value) {
        assert_eq!(Selection::of_manifest(&to_raw_value(&manifest(&source)).unwrap()), None);
    }
}
