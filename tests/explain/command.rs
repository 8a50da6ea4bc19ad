//! Runs the command.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A password that stands in the Secrets of the tests, and must never be seen in an output.
pub(crate) const CANARY: &str = "canary-hunter2-hunter2-hunter2";

/// What a run has brought.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Run {
    /// The one line of JSON.
    #[track_caller]
    pub(crate) fn sheet(&self) -> Value {
        assert_eq!(self.output.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.output).unwrap()
    }

    /// What one of `offered`, `copy` and `verdict` of a credential is.
    #[track_caller]
    pub(crate) fn is(&self, credential: &str, what: &str) -> String {
        let sheet = self.sheet();
        let found = sheet["credentials"].as_array().unwrap().iter().find(|one| one["name"] == credential);
        found.unwrap_or_else(|| panic!("{sheet}"))[what]["is"].as_str().unwrap().to_owned()
    }
}

/// Runs `regcred explain`. That no panic and no password comes out holds for every run.
pub(crate) fn explain(folder: &Path, kubeconfig: &Path, arguments: &[&str]) -> Run {
    let ended = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .arg("explain")
        .args(arguments)
        .current_dir(folder)
        .env_remove("REGCRED_CONSENT")
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    let run = Run {
        code: ended.status.code().expect("an end by itself"),
        output: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    };
    assert!(matches!(run.code, 0..=2), "{run:?}");
    for text in [&run.output, &run.errors] {
        assert!(
            !text.contains("panicked") && !text.contains(CANARY) && !text.contains("password-of-"),
            "{text}"
        );
    }
    run
}

/// Files for one run.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn add(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    pub(crate) fn explain(&self, arguments: &[&str]) -> Run {
        explain(self.0.path(), Path::new("/nonexistent"), arguments)
    }
}
