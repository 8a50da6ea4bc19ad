//! Objects that point to Secrets, and what they say.

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::ObjectKey;
use super::configured_kind::ConfiguredKind;
use super::gardener::{Binding, BindingKind, RegistryCacheConfig, Shoot};
use super::module::{self, Selection};

/// The kinds of objects that point to Secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferrerKind {
    /// `core.gardener.cloud`
    Shoot,
    /// Of Gardener: a Shoot names it, and it names a Secret.
    Binding(BindingKind),
    /// `core.kyma-project.io`
    RegistryCacheConfig,
    /// `operator.kyma-project.io`: it selects Secrets by their labels.
    ModuleTemplate,
    /// What Lifecycle Manager makes of a `ModuleTemplate` for each cluster that the module is installed in. It selects Secrets, too.
    Manifest,
    /// One that the configuration describes.
    Configured(Arc<ConfiguredKind>),
}

impl ReferrerKind {
    /// All kinds that are built in.
    pub const ALL: [Self; 6] = [
        Self::Shoot,
        Self::Binding(BindingKind::SecretBinding),
        Self::Binding(BindingKind::CredentialsBinding),
        Self::RegistryCacheConfig,
        Self::ModuleTemplate,
        Self::Manifest,
    ];

    /// The kinds whose objects leave reservations.
    pub fn reserving() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(Self::reserves)
    }

    /// Its API group.
    pub fn group(&self) -> &str {
        match self {
            Self::Shoot | Self::Binding(BindingKind::SecretBinding) => "core.gardener.cloud",
            Self::Binding(BindingKind::CredentialsBinding) => "security.gardener.cloud",
            Self::RegistryCacheConfig => "core.kyma-project.io",
            Self::ModuleTemplate | Self::Manifest => module::GROUP,
            Self::Configured(kind) => &kind.definition().group,
        }
    }

    /// Its resource.
    pub fn resource(&self) -> &str {
        match self {
            Self::Shoot => "shoots",
            Self::Binding(BindingKind::SecretBinding) => "secretbindings",
            Self::Binding(BindingKind::CredentialsBinding) => "credentialsbindings",
            Self::RegistryCacheConfig => "registrycacheconfigs",
            Self::ModuleTemplate => "moduletemplates",
            Self::Manifest => "manifests",
            Self::Configured(kind) => &kind.definition().resource,
        }
    }

    /// Whether it may point to Secrets of other namespaces than its own.
    pub fn crosses_namespaces(&self) -> bool {
        match self {
            Self::Binding(_) | Self::ModuleTemplate | Self::Manifest => true,
            Self::Shoot | Self::RegistryCacheConfig => false,
            Self::Configured(kind) => kind.crosses_namespaces(),
        }
    }

    /// The version that it is to be read in; of others the newest.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Configured(kind) => Some(&kind.definition().version),
            _ => None,
        }
    }

    /// Whether it selects Secrets by their labels, and names none: there may be several that will do.
    pub fn selects(&self) -> bool {
        matches!(self, Self::ModuleTemplate | Self::Manifest)
    }

    /// Whether who is about to point to a Secret leaves a reservation there first.
    pub fn reserves(&self) -> bool {
        matches!(self, Self::Shoot | Self::Binding(_) | Self::RegistryCacheConfig)
    }

    /// Whether all its objects are watched, and not only listed when somebody asks.
    pub fn is_watched(&self) -> bool {
        match self {
            Self::Configured(kind) => kind.definition().watched,
            _ => true,
        }
    }
}

impl fmt::Display for ReferrerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shoot => formatter.write_str("Shoot"),
            Self::Binding(kind) => kind.fmt(formatter),
            Self::RegistryCacheConfig => formatter.write_str("RegistryCacheConfig"),
            Self::ModuleTemplate => formatter.write_str("ModuleTemplate"),
            Self::Manifest => formatter.write_str("Manifest"),
            Self::Configured(kind) => formatter.write_str(&kind.definition().kind),
        }
    }
}

/// An object that may point to Secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Referrer {
    /// Its kind.
    pub kind: ReferrerKind,
    /// Its namespace and name.
    pub key: ObjectKey,
}

impl fmt::Display for Referrer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.key)
    }
}

/// One place in an object that names a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The Secret.
    pub secret: ObjectKey,
    /// The place, as people write it: `spec.resources[0]`.
    pub path: String,
    /// What the Secret is for, as far as the object says that elsewhere: `registry-cache upstream docker.io`.
    pub purposes: Vec<String>,
}

impl Reference {
    /// A place that says by itself what the Secret is for.
    pub fn new(secret: ObjectKey, path: &str) -> Self {
        Self { secret, path: path.to_owned(), purposes: Vec::new() }
    }
}

/// The place, and what the Secret is for.
impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)?;
        self.purposes.iter().try_for_each(|purpose| write!(formatter, ", {purpose}"))
    }
}

/// What an object points to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointers {
    /// Secrets.
    pub secrets: Vec<Reference>,
    /// Bindings that point to a Secret in turn, and the field that names each.
    pub bindings: Vec<(Referrer, &'static str)>,
    /// Secrets that have certain labels. Very many objects select the same, which is kept once.
    pub selections: Vec<Arc<Selection>>,
}

impl Pointers {
    /// What an object points to, whatever it holds; nothing when it needs no Secret any more.
    pub fn of(referrer: &Referrer, object: &RawValue) -> Self {
        let namespace = &*referrer.key.namespace;
        match &referrer.kind {
            ReferrerKind::Shoot => {
                let shoot = Shoot::read(object);
                if !shoot.state().needs_secrets() {
                    return Self::default();
                }
                let bindings = shoot.bindings().into_iter().map(|(kind, name, path)| {
                    let key = ObjectKey::new(namespace, &name);
                    (Referrer { kind: ReferrerKind::Binding(kind), key }, path)
                });
                Self { bindings: bindings.collect(), ..Self::to(shoot.references(namespace)) }
            }
            ReferrerKind::Binding(kind) => {
                Self::to(Binding::read(*kind, object).reference(namespace).into_iter().collect())
            }
            ReferrerKind::RegistryCacheConfig => {
                Self::to(RegistryCacheConfig::read(object).reference(namespace).into_iter().collect())
            }
            ReferrerKind::ModuleTemplate => Self::selecting(Selection::of_template(object)),
            ReferrerKind::Manifest => Self::selecting(Selection::of_manifest(object)),
            ReferrerKind::Configured(kind) => kind.pointers(namespace, object),
        }
    }

    /// Pointers to Secrets alone.
    pub fn to(secrets: Vec<Reference>) -> Self {
        Self { secrets, ..Self::default() }
    }

    fn selecting(selection: Option<Selection>) -> Self {
        Self { selections: selection.into_iter().map(Arc::new).collect(), ..Self::default() }
    }

    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        self.secrets.is_empty() && self.bindings.is_empty() && self.selections.is_empty()
    }
}
