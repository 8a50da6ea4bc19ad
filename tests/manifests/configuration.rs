//! The JSON schema of `regcred.yaml` against what is read, and against what the README shows.

use std::collections::BTreeSet;
use std::process::Command;

use regcred::configuration::{Configuration, FindingKind};
use serde_json::{Value, json};

use crate::base::documents;

const README: &str = include_str!("../../README.md");

fn schema() -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_regcred")).args(["manifests", "config-schema"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The example of the README.
fn example() -> Value {
    let blocks = README.split("```yaml\n").filter_map(|block| block.split("```").next());
    let mut examples = blocks.filter(|block| block.contains("kind: Configuration\n"));
    let example = examples.next().expect("an example");
    assert_eq!(examples.next(), None, "one example, with every field");
    serde_saphyr::from_str(example).unwrap()
}

/// A part of the schema, where it is kept.
fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str() {
        None => part,
        Some(reference) => schema.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
    }
}

/// The paths of all fields of the schema.
fn fields(schema: &Value, part: &Value, path: &str, all: &mut BTreeSet<String>) {
    for (name, field) in part["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        fields(schema, resolved(schema, field), &path, all);
        all.insert(path);
    }
}

/// The paths of all fields of a document.
fn fields_of(document: &Value, path: &str, all: &mut BTreeSet<String>) {
    for (name, field) in document.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        fields_of(field, &path, all);
        all.insert(path);
    }
}

/// Where a document is not as a part of the schema wants it, of what our schema says.
fn mistakes(schema: &Value, part: &Value, document: &Value, path: &str, all: &mut Vec<String>) {
    let part = resolved(schema, part);
    let is_type = match part["type"].as_str() {
        Some("object") => document.is_object(),
        Some("array") => document.is_array(),
        Some("string") => document.is_string(),
        None => true,
        Some(other) => panic!("{path}: a {other} is new here"),
    };
    let choices = part["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    let is_chosen = choices.is_empty() || choices.iter().any(|choice| choice["const"] == *document);
    let lacks = |name: &Value| document[name.as_str().unwrap()].is_null();
    let is_complete = !part["required"].as_array().into_iter().flatten().any(lacks);
    let is_constant = part["const"].is_null() || part["const"] == *document;
    if !(is_type && is_chosen && is_complete && is_constant) {
        all.push(path.to_owned());
    }
    for item in document.as_array().into_iter().flatten() {
        mistakes(schema, &part["items"], item, path, all);
    }
    for (name, field) in document.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        match part["properties"].get(name) {
            Some(part) => mistakes(schema, part, field, &path, all),
            None if part["additionalProperties"] == false => all.push(path),
            None => {}
        }
    }
}

/// Whether the schema and the server take a document.
fn is_taken(schema: &Value, document: &Value) -> [bool; 2] {
    let mut found = Vec::new();
    mistakes(schema, schema, document, "", &mut found);
    [found.is_empty(), Configuration::parse(&document.to_string()).is_ok()]
}

#[test]
fn the_readme_and_the_file_that_is_shipped_show_every_field_of_the_schema_and_are_taken() {
    let schema = schema();
    let mut of_schema = BTreeSet::new();
    fields(&schema, &schema, "", &mut of_schema);
    let findings = of_schema.iter().filter(|path| path.starts_with("/modules/findings/")).count();
    assert_eq!(findings, FindingKind::ALL.len());
    for document in [example(), documents("components/configuration/regcred.yaml").remove(0)] {
        let mut shown = BTreeSet::new();
        fields_of(&document, "", &mut shown);
        assert_eq!(of_schema, shown);
        assert_eq!(is_taken(&schema, &document), [true; 2]);
        let alone = json!({"apiVersion": document["apiVersion"], "kind": document["kind"]});
        assert_eq!(is_taken(&schema, &alone), [true; 2]);
    }
}

#[test]
fn what_the_schema_refuses_the_server_refuses() {
    let (schema, example) = (schema(), example());
    let mut objects = 0;
    let mut everywhere = BTreeSet::from([String::new()]);
    fields_of(&example, "", &mut everywhere);
    for path in everywhere {
        let mut changed = example.clone();
        let field = changed.pointer_mut(&path).unwrap();
        match field {
            Value::Object(fields) => {
                objects += 1;
                fields.insert("unknown".into(), json!("x"));
            }
            Value::Array(items) => items.push(json!({"an": "object"})),
            _ => *field = "unknown".into(),
        }
        assert_eq!(is_taken(&schema, &changed), [false; 2], "{path}: {changed}");
    }
    assert_eq!(objects, 4, "the document, modules, findings and protection");
    for lacking in ["apiVersion", "kind"] {
        let mut changed = example.clone();
        changed.as_object_mut().unwrap().remove(lacking);
        assert_eq!(is_taken(&schema, &changed), [false; 2], "without {lacking}");
    }
}
