//! What the rules of Gardener's registry extensions find in a Shoot by itself, and which Secrets they are about.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use super::judgement::Demand;
use super::words;
use crate::model::gardener::{
    Content, FieldError, FieldPath, MirrorConfig, Parted, REGISTRY_CACHE, REGISTRY_MIRROR, RegistryConfig,
    SecretReference, references,
};
use crate::model::json::{Json, Type};
use crate::model::{ObjectKey, Text};

/// How many references of an extension are followed. Nobody has as many; but a request has room for more, and each could be an error.
const MOST_REFERENCES: usize = 1_000;
/// The runtime that the extensions configure.
const CONTAINERD: &str = "containerd";

/// What can be said without having seen a Secret.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What is wrong now.
    pub(super) refused: Vec<String>,
    /// What is wrong, and was before.
    pub(super) warned: Vec<String>,
    /// What is demanded of Secrets that was not demanded of them before.
    pub(super) demands: Vec<(ObjectKey, Demand)>,
    /// Whether an extension was changed that has rules.
    pub(super) is_changed: bool,
}

impl Findings {
    /// Nothing but demands.
    pub(super) fn with_demands(demands: impl Iterator<Item = (ObjectKey, Demand)>) -> Self {
        Self { demands: demands.collect(), ..Self::default() }
    }

    /// What is found in a Shoot, where it was changed.
    pub(super) fn of_shoot(new: &RawValue, old: Option<&RawValue>, namespace: &str) -> Self {
        let new = Extensions::read(new, namespace);
        let old = old.map(|old| Extensions::read(old, namespace)).unwrap_or_default();
        let mut findings = Self::default();
        for extension in &new.enabled {
            let is_changed = match &*extension.its_type {
                REGISTRY_CACHE => findings.judge(&CACHES, extension, &new, &old),
                REGISTRY_MIRROR => {
                    let is_changed = findings.judge(&MIRRORS, extension, &new, &old);
                    findings.add_collisions(extension, is_changed, &new, &old);
                    is_changed
                }
                _ => false,
            };
            findings.is_changed |= is_changed;
            findings.follow(extension, is_changed, &new, &old);
        }
        findings
    }

    /// Judges one extension, if it is new or changed; whether it is.
    fn judge<C: PartialEq>(
        &mut self,
        rules: &Rules<C>,
        extension: &Extension<'_>,
        new: &Extensions<'_>,
        old: &Extensions<'_>,
    ) -> bool {
        let read = |extension: &Extension<'_>| extension.config.map(rules.read);
        let (config, path) = (read(extension), &extension.path());
        let before = old.of_type(rules.extension_type).map(read);
        if before.as_ref() == Some(&config) {
            return false;
        }
        if new.has_other_runtime {
            let sentence = words::other_runtime(rules.extension_type);
            if before.is_none() || !old.has_other_runtime {
                self.refused.push(sentence);
                return true;
            }
            self.warned.push(words::as_before(&sentence));
        }
        let Some(config) = config else {
            let error = FieldError::required(path.clone(), &words::no_configuration(rules.extension_type));
            self.refused.push(error.to_string());
            return true;
        };
        // Of what is not understood nothing is said.
        let (Some(config), before) = (config, before.flatten().flatten()) else { return true };
        let errors_before = before.as_ref().map(|before| (rules.errors)(before, path)).unwrap_or_default();
        let of_change = before.map(|before| (rules.update_errors)(&config, &before, path));
        self.refused.extend(of_change.into_iter().flatten().map(|error| error.to_string()));
        self.add(&Parted::by((rules.errors)(&config, path), &errors_before), true);
        true
    }

    /// Mirrors of upstreams that there are caches for. Either may have been changed.
    fn add_collisions(
        &mut self,
        mirrors: &Extension<'_>,
        is_changed: bool,
        new: &Extensions<'_>,
        old: &Extensions<'_>,
    ) {
        let path = mirrors.path();
        let collisions = |extensions: &Extensions<'_>, mirrors: Option<&Extension<'_>>| {
            let caches = extensions.of_type(REGISTRY_CACHE)?.config.and_then(RegistryConfig::read)?;
            let mirrors = mirrors?.config.and_then(MirrorConfig::read)?;
            Some(mirrors.collisions(&caches, &path))
        };
        let before = collisions(old, old.of_type(REGISTRY_MIRROR)).unwrap_or_default();
        let now = collisions(new, Some(mirrors)).unwrap_or_default();
        self.add(&Parted::by(now, &before), is_changed);
    }

    /// The entries of `spec.resources` that an extension refers to, and what it demands of the Secrets behind them. They may be other
    /// Secrets than before although nothing of the extension was changed: so credentials are rotated.
    fn follow(
        &mut self,
        extension: &Extension<'_>,
        is_changed: bool,
        new: &Extensions<'_>,
        old: &Extensions<'_>,
    ) {
        let path = extension.path();
        let before = old.of_type(&extension.its_type).map(|before| before.references(&path));
        let before = before.unwrap_or_default();
        let now = extension.references(&path);
        let missing = |references: &[SecretReference], extensions: &Extensions<'_>| {
            let missing = references.iter().filter(|reference| extensions.secret_of(reference).is_none());
            missing.map(SecretReference::no_resource).collect::<Vec<_>>()
        };
        self.add(&Parted::by(missing(&now, new), &missing(&before, old)), is_changed);
        let demanded: HashSet<(&str, &ObjectKey)> = before
            .iter()
            .filter_map(|reference| Some((reference.explanation.as_str(), old.secret_of(reference)?)))
            .collect();
        for reference in now {
            if let Some(secret) = new.secret_of(&reference)
                && !demanded.contains(&(reference.explanation.as_str(), secret))
            {
                self.demands.push((secret.clone(), Demand::Extension(reference)));
            }
        }
    }

    /// Who changes something else is not reminded of what was wrong before.
    fn add(&mut self, errors: &Parted, is_changed: bool) {
        self.refused.extend(errors.new.iter().map(ToString::to_string));
        if is_changed {
            self.warned.extend(errors.had.iter().map(|error| words::as_before(&error.to_string())));
        }
    }
}

