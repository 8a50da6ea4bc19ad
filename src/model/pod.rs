//! The part of a pod that decides about pull Secrets, borrowed from the review it came in.

use serde::Deserialize;

use super::Text;
use super::namespace::OPT_OUT_VALUE;

/// A pod, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Pod<'a> {
    metadata: Option<Metadata<'a>>,
    spec: Option<PodSpec<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    labels: Option<Labels<'a>>,
    annotations: Option<Annotations<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Labels<'a> {
    #[serde(rename = "regcred.dev/inject")]
    inject: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Annotations<'a> {
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct PodSpec<'a> {
    service_account_name: Option<Text<'a>>,
    /// The deprecated name of the same; the API server fills in both.
    service_account: Option<Text<'a>>,
    image_pull_secrets: Option<Vec<LocalObjectReference<'a>>>,
    containers: Option<Vec<Container<'a>>>,
    init_containers: Option<Vec<Container<'a>>>,
    ephemeral_containers: Option<Vec<Container<'a>>>,
    volumes: Option<Vec<Volume<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct LocalObjectReference<'a> {
    name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Container<'a> {
    image: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Volume<'a> {
    image: Option<ImageVolume<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ImageVolume<'a> {
    reference: Option<Text<'a>>,
}

impl<'a> Pod<'a> {
    /// Images of containers, init containers (sidecars among them) and image volumes, as written.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let spec = self.spec.as_ref();
        let containers = spec.and_then(|spec| spec.containers.as_deref()).unwrap_or_default();
        let init_containers = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
        let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
        containers.iter().chain(init_containers).filter_map(|container| container.image.as_deref()).chain(
            volumes
                .iter()
                .filter_map(|volume| volume.image.as_ref().and_then(|image| image.reference.as_deref())),
        )
    }

    /// Images of ephemeral containers, as written.
    pub fn ephemeral_images(&self) -> impl Iterator<Item = &str> {
        let containers = self.spec.as_ref().and_then(|spec| spec.ephemeral_containers.as_deref());
        containers.unwrap_or_default().iter().filter_map(|container| container.image.as_deref())
    }

    /// Names of the pull Secrets it has; `None` when the list is absent or null, which a patch must tell apart
    /// from an empty one.
    pub fn pull_secrets(&self) -> Option<impl Iterator<Item = &str>> {
        let references = self.spec.as_ref()?.image_pull_secrets.as_deref()?;
        Some(references.iter().filter_map(|reference| reference.name.as_deref()))
    }

    /// Whether a pull Secret of this name is in its list.
    pub fn names_pull_secret(&self, name: &str) -> bool {
        self.pull_secrets().is_some_and(|mut names| names.any(|existing| existing == name))
    }

    /// The ServiceAccount; `default` until the API server has filled it in.
    pub fn service_account(&self) -> &str {
        let names = self.spec.iter().flat_map(|spec| [&spec.service_account_name, &spec.service_account]);
        names.flatten().map(|name| &**name).find(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Whether its own label keeps it as it is.
    pub fn opts_out(&self) -> bool {
        let labels = self.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
        labels.and_then(|labels| labels.inject.as_deref()).is_some_and(|value| value == OPT_OUT_VALUE)
    }

    /// Whether it carries the annotation of a static pod's mirror.
    pub fn is_annotated_as_mirror(&self) -> bool {
        let annotations = self.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
        annotations.is_some_and(|annotations| annotations.mirror.is_some())
    }

    /// Reads a pod.
    ///
    /// # Errors
    /// When a field that is read has another type, or stands there twice.
    pub fn parse(object: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object)
    }
}
