//! What is read of a cache.

use super::Version;
use crate::model::gardener::go_duration::GoDuration;
use crate::model::gardener::quantity::Quantity;
use crate::model::gardener::reading::{Object, Undecodable};
use crate::model::json::{Json, Type};

/// How long what is cached is kept by default: a week (`DefaultTTL`).
const DEFAULT_TIME_TO_LIVE: GoDuration = GoDuration::from_hours(7 * 24);
/// The size of a volume by default.
const DEFAULT_SIZE: &str = "10Gi";
/// The storage class that every volume had in `v1alpha1`, which did not let it be chosen.
const ONLY_STORAGE_CLASS: &str = "default";

/// A cache, with the defaults that upstream sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) upstream: String,
    pub(super) remote_url: Option<String>,
    pub(super) size: Quantity,
    pub(super) storage_class_name: Option<String>,
    /// Zero if nothing is ever removed.
    pub(super) time_to_live: GoDuration,
    pub(super) secret_reference_name: Option<String>,
    pub(super) http_proxy: Option<String>,
    pub(super) https_proxy: Option<String>,
    pub(super) has_tls: bool,
    pub(super) is_highly_available: bool,
    pub(super) service_name_suffix: Option<String>,
}

impl Cache {
    /// Reads an item of `caches`.
    pub(super) fn read(cache: Json<'_>, version: Version) -> Result<Self, Undecodable> {
        let cache = Object::read(cache)?;
        let volume = match version {
            Version::V1Alpha1 => None,
            Version::V1Alpha2 | Version::V1Alpha3 => cache.object("volume")?,
        };
        let size = match version {
            Version::V1Alpha1 => cache.field("size"),
            Version::V1Alpha2 | Version::V1Alpha3 => volume.as_ref().and_then(|volume| volume.field("size")),
        };
        let storage_class_name = match (version, &volume) {
            (Version::V1Alpha1, _) => Some(ONLY_STORAGE_CLASS.to_owned()),
            (_, None) => None,
            (_, Some(volume)) => volume.text("storageClassName")?,
        };
        let read = Self {
            upstream: cache.text("upstream")?.unwrap_or_default(),
            remote_url: None,
            size: read_size(size)?,
            storage_class_name,
            time_to_live: read_time_to_live(cache.object("garbageCollection")?.as_ref(), version)?,
            // An empty name names nothing, and upstream finds nothing for it.
            secret_reference_name: cache.text("secretReferenceName")?.filter(|name| !name.is_empty()),
            http_proxy: None,
            https_proxy: None,
            has_tls: true,
            is_highly_available: false,
            service_name_suffix: None,
        };
        match version {
            Version::V1Alpha1 | Version::V1Alpha2 => Ok(read),
            Version::V1Alpha3 => read.with_later_fields(&cache),
        }
    }

    /// With what came in `v1alpha3`.
    fn with_later_fields(self, cache: &Object<'_>) -> Result<Self, Undecodable> {
        let (proxy, http, availability) =
            (cache.object("proxy")?, cache.object("http")?, cache.object("highAvailability")?);
        let proxy_for = |name| proxy.as_ref().map_or(Ok(None), |proxy| proxy.text(name));
        let is_set = |object: Option<&Object<'_>>, name, default| {
            object.map_or(Ok(default), |object| Ok(object.boolean(name)?.unwrap_or(false)))
        };
        Ok(Self {
            remote_url: cache.text("remoteURL")?,
            http_proxy: proxy_for("httpProxy")?,
            https_proxy: proxy_for("httpsProxy")?,
            has_tls: is_set(http.as_ref(), "tls", true)?,
            is_highly_available: is_set(availability.as_ref(), "enabled", false)?,
            service_name_suffix: cache.text("serviceNameSuffix")?,
            ..self
        })
    }
}

fn read_size(size: Option<Json<'_>>) -> Result<Quantity, Undecodable> {
    let Some(size) = size else { return Quantity::parse(DEFAULT_SIZE).ok_or(Undecodable) };
    let text = match size.json_type() {
        Type::String => size.text().ok_or(Undecodable)?.to_string(),
        Type::Number => size.raw().to_owned(),
        _ => return Err(Undecodable),
    };
    Quantity::parse(&text).ok_or(Undecodable)
}

/// Earlier versions can only have it or not.
fn read_time_to_live(collection: Option<&Object<'_>>, version: Version) -> Result<GoDuration, Undecodable> {
    let Some(collection) = collection else { return Ok(DEFAULT_TIME_TO_LIVE) };
    match version {
        Version::V1Alpha1 | Version::V1Alpha2 => {
            let is_enabled = collection.boolean("enabled")?.unwrap_or(false);
            Ok(if is_enabled { DEFAULT_TIME_TO_LIVE } else { GoDuration::ZERO })
        }
        Version::V1Alpha3 => match collection.text("ttl")? {
            Some(text) => GoDuration::parse(&text).ok_or(Undecodable),
            None => Ok(GoDuration::ZERO),
        },
    }
}
