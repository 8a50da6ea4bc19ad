//! `--fix`: `ModuleTemplates` that are written with the label.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::command::{Files, Run, cluster, pod};
use super::misleading::MISLEADING;

const SELECTOR: &str = "--registry-cred-selector=operator.kyma-project.io/oci-registry-cred=ghcr";

/// With comments, a layer that lacks the label, one that has another's, an image, and one without a list of labels.
const TEMPLATE: &str = "\
# Who wrote this.
apiVersion: operator.kyma-project.io/v1beta2
kind: ModuleTemplate
metadata: {name: sample, namespace: kyma-system}
spec:
  channel: \"yes\" # a string
  descriptor:
    meta: {schemaVersion: v2}
    component:
      name: example.io/module/sample
      version: \"1.10\"
      repositoryContexts: [{type: OCIRegistry, baseUrl: ghcr.io/org}]
      resources:
      - name: raw-manifest
        access: {type: localBlob, localReference: 'sha256:1'}
        labels: [{name: other, value: x}]
      - name: config
        access: {type: localBlob}
        labels: [{name: oci-registry-cred, value: {own: label}}]
      - name: module-image
        access: {type: ociArtifact}
        labels: []
      - name: default-cr
        access: {type: localBlob}
";

fn label() -> Value {
    json!({"name": "oci-registry-cred", "value": {"operator.kyma-project.io/oci-registry-cred": "ghcr"}})
}

fn fix(files: &Files, more: &[&str]) -> Run {
    files.check(&[&["--fix", SELECTOR], more].concat())
}

fn documents(output: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(output).unwrap()
}

/// The labels of the layers of a document.
fn labels(template: &Value) -> Vec<Value> {
    let resources = template["spec"]["descriptor"]["component"]["resources"].as_array().unwrap();
    resources.iter().map(|resource| resource["labels"].clone()).collect()
}

#[rstest]
#[case::as_yaml(&[])]
#[case::as_json(&["-o", "json"])]
fn every_local_blob_without_the_label_gets_it_and_everything_else_stays(#[case] more: &[&str]) {
    let files = Files::with("template.yaml", TEMPLATE);
    let run = fix(&files, &[&["-f", "template.yaml"], more].concat());
    assert_eq!(run.code, 0, "{}", run.errors);
    let written = documents(&run.output);
    assert_eq!(written.len(), 1);
    let own = json!({"name": "oci-registry-cred", "value": {"own": "label"}});
    let expected =
        [json!([{"name": "other", "value": "x"}, label()]), json!([own]), json!([]), json!([label()])];
    assert_eq!(labels(&written[0]), expected);
    let mut without = written[0].clone();
    let mut before: Value = serde_saphyr::from_str(TEMPLATE).unwrap();
    for object in [&mut without, &mut before] {
        let resources = &mut object["spec"]["descriptor"]["component"]["resources"];
        for resource in resources.as_array_mut().unwrap() {
            resource.as_object_mut().unwrap().remove("labels");
        }
    }
    assert_eq!(without, before);
    assert_eq!(
        run.errors,
        "allowed ModuleTemplate kyma-system/sample (template.yaml:2)\n    \
         warning: the layers ask for different Secrets; Lifecycle Manager takes those of raw-manifest for all\n    \
         warning: no Secret has the labels operator.kyma-project.io/oci-registry-cred=ghcr\n    \
         added label oci-registry-cred (operator.kyma-project.io/oci-registry-cred=ghcr) to raw-manifest, default-cr\n\
         1 object: 1 allowed, 0 denied, 1 with warnings\n"
    );

    // What is written can be given again, and nothing is added then.
    let again = Files::with("template.yaml", &run.output);
    let repeated = fix(&again, &[&["-f", "template.yaml"], more].concat());
    assert_eq!(repeated.output, run.output);
    assert!(!repeated.errors.contains("added label"), "{}", repeated.errors);
}

#[test]
fn several_are_written_one_after_another_and_other_objects_are_left_out() {
    let files = Files::with("a.yaml", TEMPLATE);
    let list = json!({"apiVersion": "operator.kyma-project.io/v1beta2", "kind": "ModuleTemplateList", "items": [
        {"metadata": {"name": "empty", "namespace": "kyma-system"}, "spec": {"descriptor": {}}},
        {
            "metadata": {"name": "v3", "namespace": "kyma-system"},
            "spec": {"descriptor": {"apiVersion": "ocm.software/v3alpha1", "spec": {"resources": [
                {"name": "raw-manifest", "access": {"type": "localOciBlob"}, "labels": null},
            ]}}},
        },
    ]});
    files.add("b.json", list.to_string());
    files.add("c.yaml", pod("nginx"));
    let run = fix(&files, &["-f", "a.yaml", "-f", "b.json", "-f", "c.yaml"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    let written = documents(&run.output);
    let names: Vec<&str> =
        written.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["sample", "empty", "v3"]);
    assert_eq!(written[2]["spec"]["descriptor"]["spec"]["resources"][0]["labels"], json!([label()]));
    assert!(
        run.errors.contains("note: --fix writes ModuleTemplates alone; 1 other object is left out"),
        "{}",
        run.errors
    );
    assert!(run.errors.contains("3 objects: 3 allowed"), "{}", run.errors);
}

#[test]
fn what_is_still_wrong_is_denied_with_what_to_do_and_written_all_the_same() {
    let malformed = TEMPLATE.replace("value: {own: label}", "value: a=b");
    let run = fix(&Files::with("template.yaml", &malformed), &["-f", "template.yaml"]);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("denied  ModuleTemplate kyma-system/sample (template.yaml:2)"),
        "{}",
        run.errors
    );
    assert!(run.errors.contains("config (its value is a string, not an object"), "{}", run.errors);
    assert_eq!(labels(&documents(&run.output)[0])[1], json!([{"name": "oci-registry-cred", "value": "a=b"}]));
}

