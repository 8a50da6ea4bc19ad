//! Kinds that point to Secrets because the configuration says so.
//!
//! Whoever writes such an object is not asked about it, so none of them leaves a reservation: one that is written at the very moment in
//! which its Secret is deleted can end without it.

mod liveness;
mod path;
mod value;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::ObjectKey;
use super::reference::{Pointers, Reference};
use liveness::Liveness;
use path::Path;

/// The stack on which expressions are read. Their parsers go down by recursion and take up to 200 KiB for each bracket, and how many there
/// may be is limited to go with this.
const STACK: usize = 32 << 20;

/// How a kind is described: one that points to Secrets, other than those that regcred knows by itself. Its objects must be
/// in namespaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Kind")]
pub struct Definition {
    /// Its API group; empty, as by default, for Kubernetes' core.
    #[serde(default)]
    pub group: String,
    /// The version in which its objects are read.
    pub version: String,
    /// Its resource, as in a role: lower case, plural.
    pub resource: String,
    /// Its name, for people.
    pub kind: String,
    /// The places that name Secrets.
    pub secrets: Vec<Place>,
    /// A CEL expression about `object` that says whether an object still needs its Secrets. By default it does as long as it exists,
    /// and also where the expression gives no truth value, as for a field that is not there.
    #[serde(default)]
    pub needs_secrets: Option<String>,
    /// Whether all objects are watched, so that their Secrets are marked, and stay while regcred does not answer. Otherwise they
    /// are listed when a Secret is to be deleted. By default true; Pods are not watched.
    #[serde(default = "yes")]
    pub watched: bool,
}

fn yes() -> bool {
    true
}

/// Where an object names Secrets, as JSON paths (RFC 9535) that each begin with `$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// From the object to what names a Secret each, which is `$` for the other two. By default the object itself.
    #[serde(default)]
    pub each: Option<String>,
    /// To the name of the Secret.
    pub name: String,
    /// To its namespace. By default, and where nothing stands there, it is the object's own.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// Why a definition cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field}: {reason}")]
pub struct DefinitionError {
    /// The field.
    pub field: String,
    /// Why.
    pub reason: String,
}

/// A kind from the configuration. It is the same as another if it is described the same.
pub struct ConfiguredKind {
    definition: Definition,
    places: Vec<CompiledPlace>,
    liveness: Option<Liveness>,
}

struct CompiledPlace {
    each: Option<Path>,
    name: Path,
    namespace: Option<Path>,
}

impl ConfiguredKind {
    /// Understands a definition.
    ///
    /// # Errors
    /// When something in it cannot be used, with where and why.
    pub fn compile(definition: Definition) -> Result<Self, DefinitionError> {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let running = thread.spawn(|| Self::compile_here(definition));
        let running =
            running.map_err(|error| wrong("secrets", &format!("they cannot be read now: {error}")))?;
        running.join().unwrap_or_else(|_| Err(wrong("needsSecrets", "a defect in what reads expressions")))
    }

    fn compile_here(definition: Definition) -> Result<Self, DefinitionError> {
        check_names(&definition)?;
        if definition.secrets.is_empty() {
            return Err(wrong("secrets", "say where the objects name Secrets"));
        }
        let places = definition.secrets.iter().enumerate().map(|(number, place)| {
            let compile = |field: &str, text: &str| {
                Path::compile(text).map_err(|reason| wrong(&format!("secrets[{number}].{field}"), &reason))
            };
            let optional =
                |field, text: &Option<String>| text.as_deref().map(|text| compile(field, text)).transpose();
            Ok(CompiledPlace {
                each: optional("each", &place.each)?,
                name: compile("name", &place.name)?,
                namespace: optional("namespace", &place.namespace)?,
            })
        });
        let places = places.collect::<Result<_, _>>()?;
        let liveness = definition.needs_secrets.as_deref().map(Liveness::compile).transpose();
        let liveness = liveness.map_err(|reason| wrong("needsSecrets", &reason))?;
        Ok(Self { definition, places, liveness })
    }

