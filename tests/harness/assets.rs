//! Where the binaries of the control plane are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folder with etcd, kube-apiserver, kube-controller-manager, kubectl and oracle in it, built first if need
/// be; what the builder says about it is seen on the terminal.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOLDER.get_or_init(find).as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// The path of one of them.
pub fn binary(name: &str) -> PathBuf {
    folder().join(name)
}

fn find() -> Result<PathBuf, String> {
    let builder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/build");
    let output = Command::new(&builder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{} cannot be run (it needs python3): {error}", builder.display()))?;
    if !output.status.success() {
        return Err("there is no control plane to test against; the builder said why above".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().map(PathBuf::from).ok_or_else(|| format!("{} names no folder", builder.display()))
}
