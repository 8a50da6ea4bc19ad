//! Keeps the configuration that of its file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{Configuration, ConfigurationError, Current};
use crate::directory::DirectoryChanges;
use crate::server::Remark;
use crate::telemetry::configuration_metrics::ConfigurationMetrics;

/// How often the file is read even if nothing announced a change: directory events can be lost, and nobody waits for longer
/// than this to see what was written.
const POLL: Duration = Duration::from_secs(30);

/// Why a file's configuration cannot be taken.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the configuration {} cannot be read: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It cannot be used.
    #[error("the configuration {} cannot be used: {error}; `regcred manifests config-schema` prints what it may hold", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ConfigurationError,
    },
}

/// Reads a configuration.
///
/// # Errors
/// When it cannot be read or used.
pub fn read(path: &Path) -> Result<Configuration, FileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| FileError::Unreadable { path: path.to_owned(), error })?;
    Configuration::parse(&text).map_err(|error| FileError::Unusable { path: path.to_owned(), error })
}

/// The file, and what was last made of it.
pub struct ConfigurationFile {
    path: PathBuf,
    current: Current,
    remark: Remark,
    metrics: ConfigurationMetrics,
    /// The failure already told, so that a bad file is not told of again on every poll.
    told: Option<String>,
}

impl ConfigurationFile {
    /// Reads the file for the first time. There is nothing to fall back to, so any fault is an error.
    ///
    /// # Errors
    /// When it cannot be read or used.
    pub fn load(
        path: &Path,
        current: Current,
        remark: Remark,
        metrics: ConfigurationMetrics,
    ) -> Result<Self, FileError> {
        current.replace(read(path)?);
        metrics.reloaded(true);
        Ok(Self { path: path.to_owned(), current, remark, metrics, told: None })
    }

    /// Follows the file for ever. One that cannot be used keeps the configuration before it.
    pub async fn follow(mut self) {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let changes = DirectoryChanges::of(directory.unwrap_or(Path::new(".")), POLL);
        loop {
            // At first what changed between the loading and the watch.
            self.refresh().await;
            changes.next().await;
        }
    }

    async fn refresh(&mut self) {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        match read {
            Ok(Ok(configuration)) => {
                let is_new = configuration != *self.current.get();
                if is_new {
                    tracing::info!(path = %self.path.display(), "the configuration has changed");
                    self.current.replace(configuration);
                }
                // One that was of no use may have been put back to what it was before.
                if self.told.take().is_some() || is_new {
                    self.metrics.reloaded(true);
                }
                self.remark.withdraw();
            }
            Ok(Err(error)) => self.tell(error.to_string()),
            Err(error) => self.tell(format!("the configuration could not be read: {error}")),
        }
    }

    fn tell(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            tracing::error!(%reason, "the new configuration is not taken; the one before it stays");
            self.metrics.reloaded(false);
            self.remark.make(format!("{reason}; the one before it stays"));
            self.told = Some(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::server::Readiness;

    const HEADER: &str = "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\n";

    #[tokio::test]
    async fn a_bad_file_keeps_the_configuration_before_it_and_says_so_until_it_is_mended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("regcred.yaml");
        let (current, readiness, registry) = (Current::default(), Readiness::new(), Registry::new());
        let metrics = ConfigurationMetrics::register(&registry).unwrap();
        let load = || {
            ConfigurationFile::load(
                &path,
                current.clone(),
                readiness.remark("configuration"),
                metrics.clone(),
            )
        };
        assert!(load().is_err(), "there is no file");
        std::fs::write(&path, format!("{HEADER}modules: {{publicRegistries: [ghcr.io]}}")).unwrap();
        let mut file = load().unwrap();
        let first = current.get();
        assert_ne!(*first, Configuration::default());
        std::fs::write(&path, format!("{HEADER}modules: {{publicRegistrie: []}}")).unwrap();
        file.refresh().await;
        file.refresh().await;
        assert_eq!(current.get(), first);
        let remarks = readiness.remarks();
        assert!(remarks.len() == 1 && remarks[0].contains("publicRegistrie"), "{remarks:?}");
        assert!(readiness.missing().is_empty(), "it goes on serving");
        std::fs::write(&path, HEADER).unwrap();
        file.refresh().await;
        assert_eq!(*current.get(), Configuration::default());
        assert!(readiness.remarks().is_empty());
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains(r#"regcred_configuration_reloads_total{result="failure"} 1"#), "{text}");
        assert!(text.contains("regcred_configuration_last_reload_successful 1"), "{text}");
    }
}
