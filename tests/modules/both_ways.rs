//! What the server says of a `ModuleTemplate`, and what `regcred check` says of it on a dump of the same objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{fs, iter};

use serde_json::{Value, json};

use crate::harness::User;
use crate::harness::control_plane::ControlPlane;

/// What is said, and what becomes of the descriptor where it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) descriptor: Value,
}

impl Verdict {
    /// The server's, about an object to which that is done (`create`, `replace` or `delete`), without effect.
    pub(crate) async fn of_server(control_plane: &ControlPlane, verb: &str, object: &Value) -> Self {
        let written = control_plane.manifest(&object.to_string());
        let format = if verb == "delete" { "name" } else { "json" };
        let write = [verb, "--dry-run=server", "-o", format, "-f", &written];
        let answer = control_plane.kubectl_as(User::Admin, &write).await;
        let lines = answer.stderr.lines();
        let message = answer.stderr.split_once("denied the request: ");
        Self {
            allowed: answer.code == 0,
            message: message.map_or("", |(_, message)| message.trim()).into(),
            warnings: lines.filter_map(|line| line.strip_prefix("Warning: ")).map(str::to_owned).collect(),
            descriptor: serde_json::from_str::<Value>(&answer.stdout)
                .map_or(Value::Null, |object| object["spec"]["descriptor"].clone()),
        }
    }

    /// The command's about each object of a folder, by its name, in a cluster of these objects; and what it is told beside.
    pub(crate) fn offline(objects: &[Value], state: &[Value], more: &[&str]) -> BTreeMap<String, Self> {
        let folder = tempfile::tempdir().unwrap();
        let (judged, cluster) = (folder.path().join("judged"), folder.path().join("cluster"));
        write_each(&judged, objects);
        write_each(&cluster, state);
        let run = Command::new(env!("CARGO_BIN_EXE_regcred"))
            .args(["check", "-o", "json", "-f"])
            .arg(&judged)
            .arg("--state")
            .arg(&cluster)
            .args(more)
            .output()
            .unwrap();
        let errors = String::from_utf8(run.stderr).unwrap();
        let lines = String::from_utf8(run.stdout).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), objects.len(), "each is judged: {errors}");
        let verdicts: BTreeMap<String, Self> = objects
            .iter()
            .map(|object| {
                let name = object["metadata"]["name"].as_str().unwrap();
                let line = lines.iter().find(|line| line["name"] == name);
                let line = line.unwrap_or_else(|| panic!("{name} is not judged: {errors}"));
                (name.to_owned(), Self::of_line(object, line))
            })
            .collect();
        let all_allowed = verdicts.values().all(|verdict| verdict.allowed);
        assert_eq!(run.status.code(), Some(i32::from(!all_allowed)), "{errors}");
        verdicts
    }

    fn of_line(object: &Value, line: &Value) -> Self {
        let allowed = line["allowed"].as_bool().unwrap();
        let mut object = object.clone();
        if !line["patch"].is_null() {
            let patch: json_patch::Patch = serde_json::from_value(line["patch"].clone()).unwrap();
            json_patch::patch(&mut object, &patch).unwrap();
        }
        Self {
            allowed,
            message: line["message"].as_str().unwrap_or_default().into(),
            warnings: serde_json::from_value(line["warnings"].clone()).unwrap(),
            descriptor: if allowed { object["spec"]["descriptor"].clone() } else { Value::Null },
        }
    }
}

/// Each object as a file of its own, YAML and JSON by turns, the last ones in a folder below.
fn write_each(folder: &Path, objects: &[Value]) {
    let below = folder.join("below");
    fs::create_dir_all(&below).unwrap();
    let half = objects.len() / 2;
    let folders = iter::repeat_n(folder, half).chain(iter::repeat(below.as_path()));
    for (number, (object, folder)) in objects.iter().zip(folders).enumerate() {
        let (text, extension) = match number % 2 {
            0 => (serde_saphyr::to_string(object).unwrap(), "yaml"),
            _ => (object.to_string(), "json"),
        };
        fs::write(folder.join(format!("{number}.{extension}")), text).unwrap();
    }
    // What is in no file that counts is not read.
    fs::write(folder.join("notes.txt"), json!("no object").to_string()).unwrap();
}
