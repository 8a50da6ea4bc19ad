//! `regcred.yaml`: what the rules are to be, for the whole server.
//!
//! Strict: a field that nobody knows is an error, for it is one that somebody believes in.

mod file;
mod modules;
mod protection;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;

use crate::model::reference::ReferrerKind;

pub use file::{ConfigurationFile, FileError, read};
pub use modules::{Action, FindingKind, Modules};
pub use protection::Protection;

/// The API version of the file.
const API_VERSION: &str = "config.regcred.dev/v1alpha1";
/// Its kind.
const KIND: &str = "Configuration";

/// What the rules are to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// About Kyma's `ModuleTemplates`.
    pub modules: Modules,
    /// About Secrets in use.
    pub protection: Protection,
}

/// The configuration that holds now. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Current {
    configuration: Arc<ArcSwap<Configuration>>,
    changed: watch::Sender<()>,
}

impl Current {
    /// As it is now; a later change does not change it.
    pub fn get(&self) -> Arc<Configuration> {
        self.configuration.load_full()
    }

    /// From now on it is this.
    pub fn replace(&self, configuration: Configuration) {
        self.configuration.store(Arc::new(configuration));
        self.changed.send_replace(());
    }

    /// Tells of each later change, after it.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

/// Why a file is no configuration.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// Not YAML, or not of this shape.
    #[error("{0}")]
    Shape(String),
    /// Of another version or kind.
    #[error("it is {found}, not apiVersion: {API_VERSION} and kind: {KIND}")]
    Kind {
        /// What it says that it is.
        found: String,
    },
    /// A value that means nothing.
    #[error("{field}: {reason}")]
    Value {
        /// Where.
        field: String,
        /// Why.
        reason: String,
    },
}

/// regcred's configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "regcred.yaml")]
struct Document {
    /// Always config.regcred.dev/v1alpha1.
    #[schemars(extend("const" = API_VERSION))]
    api_version: String,
    /// Always Configuration.
    #[schemars(extend("const" = KIND))]
    kind: String,
    /// The rule about Kyma's `ModuleTemplates`.
    #[serde(default)]
    modules: modules::Document,
    /// The rule about Secrets in use.
    #[serde(default)]
    protection: protection::Document,
}

impl Configuration {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is not one that can be used, with where and why.
    pub fn parse(text: &str) -> Result<Self, ConfigurationError> {
        let document: Document =
            serde_saphyr::from_str(text).map_err(|error| ConfigurationError::Shape(one_line(&error)))?;
        if document.api_version != API_VERSION || document.kind != KIND {
            let found = format!("apiVersion: {} and kind: {}", document.api_version, document.kind);
            return Err(ConfigurationError::Kind { found });
        }
        Ok(Self {
            modules: Modules::compile(document.modules)?,
            protection: Protection::compile(document.protection)?,
        })
    }

    /// The kinds that point to Secrets, those that are built in among them. Those that select Secrets are none where nothing is
    /// done about the last one of these.
    pub fn referrer_kinds(&self) -> impl Iterator<Item = ReferrerKind> + use<'_> {
        let selects = self.modules.action(FindingKind::LastSecret) != Action::Ignore;
        let built_in = ReferrerKind::ALL.into_iter().filter(move |kind| selects || !kind.selects());
        built_in.chain(self.protection.kinds().iter().cloned())
    }

    /// The JSON schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Document)
    }
}

