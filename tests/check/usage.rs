//! The command line.

use rstest::rstest;

use super::command::{Files, files, pod};

#[rstest]
#[case::nothing(&[], "regcred check -f manifests/ --state cluster/")]
#[case::update_without_old(&["-f", "object.yaml", "--operation", "update"], "--old")]
#[case::old_without_update(&["-f", "object.yaml", "--old", "object.yaml"], "--operation update")]
#[case::standard_input_twice(&["-f", "-", "--state", "-"], "standard input can be read once")]
#[case::unknown_operation(&["-f", "object.yaml", "--operation", "patch"], "create, update, delete")]
#[case::no_option(&["object.yaml"], "Usage: regcred check")]
fn a_command_line_that_means_nothing_is_refused_and_taught(#[case] arguments: &[&str], #[case] says: &str) {
    let run = files(&pod("nginx")).check(arguments);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains(says), "{}", run.errors);
    assert_eq!(run.output, "");
}

#[test]
fn help_tells_the_exit_codes_and_examples() {
    let run = Files::new().check(&["--help"]);
    assert_eq!(run.code, 0);
    for says in ["Exit codes", "AdmissionReview", "Examples", "--state"] {
        assert!(run.output.contains(says), "{}", run.output);
    }
}

#[test]
fn people_read_a_verdict_per_object_and_a_sum() {
    let files = files(&pod("ghcr.io/team/app"));
    files.add(
        "wrong.yaml",
        "apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {name: wrong}\n\
         spec: {secretRef: {namespace: a, name: b}, namespaces: ['*'], images: [GHCR.io]}\n",
    );
    let run = files.check(&["-f", "object.yaml", "-f", "wrong.yaml", "--state", "state.yaml"]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.output,
        "allowed Pod team-a/hello (object.yaml:1)\n    \
         would add pull Secret regcred-ghcr\n    \
         would create Secret team-a/regcred-ghcr\n\
         denied  RegistryCredential wrong (wrong.yaml:1)\n    \
         RegistryCredential wrong is invalid: spec.images holds \"GHCR.io\": an image pattern has no upper-case letter: \
         no image name has one, so it would never match\n\
         2 objects: 1 allowed, 1 denied, 0 with warnings\n"
    );
    assert_eq!(run.errors, "");
}

#[test]
fn names_cannot_steer_the_terminal() {
    let run = files("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"a\\e[31m\\nallowed b\"}\n")
        .check(&["-f", "object.yaml"]);
    assert!(!run.output.contains('\u{1b}'));
    assert_eq!(run.output.lines().count(), 2);
}

#[test]
fn json_has_the_same_fields_for_every_object() {
    let run = files(&pod("nginx")).check(&["-f", "object.yaml", "-o", "json"]);
    assert_eq!(
        run.output,
        "{\"source\":\"object.yaml:1\",\"kind\":\"Pod\",\"namespace\":\"team-a\",\"name\":\"hello\",\
         \"operation\":\"create\",\"allowed\":true,\"message\":null,\"warnings\":[],\"patch\":null,\"effects\":[]}\n"
    );
    assert!(run.errors.contains("--state holds no RegistryCredential"), "{}", run.errors);
}

#[test]
fn an_input_that_cannot_be_read_weighs_more_than_a_denial() {
    let files =
        files("apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {name: a}\nspec: {}\n");
    assert_eq!(files.check(&["-f", "object.yaml"]).code, 1);
    let run = files.check(&["-f", "object.yaml", "-f", "absent.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.output.contains("1 denied"), "{}", run.output);
    assert!(run.errors.contains("absent.yaml: cannot be read"), "{}", run.errors);
}
