//! Runs the command.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a run has brought.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs `regcred refs secret`.
pub(crate) fn refs(kubeconfig: &Path, arguments: &[&str]) -> Run {
    let ended = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .args(["refs", "secret"])
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: ended.status.code().unwrap(), output: text(ended.stdout), errors: text(ended.stderr) }
}

/// The same in a cluster of these objects.
pub(crate) fn refs_in(state: &[Value], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for (number, object) in state.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.json")), object.to_string()).unwrap();
    }
    let state = folder.path().to_str().unwrap();
    refs(Path::new("/nonexistent"), &[arguments, &["--state", state]].concat())
}