/// The rules of an extension.
struct Rules<C> {
    extension_type: &'static str,
    read: fn(Json<'_>) -> Option<C>,
    /// What is wrong with a configuration by itself.
    errors: fn(&C, &FieldPath) -> Vec<FieldError>,
    /// What is wrong with the change of one.
    update_errors: fn(&C, &C, &FieldPath) -> Vec<FieldError>,
}

const CACHES: Rules<RegistryConfig> = Rules {
    extension_type: REGISTRY_CACHE,
    read: RegistryConfig::read,
    errors: RegistryConfig::static_errors,
    update_errors: RegistryConfig::update_errors,
};

const MIRRORS: Rules<MirrorConfig> = Rules {
    extension_type: REGISTRY_MIRROR,
    read: MirrorConfig::read,
    errors: MirrorConfig::static_errors,
    update_errors: |_, _, _| Vec::new(),
};

/// What is read of a Shoot for the rules of extensions.
#[derive(Default)]
struct Extensions<'a> {
    /// The first of each type, which is the only one that Gardener takes. Without those that are disabled, about which upstream is not
    /// asked.
    enabled: Vec<Extension<'a>>,
    /// The Secrets of `spec.resources` by the names of the entries; `None` for an entry of another kind.
    resources: HashMap<String, Option<ObjectKey>>,
    /// Whether a worker has another runtime than containerd.
    has_other_runtime: bool,
}

/// One of `spec.extensions`.
struct Extension<'a> {
    its_type: Text<'a>,
    position: usize,
    config: Option<Json<'a>>,
}

impl<'a> Extensions<'a> {
    fn read(shoot: &'a RawValue, namespace: &str) -> Self {
        let spec = Json::from(shoot).field("spec").map(Json::fields).unwrap_or_default();
        let items = |field| spec.get(field).map(Json::items).unwrap_or_default();
        let enabled = items("extensions").into_iter().enumerate();
        let enabled = enabled.filter_map(|(position, extension)| Extension::read(position, extension));
        let mut types = HashSet::new();
        let enabled = enabled.filter(|extension| types.insert(extension.its_type.clone())).collect();
        let mut resources = HashMap::new();
        for resource in items("resources") {
            if let Some(name) = resource.field("name").and_then(Json::text) {
                resources.entry(name.to_string()).or_insert_with(|| secret_of(resource, namespace));
            }
        }
        let workers = spec.get("provider").and_then(|provider| provider.field("workers"));
        let workers = workers.map(Json::items).unwrap_or_default();
        // Gardener sets it where it is not set.
        let is_other = |worker: &Json<'_>| {
            let runtime = worker.at(&["cri", "name"]).and_then(Json::text);
            runtime.is_some_and(|runtime| &*runtime != CONTAINERD)
        };
        Self { enabled, resources, has_other_runtime: workers.iter().any(is_other) }
    }

    fn of_type(&self, extension_type: &str) -> Option<&Extension<'a>> {
        self.enabled.iter().find(|extension| &*extension.its_type == extension_type)
    }

    /// The Secret behind a reference.
    fn secret_of(&self, reference: &SecretReference) -> Option<&ObjectKey> {
        self.resources.get(&reference.name)?.as_ref()
    }
}

/// The Secret that an entry of `spec.resources` stands for. The version is not looked at, as upstream does not.
fn secret_of(resource: Json<'_>, namespace: &str) -> Option<ObjectKey> {
    let reference = resource.field("resourceRef")?.fields();
    let text = |field| reference.get(field).and_then(Json::text).filter(|text| !text.is_empty());
    text("kind").filter(|kind| &**kind == "Secret")?;
    text("name").map(|name| ObjectKey::new(namespace, &name))
}

impl<'a> Extension<'a> {
    /// Reads an extension that is not disabled.
    fn read(position: usize, extension: Json<'a>) -> Option<Self> {
        let fields = extension.fields();
        let is_disabled = fields.get("disabled").is_some_and(|disabled| disabled.raw() == "true");
        let its_type = fields.get("type").and_then(Json::text).filter(|_| !is_disabled)?;
        let config = fields.get("providerConfig").filter(|config| config.json_type() != Type::Null);
        Some(Self { its_type, position, config })
    }

    /// The path of its configuration.
    fn path(&self) -> FieldPath {
        FieldPath::new("spec").child("extensions").index(self.position).child("providerConfig")
    }

    /// Its references to Secrets of which something is demanded.
    fn references(&self, path: &FieldPath) -> Vec<SecretReference> {
        let all = self.config.map(|config| references(&self.its_type, config, path));
        let demanding = all.into_iter().flatten().filter(|reference| reference.content != Content::Any);
        demanding.take(MOST_REFERENCES).collect()
    }
}