#[test]
fn what_is_written_is_judged_in_the_given_cluster() {
    let files = Files::with("template.yaml", TEMPLATE.replace("value: {own: label}", "value: {own: ghcr}"));
    files.add("state.yaml", cluster());
    files.add(
        "regcred.yaml",
        "apiVersion: config.regcred.dev/v1alpha1\nkind: Configuration\nmodules: {findings: {noSecret: Deny}}\n",
    );
    let arguments = ["-f", "template.yaml", "--state", "state.yaml", "--config", "regcred.yaml"];
    let run = fix(&files, &arguments);
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("no Secret has the labels"), "{}", run.errors);
}

#[rstest]
#[case::no_selector(&["--fix"], "--fix must know which label to add")]
#[case::no_fix(&[SELECTOR], "add --fix, or leave it out")]
#[case::an_update(&["--fix", SELECTOR, "--operation", "delete"], "leave out --operation")]
#[case::no_pair(&["--fix", "--registry-cred-selector=a"], "\"a\" is no KEY=VALUE")]
#[case::a_set(&["--fix", "--registry-cred-selector=a in (b)"], "is no KEY=VALUE")]
#[case::twice(&["--fix", "--registry-cred-selector=a=b,a=c"], "the key \"a\" stands twice")]
#[case::no_label(&["--fix", "--registry-cred-selector=Bad Key=b"], "no Secret can have the label")]
fn a_command_line_that_means_nothing_is_refused_and_taught(#[case] arguments: &[&str], #[case] says: &str) {
    let run = Files::with("template.yaml", TEMPLATE).check(&[arguments, &["-f", "template.yaml"]].concat());
    assert_eq!((run.code, run.output.as_str()), (2, ""));
    assert!(run.errors.contains(says), "{}", run.errors);
}

#[test]
fn what_cannot_be_read_or_holds_none_is_told_with_its_place() {
    let files = Files::with("template.yaml", TEMPLATE);
    files.add("broken.yaml", "a: [");
    files.add("pod.yaml", pod("nginx"));
    let run = fix(&files, &["-f", "broken.yaml", "-f", "template.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("broken.yaml:1: is no valid YAML"), "{}", run.errors);
    assert_eq!(documents(&run.output).len(), 1, "the rest is written");
    let none = fix(&files, &["-f", "pod.yaml"]);
    assert_eq!((none.code, none.output.as_str()), (2, ""));
    assert!(none.errors.contains("pod.yaml: holds no ModuleTemplate"), "{}", none.errors);
}

#[test]
fn help_says_that_comments_are_lost() {
    let run = Files::new().check(&["--help"]);
    for says in ["--fix", "--registry-cred-selector", "Comments and the order of fields cannot be"] {
        assert!(run.output.contains(says), "{}", run.output);
    }
}

/// Texts that mislead, and any other.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(MISLEADING).prop_map(str::to_owned), ".{0,120}", "[ a-z\n]{0,200}",]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Many texts a run, for each run is a process.
    #[test]
    fn whatever_stands_in_a_template_is_written_as_it_was(
        texts in prop::collection::vec((any_text(), any_text()), 1..60),
        numbers in prop::collection::vec(any::<i64>(), 0..5),
    ) {
        let texts: serde_json::Map<String, Value> =
            texts.into_iter().map(|(key, text)| (key, text.into())).collect();
        let object = json!({
            "apiVersion": "operator.kyma-project.io/v1beta2", "kind": "ModuleTemplate",
            "metadata": {"name": "any", "namespace": "kyma-system", "annotations": texts},
            "spec": {"descriptor": {}, "numbers": numbers, "none": null, "empty": [{}, [], ""], "float": 0.1},
        });
        let run = fix(&Files::with("template.json", object.to_string()), &["-f", "template.json"]);
        prop_assert_eq!(run.code, 0, "{}", run.errors);
        // Read by our own reader, which reads as kubectl does.
        let read = fix(&Files::with("template.yaml", &run.output), &["-f", "template.yaml", "-o", "json"]);
        prop_assert_eq!(read.code, 0, "{}", read.errors);
        prop_assert_eq!(read.line(), object, "{}", run.output);
    }
}
