//! What is generated from the code is what the code would generate now.

use std::process::Command;

use crate::base::folder;

#[test]
fn the_custom_resource_definition_is_that_of_the_rust_type() {
    let output = Command::new(env!("CARGO_BIN_EXE_regcred")).args(["manifests", "crd"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed = std::fs::read_to_string(folder().join("registrycredentials.regcred.dev.yaml")).unwrap();
    let generated = String::from_utf8(output.stdout).unwrap();
    assert_eq!(installed, generated, "run `make manifests`");
}
