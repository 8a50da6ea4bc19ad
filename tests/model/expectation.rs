//! The model: what there is, and which copies follow from it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;

/// What somebody else has put in a copy's place, by namespace and name.
pub(crate) type Foreign = BTreeMap<(String, String), Secret>;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) sources: BTreeMap<usize, Source>,
    pub(crate) credentials: BTreeMap<usize, Credential>,
    pub(crate) foreign: Foreign,
}

#[derive(Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) is_labelled: bool,
    /// Pods by name: the source whose registry each pulls from, and the pull Secrets that it names.
    pub(crate) pods: BTreeMap<String, (usize, Vec<String>)>,
}

#[derive(Default)]
pub(crate) struct Source {
    pub(crate) state: SourceState,
    /// Everything good that it ever held.
    pub(crate) history: BTreeSet<String>,
}

#[derive(Debug, Default, Clone)]
pub(crate) enum SourceState {
    #[default]
    Absent,
    Good(String),
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) source: usize,
    pub(crate) is_eager: bool,
    /// Offered to all namespaces of the test, else to those with the label.
    pub(crate) is_for_all: bool,
}

/// What must be there under a copy's name.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    Nothing,
    Copy(String),
    /// Nothing, or any of these: while a source is broken nothing changes, so it depends on what was there.
    AnyOf(BTreeSet<String>),
    Foreign,
}

pub(crate) fn copy_name(credential: usize) -> String {
    format!("regcred-c{credential}")
}

impl Model {
    pub(crate) fn expected(&self, namespace: &str, credential: usize) -> Expected {
        if self.foreign.contains_key(&(namespace.to_owned(), copy_name(credential))) {
            return Expected::Foreign;
        }
        let Some(spec) = self.credentials.get(&credential) else {
            return Expected::Nothing;
        };
        let place = &self.namespaces[namespace];
        if !spec.is_for_all && !place.is_labelled {
            return Expected::Nothing;
        }
        let source = &self.sources[&spec.source];
        let is_needed = spec.is_eager
            || place
                .pods
                .values()
                .any(|(from, names)| *from == spec.source || names.contains(&copy_name(credential)));
        match &source.state {
            // Which keys a broken source had is forgotten with a restart, and then it may be needed.
            SourceState::Broken => {
                Expected::AnyOf(self.sources.values().flat_map(|source| source.history.clone()).collect())
            }
            SourceState::Good(document) if is_needed => Expected::Copy(document.clone()),
            SourceState::Good(_) | SourceState::Absent => Expected::Nothing,
        }
    }
}