/// The parser shows the lines around a mistake; a log line has room for the first of its own. Its words are meant for
/// programmers: what they are advised to do is left out.
fn one_line(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let line =
        ["; use ", ", set "].iter().fold(line, |line, advice| line.split(advice).next().unwrap_or(line));
    line.replace("expected mapping start", "fields are expected, or leave the key out")
        .replace("expected sequence start", "a list is expected, or leave the key out")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HEADER: &str = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n";

    #[test]
    fn a_file_that_says_nothing_is_the_default() {
        assert_eq!(Configuration::parse(HEADER).unwrap(), Configuration::default());
    }

    #[test]
    fn by_default_there_are_no_further_kinds() {
        let kinds: Vec<ReferrerKind> = Configuration::default().referrer_kinds().collect();
        assert_eq!(kinds, ReferrerKind::ALL);
    }

    #[rstest]
    #[case::warned_of("Warn", true)]
    #[case::denied("Deny", true)]
    #[case::ignored("Ignore", false)]
    fn what_selects_secrets_counts_where_something_is_done_about_the_last_one(
        #[case] action: &str,
        #[case] expected: bool,
    ) {
        let text = format!("{HEADER}modules: {{findings: {{lastSecret: {action}}}}}");
        let configuration = Configuration::parse(&text).unwrap();
        assert_eq!(configuration.referrer_kinds().any(|kind| kind.selects()), expected);
        assert!(configuration.referrer_kinds().any(|kind| kind == ReferrerKind::Shoot));
    }

    #[rstest]
    #[case::unknown_field("modules: {publicRegistry: [ghcr.io]}", "publicRegistry")]
    #[case::unknown_action("modules: {findings: {noSecret: Refuse}}", "Refuse")]
    #[case::unknown_finding("modules: {findings: {noSecrets: Warn}}", "noSecrets")]
    #[case::another_type("modules: {publicRegistries: ghcr.io}", "line 3")]
    #[case::a_scheme("modules: {publicRegistries: ['https://ghcr.io']}", "modules.publicRegistries[0]")]
    #[case::no_namespace("modules: {secretNamespaces: [kcp-system, 'kcp*']}", "modules.secretNamespaces[1]")]
    #[case::a_path(
        "protection: {kinds: [{version: v1, resource: as, kind: A, secrets: [{name: 'spec.name'}]}]}",
        "protection.kinds[0].secrets[0].name: the path \"spec.name\" does not begin with $"
    )]
    #[case::an_expression(
        "protection: {kinds: [{version: v1, resource: as, kind: A, secrets: [{name: $.a}], needsSecrets: 'object.a &&'}]}",
        "protection.kinds[0].needsSecrets: the expression \"object.a &&\" is no CEL"
    )]
    #[case::pods_that_are_watched(
        "protection: {kinds: [{version: v1, resource: pods, kind: Pod, secrets: [{name: $.a}]}]}",
        "protection.kinds[0].watched: Pods are listed, not watched: write watched: false"
    )]
    #[case::a_kind_that_is_built_in(
        "protection: {kinds: [{group: core.gardener.cloud, version: v1beta1, resource: shoots, kind: Shoot, secrets: [{name: $.a}]}]}",
        "protection.kinds[0]: shoots are there already"
    )]
    #[case::a_kind_twice(
        "protection: {imagePullSecretsOf: [Pod, Pod]}",
        "protection.imagePullSecretsOf[1]: pods are there"
    )]
    #[case::a_kind_that_is_not_shipped("protection: {imagePullSecretsOf: [Deployment]}", "Deployment")]
    #[case::twice("modules: {}\nmodules: {}", "duplicate mapping key: modules")]
    #[case::two_documents("---\na: b", "multiple YAML documents detected")]
    #[case::nothing_for_fields("modules:", "line 3 column 8: fields are expected, or leave the key out")]
    #[case::nothing_for_a_list(
        "modules:\n  publicRegistries:",
        "line 4 column 19: a list is expected, or leave the key out"
    )]
    #[case::an_empty_registry(
        "modules: {publicRegistries: ['']}",
        "modules.publicRegistries[0]: it is empty"
    )]
    #[case::an_empty_namespace(
        "modules: {secretNamespaces: ['']}",
        "modules.secretNamespaces[0]: no namespace can be called \"\""
    )]
    fn what_is_wrong_is_said_with_its_place(#[case] text: &str, #[case] expected: &str) {
        let error = Configuration::parse(&format!("{HEADER}{text}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        for advice in ["from_str", "DuplicateKeyPolicy", "images", "commas"] {
            assert!(!error.contains(advice), "{error}");
        }
    }

    #[rstest]
    #[case("")]
    #[case("- a")]
    #[case("apiVersion: v1\nkind: ConfigMap")]
    #[case("apiVersion: config.regcred.dev/v1alpha1")]
    fn another_document_is_no_configuration(#[case] text: &str) {
        assert!(Configuration::parse(text).is_err());
    }
}
