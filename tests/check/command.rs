//! Runs the command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A password that stands in the Secrets of the tests, and must never be seen in an output.
pub(crate) const CANARY: &str = "canary-hunter2-hunter2-hunter2";
/// One of these is in its base64, wherever in a text it begins.
const CANARY_IN_BASE64: [&str; 3] = ["Y2FuYXJ5LWh1bnRlcjI", "NhbmFyeS1odW50ZXIy", "jYW5hcnktaHVudGVyM"];

/// Files for one run.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let files = Self::new();
        files.add(name, text);
        files
    }

    pub(crate) fn add(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the command in the folder of the files.
    pub(crate) fn check(&self, arguments: &[&str]) -> Run {
        run(self.path(), arguments, "")
    }

    pub(crate) fn check_with_input(&self, arguments: &[&str], input: &str) -> Run {
        run(self.path(), arguments, input)
    }
}

/// What a run has brought.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Run {
    /// The lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one line of JSON.
    pub(crate) fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }
}

/// Runs `regcred check`. That no panic and no part of a Secret comes out holds for every run.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_regcred"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || {
        // Who reads no input closes it.
        let _ = stdin.write_all(input.as_bytes());
    });
    let ended = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let run = Run {
        code: ended.status.code().expect("an end by itself"),
        output: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    };
    assert!(matches!(run.code, 0..=2), "{run:?}");
    assert!(!run.errors.contains("panicked"), "{run:?}");
    for text in [&run.output, &run.errors] {
        assert!(!text.contains(CANARY), "{text}");
        assert!(CANARY_IN_BASE64.iter().all(|part| !text.contains(part)), "{text}");
    }
    run
}

/// A cluster: a credential for the namespaces `team-*`, its source, and namespaces.
pub(crate) fn cluster() -> String {
    format!(
        r#"
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {{name: ghcr, uid: uid-of-ghcr}}
spec: {{secretRef: {{namespace: registries, name: ghcr}}, namespaces: ["team-*"]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: ghcr, namespace: registries}}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{{"auths":{{"ghcr.io":{{"username":"me","password":"{CANARY}"}}}}}}'
---
apiVersion: v1
kind: Namespace
metadata: {{name: team-a}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: team-out, labels: {{regcred.dev/inject: disabled}}}}
"#
    )
}

/// A pod of one container in `team-a`.
pub(crate) fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: hello, namespace: team-a}}\n\
         spec: {{containers: [{{name: main, image: {image}}}]}}\n"
    )
}

/// Files with a cluster in `state.yaml` and an object in `object.yaml`.
pub(crate) fn files(object: &str) -> Files {
    let files = Files::with("state.yaml", cluster());
    files.add("object.yaml", object);
    files
}

/// Judges one object in the cluster, as JSON.
pub(crate) fn judge(object: &str) -> Value {
    files(object).check(&["-f", "object.yaml", "--state", "state.yaml", "-o", "json"]).line()
}
