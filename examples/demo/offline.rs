//! The same decisions without a cluster, shown while the control plane is being made ready.

use std::process::Command;

use crate::harness::replica::server_binary;
use crate::terminal::{command, shown, title};

/// Judges the example's pods by `regcred check`.
pub(crate) fn show() -> Result<(), String> {
    title("The same rules without a cluster");
    let arguments = "check -f examples/hello/pods.yaml --state examples/hello";
    command(&format!("regcred {arguments}"));
    let output = Command::new(server_binary())
        .args(arguments.split_whitespace())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("regcred cannot be run: {error}; build it with cargo build"))?;
    shown(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(format!("regcred check ended with {}", output.status)) }
}
