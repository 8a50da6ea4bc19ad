//! What can be read, and what is said of what cannot.

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{CANARY, Files, files, pod};

/// Sources, kinds and names of what was judged.
fn judged(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    lines.iter().map(|line| format!("{} {}", text(line, "source"), text(line, "name"))).collect()
}

#[test]
fn folders_are_read_to_the_bottom_in_the_order_of_names() {
    let files = Files::new();
    for name in ["in/b.yml", "in/a/c.json", "in/a.yaml", "in/notes.md", "in/d/e/f.yaml"] {
        files.add(
            name,
            format!(r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}}}"#),
        );
    }
    let run = files.check(&["-f", "in", "-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let expected =
        ["in/a/c.json", "in/a.yaml", "in/b.yml", "in/d/e/f.yaml"].map(|name| format!("{name}:1 {name}"));
    assert_eq!(judged(&run.lines()), expected);
}

#[test]
fn a_link_to_a_folder_above_is_not_followed() {
    let files = Files::with("in/a.yaml", pod("nginx"));
    std::os::unix::fs::symlink("..", files.path().join("in/up")).unwrap();
    assert_eq!(files.check(&["-f", "in", "-o", "json"]).lines().len(), 1);
}

#[test]
fn a_pipe_in_a_folder_is_not_waited_for() {
    let files = Files::with("in/a.yaml", pod("nginx"));
    let pipe = files.path().join("in/pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::os::unix::fs::symlink("nowhere", files.path().join("in/z.yaml")).unwrap();
    let run = files.check(&["-f", "in", "-o", "json"]);
    assert_eq!((run.code, run.lines().len()), (2, 1));
    assert!(run.errors.contains("in/z.yaml: cannot be read"), "{}", run.errors);
}

#[test]
fn documents_are_told_apart_by_the_line_they_begin_on() {
    let text = "# a comment\n\n---\n# another\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n--- # more\n\
                ---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n...\n\n\
                apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: three}\r\n---\r\n\
                {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"four\"}}\n\
                {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n \"metadata\": {\"name\": \"five\"}} \
                {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"six\"}}\n";
    let run = Files::new().check_with_input(&["-f", "-", "-o", "json"], text);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        judged(&run.lines()),
        ["-:5 one", "-:10 two", "-:13 three", "-:17 four", "-:18 five", "-:19 six"]
    );
}

#[test]
fn lists_are_taken_apart_and_their_items_may_leave_out_the_kind() {
    let item = |name: &str| json!({"metadata": {"name": name}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "PodList", "items": [item("b"), item("c")]},
        {"apiVersion": "v1", "kind": "List", "items": null},
    ]});
    let run = Files::with("list.json", list.to_string()).check(&["-f", "list.json", "-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(judged(&run.lines()), ["list.json:1 a", "list.json:1 b", "list.json:1 c"]);
    assert!(run.lines().iter().all(|line| line["kind"] == "Pod"));
}

#[rstest]
#[case::syntax("apiVersion: v1\nkind: [Pod\nmetadata: {}\n", "bad.yaml:", "is no valid YAML")]
#[case::template(
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .name }}\n",
    "bad.yaml:4: ",
    "is no valid YAML"
)]
#[case::tab("apiVersion: v1\nmetadata:\n\tname: a\n", "bad.yaml:3: ", "tabs")]
#[case::key_twice("apiVersion: v1\nkind: Pod\nkind: Pod\n", "bad.yaml:3: ", "duplicate mapping key `kind`")]
#[case::key_twice_in_json(
    "{\"kind\": \"Pod\",\n\"kind\": \"Pod\"}",
    "bad.yaml:2: ",
    "the key \"kind\" stands twice"
)]
#[case::second_document("apiVersion: v1\nkind: Pod\n---\n\n- a\n", "bad.yaml:5: ", "is no Kubernetes object")]
#[case::no_kind("# c\napiVersion: v1\n", "bad.yaml:2: ", "apiVersion or kind is missing")]
#[case::scalar("hello\n", "bad.yaml:1: ", "is no Kubernetes object")]
#[case::nothing("# only a comment\n---\n", "bad.yaml: ", "holds no object")]
#[case::recursive_alias("apiVersion: v1\nkind: Pod\nx: &x [*x]\n", "bad.yaml:3: ", "is no valid YAML")]
#[case::infinite("apiVersion: v1\nkind: Pod\nx: .inf\n", "bad.yaml:3: ", "finite")]
#[case::old_review(
    r#"{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "1"}}"#,
    "bad.yaml:1: ",
    "is no AdmissionReview of admission.k8s.io/v1"
)]
fn what_cannot_be_read_is_told_with_its_line(#[case] text: &str, #[case] place: &str, #[case] reason: &str) {
    let files = Files::with("bad.yaml", text);
    files.add("good.yaml", pod("nginx"));
    let run = files.check(&["-f", "bad.yaml", "-f", "good.yaml"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.errors.contains(place) && run.errors.contains(reason), "{}", run.errors);
    assert!(
        run.output.contains("allowed Pod team-a/hello (good.yaml:1)"),
        "the rest is judged: {}",
        run.output
    );
}

#[test]
fn a_document_that_cannot_be_read_leaves_the_others() {
    let text = format!("{}---\nkind: [\n---\n{}", pod("a"), pod("b"));
    let run = files(&text).check(&["-f", "object.yaml", "-o", "json"]);
    assert_eq!((run.code, run.lines().len()), (2, 2), "{run:?}");
}

#[rstest]
#[case::broken_utf8(b"apiVersion: v1\nkind: \"\xff\"\n".to_vec(), "in:2: is no text in UTF-8")]
#[case::binary((0..=255_u8).cycle().take(10_000).collect(), "is no text in UTF-8")]
#[case::nul(b"apiVersion: v1\nkind: Pod\0\n".to_vec(), "in:2: is no valid YAML")]
#[case::too_large(vec![b'#'; 100 << 20], "in: is larger than 32 MiB")]
#[case::deep_json([vec![b'['; 1 << 20], vec![b']'; 1 << 20]].concat(), "in:1: is no valid")]
#[case::deep_yaml([b"a: ".to_vec(), vec![b'{'; 1 << 20]].concat(), "in:1: is no valid YAML")]
#[case::empty(Vec::new(), "in: holds no object")]
fn no_bytes_make_it_panic_or_take_long(#[case] bytes: Vec<u8>, #[case] says: &str) {
    let run = Files::with("in", bytes).check(&["-f", "in"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains(says), "{}", run.errors.chars().take(500).collect::<String>());
}

/// Ten aliases of ten aliases of …: ten thousand million values if they were laid out.
#[test]
fn an_alias_bomb_is_refused_before_it_goes_off() {
    let level = |level: usize| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        format!("a{level}: &a{level} [{aliases}]\n")
    };
    let levels: String = (1..10).map(level).collect();
    let text = format!("apiVersion: v1\nkind: Pod\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{levels}");
    let run = Files::with("bomb.yaml", text).check(&["-f", "bomb.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("use fewer aliases"), "{}", run.errors);
}

/// A million bytes a hundred times: few values, much text.
#[test]
fn a_long_text_cannot_be_repeated_without_end() {
    let text = format!(
        "apiVersion: v1\nkind: Pod\na: &a {}\nb: [{}]\n",
        "x".repeat(1_000_000),
        vec!["*a"; 100].join(",")
    );
    let run = Files::with("bomb.yaml", text).check(&["-f", "bomb.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("use fewer aliases"), "{}", run.errors);
}

#[rstest]
#[case::absent("absent", "absent: cannot be read: ")]
#[case::folder_without_files("empty", "empty: the folder holds no .yaml, .yml or .json file")]
#[case::endless("/dev/zero", "/dev/zero: is larger than 32 MiB")]
fn a_path_that_gives_nothing_is_told(#[case] path: &str, #[case] says: &str) {
    let files = Files::with("empty/notes.md", "");
    let run = files.check(&["-f", path]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains(says), "{}", run.errors);
}

#[test]
fn a_pipe_that_brings_nothing_is_an_error() {
    let run = Files::new().check_with_input(&["-f", "-"], "");
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("-: holds no object"), "{}", run.errors);
}

/// Every way in which a Secret can be wrong; the runs themselves look for its password in what is said.
#[rstest]
#[case::no_base64(format!("data: {{.dockerconfigjson: '{CANARY}'}}"))]
#[case::number(format!("data: {{a: 1}}\nstringData: {{b: '{CANARY}'}}"))]
#[case::text_for_map(format!("stringData: '{CANARY}'"))]
#[case::list(format!("stringData: ['{CANARY}']"))]
#[case::annotation(format!("metadata: {{name: s, annotations: ['{CANARY}']}}"))]
#[case::syntax(format!("stringData: {{a: '{CANARY}'"))]
#[case::syntax_after(format!("stringData: {CANARY}: x: y"))]
#[case::alias(format!("stringData: {{a: &a '{CANARY}', b: *c}}"))]
#[case::tag(format!("stringData: !!int {CANARY}"))]
#[case::binary_tag(format!("stringData: !!binary '{CANARY}!'"))]
fn a_secret_that_cannot_be_read_is_not_shown(#[case] body: String) {
    let files = Files::with("state.yaml", format!("apiVersion: v1\nkind: Secret\ntype: Opaque\n{body}\n"));
    files.add("object.yaml", pod("nginx"));
    let run = files.check(&["-f", "object.yaml", "--state", "state.yaml"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.errors.contains("state.yaml:"), "{}", run.errors);
    assert!(run.output.contains("allowed Pod team-a/hello"), "{}", run.output);
}
