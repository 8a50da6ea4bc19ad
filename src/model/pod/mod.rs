//! The part of a pod that decides about pull Secrets: of one that is being created, and of those that are there.

mod observed;
mod uid;

use std::ops::Deref;

use serde::Deserialize;

use super::Text;
use super::namespace::OPT_OUT_VALUE;

pub use observed::{ObservedPod, Owner, PodState};
pub use uid::Uid;

/// A pod borrowed from the review it came in.
pub type Pod<'a> = PodOf<Text<'a>>;

/// A pod, as far as it is read, with texts of some kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct PodOf<T> {
    metadata: Option<Metadata<T>>,
    spec: Option<PodSpec<T>>,
}

impl<T> Default for PodOf<T> {
    fn default() -> Self {
        Self { metadata: None, spec: None }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Metadata<T> {
    labels: Option<Labels<T>>,
    annotations: Option<Annotations<T>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Labels<T> {
    #[serde(rename = "regcred.dev/inject")]
    inject: Option<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Annotations<T> {
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
struct PodSpec<T> {
    service_account_name: Option<T>,
    /// The deprecated name of the same; the API server fills in both.
    service_account: Option<T>,
    image_pull_secrets: Option<Vec<LocalObjectReference<T>>>,
    containers: Option<Vec<Container<T>>>,
    init_containers: Option<Vec<Container<T>>>,
    ephemeral_containers: Option<Vec<Container<T>>>,
    volumes: Option<Vec<Volume<T>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct LocalObjectReference<T> {
    name: Option<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Container<T> {
    image: Option<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Volume<T> {
    image: Option<ImageVolume<T>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct ImageVolume<T> {
    reference: Option<T>,
}

impl<T: Deref<Target = str>> PodOf<T> {
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
}

impl<'a> Pod<'a> {
    /// A pod that is alike in what decides.
    pub fn alike(
        images: impl IntoIterator<Item = &'a str>,
        pull_secrets: impl IntoIterator<Item = &'a str>,
        service_account: &'a str,
        opts_out: bool,
        is_mirror: bool,
    ) -> Self {
        let containers = images.into_iter().map(|image| Container { image: Some(image.into()) });
        let references =
            pull_secrets.into_iter().map(|name| LocalObjectReference { name: Some(name.into()) });
        Self {
            metadata: Some(Metadata {
                labels: opts_out.then(|| Labels { inject: Some(OPT_OUT_VALUE.into()) }),
                annotations: is_mirror.then(|| Annotations { mirror: Some("".into()) }),
            }),
            spec: Some(PodSpec {
                service_account_name: Some(service_account.into()),
                service_account: None,
                image_pull_secrets: Some(references.collect()),
                containers: Some(containers.collect()),
                init_containers: None,
                ephemeral_containers: None,
                volumes: None,
            }),
        }
    }

    /// Reads a pod.
    ///
    /// # Errors
    /// When a field that is read has another type, or stands there twice.
    pub fn parse(object: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object)
    }
}