    /// How it is described.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whether its objects may point to Secrets of other namespaces than their own.
    pub fn crosses_namespaces(&self) -> bool {
        self.places.iter().any(|place| place.namespace.is_some())
    }

    /// What an object points to, whatever it holds; nothing when it needs no Secret any more.
    pub fn pointers(&self, namespace: &str, object: &RawValue) -> Pointers {
        let object = value::read(object);
        let is_needless = || self.liveness.as_ref().is_some_and(|liveness| liveness.denies(&object));
        // A defect in an expression's library must not end a watch. Whoever reads on knows the less of it: the object counts.
        if catch_unwind(AssertUnwindSafe(is_needless)).unwrap_or_else(|_| self.defect("needsSecrets")) {
            return Pointers::default();
        }
        let find = || self.places.iter().flat_map(|place| place.references(namespace, &object)).collect();
        let found = catch_unwind(AssertUnwindSafe(find)).unwrap_or_else(|_| self.defect("secrets"));
        Pointers::to(found)
    }

    fn defect<T: Default>(&self, field: &str) -> T {
        tracing::error!(
            kind = self.definition.kind,
            field,
            "a defect in what evaluates this field of a configured kind"
        );
        T::default()
    }
}

impl CompiledPlace {
    fn references(&self, namespace: &str, object: &Value) -> BTreeSet<Reference> {
        let nodes = match &self.each {
            Some(each) => each.nodes(object),
            None => vec![(object, String::new())],
        };
        let texts = |path: &Path, node| {
            let texts = path.nodes(node).into_iter();
            texts.filter_map(|(value, place)| Some((value.as_str().filter(|text| !text.is_empty())?, place)))
        };
        let references = nodes.into_iter().flat_map(|(node, at)| {
            let named = self.namespace.iter().flat_map(move |path| texts(path, node).map(|(text, _)| text));
            let mut namespaces: BTreeSet<&str> = named.collect();
            if namespaces.is_empty() {
                namespaces.insert(namespace);
            }
            texts(&self.name, node).flat_map(move |(name, place)| {
                let place = path::for_people(&at, &place);
                let to = |namespace: &&str| Reference::new(ObjectKey::new(namespace, name), &place);
                namespaces.iter().map(to).collect::<Vec<_>>()
            })
        });
        references.collect()
    }
}

/// They become paths at the API server.
fn check_names(definition: &Definition) -> Result<(), DefinitionError> {
    let Definition { group, version, resource, kind, .. } = definition;
    if !group.is_empty() && !super::dns_name::is_subdomain(group) {
        return Err(wrong("group", &format!("no API group can be called {group:?}")));
    }
    if !super::dns_name::is_label(version) {
        return Err(wrong("version", &format!("no version can be called {version:?}: write one such as v1")));
    }
    if !super::dns_name::is_label(resource) {
        let reason = format!("no resource can be called {resource:?}: write it as in a role, such as pods");
        return Err(wrong("resource", &reason));
    }
    if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("kind", &format!("no kind can be called {kind:?}: write one such as Pod")));
    }
    if group.is_empty() && resource == "pods" && definition.watched {
        return Err(wrong("watched", "Pods are listed, not watched: write watched: false"));
    }
    Ok(())
}

fn wrong(field: &str, reason: &str) -> DefinitionError {
    DefinitionError { field: field.to_owned(), reason: reason.to_owned() }
}

impl fmt::Debug for ConfiguredKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.fmt(formatter)
    }
}

impl PartialEq for ConfiguredKind {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

impl Eq for ConfiguredKind {}

impl PartialOrd for ConfiguredKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ConfiguredKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.definition.cmp(&other.definition)
    }
}

impl Hash for ConfiguredKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.hash(state);
    }
}
