//! kubectl, as a user runs it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::assets;
use super::watchdog::Watchdog;

/// What kubectl said and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// Its exit status; -1 when a signal ended it.
    pub code: i32,
}

impl Output {
    /// What it printed; fails the test when it did not succeed.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "kubectl failed: {}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What it complained about; fails the test when it succeeded.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_ne!(self.code, 0, "kubectl succeeded, which it should not: {}", self.stdout);
        self.stderr
    }

    /// The JSON it printed.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.succeeded()).expect("JSON from kubectl -o json")
    }
}

/// Runs kubectl with a kubeconfig.
pub async fn run(watchdog: &Arc<Watchdog>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assets::binary("kubectl"));
    // Its home holds its cache of what the API server offers, by address: never that of another control plane.
    command.env("HOME", watchdog.folder()).env("KUBECONFIG", kubeconfig).env_remove("KUBECTL_KUBERC");
    command.args(arguments);
    let watchdog = Arc::clone(watchdog);
    let output = tokio::task::spawn_blocking(move || watchdog.output(&mut command)).await.expect("no panic");
    let output = output.expect("kubectl runs");
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

/// Writes a file for `-f`.
pub fn manifest(watchdog: &Watchdog, yaml: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = watchdog.folder().join(format!("manifest-{number}.yaml"));
    std::fs::write(&path, yaml).expect("a file in the temporary folder");
    path.to_str().expect("UTF-8").to_owned()
}
