//! Pods and a cluster that are files.

use rstest::rstest;
use serde_json::json;

use super::command::{CANARY, Files, Run};

fn credential(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {{name: {name}, uid: uid-of-{name}}}\n\
         spec: {{secretRef: {{namespace: registries, name: {name}}}, {spec}}}\n"
    )
}

fn source(name: &str, registry: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: registries}}\n\
         type: kubernetes.io/dockerconfigjson\n\
         stringData: {{.dockerconfigjson: '{{\"auths\":{{\"{registry}\":{{\"username\":\"me\",\"password\":\"{CANARY}\"}}}}}}'}}\n"
    )
}

fn cluster() -> String {
    [
        &credential("ghcr", "namespaces: ['team-*']"),
        &source("ghcr", "ghcr.io"),
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team-a}\n",
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team-out, labels: {regcred.dev/inject: disabled}}\n",
    ]
    .map(|part: &str| part)
    .concat()
}

fn pod(namespace: &str, image: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello", "namespace": namespace},
        "spec": {"containers": [{"name": "main", "image": image}]},
    })
    .to_string()
}

/// Explains a pod in the cluster with more in it.
fn explain(pod: &str, state: &str, more: &[&str]) -> Run {
    let files = Files::new();
    files.add("state.yaml", state).add("pod.json", pod);
    files.explain(&[&["-f", "pod.json", "--state", "state.yaml", "-o", "json"], more].concat())
}

fn secret(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: team-a}}\ntype: Opaque\n"
    )
}

fn copy(name: &str, of: &str, marks: &str) -> String {
    let origin = json!({
        "credential": of, "credentialUid": format!("uid-of-{of}"), "source": "registries/x", "sourceUid": "s",
        "sourceResourceVersion": "1", "copy": format!("team-a/{name}"),
    });
    format!(
        "---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: {name}\n  namespace: team-a\n  \
         labels: {{regcred.dev/copy: 'true'}}\n  annotations: {{regcred.dev/origin: '{origin}'{marks}}}\n"
    )
}

/// The cluster with a copy of ours where the source should be.
fn copied_source() -> String {
    let copy =
        copy("ghcr", "other", "").replace("team-a/ghcr", "registries/ghcr").replace("team-a", "registries");
    cluster().replace(&source("ghcr", "ghcr.io"), "")
        + &copy
        + "stringData: {.dockerconfigjson: '{\"auths\":{\"ghcr.io\":{}}}'}\n"
}

const RULE: &str = "namespaces: ['team-*']";
/// A RegistryCredential whose source, which is not there, would be where the copy of the other one is.
const OTHERS: &str = "---
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: other, uid: uid-of-other}
spec: {secretRef: {namespace: team-a, name: regcred-ghcr}, namespaces: [elsewhere]}
";

#[rstest]
#[case::would_add("", RULE, &[], 0, "yes", "missing", "would_add")]
#[case::there(&copy("regcred-ghcr", "ghcr", ""), RULE, &[], 0, "yes", "there", "would_add")]
#[case::marked(&copy("regcred-ghcr", "ghcr", ", regcred.dev/unneeded-since: now"), RULE, &[], 0, "yes", "marked", "would_add")]
#[case::foreign(&secret("regcred-ghcr"), RULE, &[], 1, "yes", "ForeignSecret", "never")]
#[case::rival(&copy("regcred-ghcr", "other", ""), RULE, &[], 1, "yes", "OtherCredential", "never")]
#[case::kept_for_a_source(OTHERS, RULE, &[], 1, "yes", "OtherSource", "never")]
#[case::former(&copy("regcred-ghcr", "ghcr", "").replace("uid-of-ghcr", "former"), RULE, &[], 1, "yes", "WriteFailed", "would_add")]
#[case::not_named("", "namespaces: [x]", &[], 1, "no", "not_looked_at", "never")]
#[case::not_selected("", "namespaceSelector: {matchLabels: {a: b}}", &[], 1, "no", "not_looked_at", "never")]
#[case::excluded("", "namespaces: ['*'], excludeNamespaces: [team-a]", &[], 1, "no", "not_looked_at", "never")]
#[case::audited("", "namespaces: ['*'], mode: Audit", &[], 1, "yes", "missing", "never")]
#[case::own_namespace("", RULE, &["--regcred-namespace", "team-a"], 1, "yes", "not_looked_at", "never")]
#[case::not_accepted("", RULE, &["--consent", "two-sided"], 1, "no", "not_looked_at", "never")]
fn a_credential_that_an_image_needs_is_explained(
    #[case] more: &str,
    #[case] spec: &str,
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] offered: &str,
    #[case] copy: &str,
    #[case] verdict: &str,
) {
    let state = cluster().replace(RULE, spec) + more;
    let run = explain(&pod("team-a", "ghcr.io/team/app"), &state, arguments);
    let told = (run.is("ghcr", "offered"), run.is("ghcr", "copy"), run.is("ghcr", "verdict"));
    assert_eq!(
        (told.0.as_str(), told.1.as_str(), told.2.as_str(), run.code),
        (offered, copy, verdict, code),
        "{run:?}"
    );
}

#[rstest]
#[case::missing(cluster().replace("kubernetes.io/dockerconfigjson", "Opaque"), "SecretMissing", "would_add")]
#[case::broken(cluster().replace("{\"auths\"", "{\"auths\"!"), "SecretUndecodable", "never")]
#[case::copy(copied_source(), "SourceIsACopy", "never")]
fn a_source_that_is_no_good_is_told(#[case] state: String, #[case] copy: &str, #[case] verdict: &str) {
    let run = explain(&pod("team-a", "ghcr.io/team/app"), &state, &[]);
    assert_eq!(
        (run.is("ghcr", "copy"), run.is("ghcr", "verdict"), run.code),
        (copy.to_owned(), verdict.to_owned(), 1),
        "{run:?}"
    );
    assert_eq!(run.sheet()["images"][0]["credentials"][0]["answers"], "unknown");
}

#[test]
fn each_image_tells_the_key_that_answers_or_why_none_does() {
    let state = cluster()
        + &credential("narrow", "namespaces: ['*'], images: [ghcr.io/other]")
        + &source("narrow", "ghcr.io");
    let mut pod: serde_json::Value = serde_json::from_str(&pod("team-a", "ghcr.io/team/app:1")).unwrap();
    pod["spec"]["initContainers"] =
        json!([{"name": "init", "image": "busybox"}, {"name": "odd", "image": "::"}]);
    let run = explain(&pod.to_string(), &state, &[]);
    let sheet = run.sheet();
    let images: Vec<(&str, &str, Vec<&str>)> = sheet["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| {
            let credentials = image["credentials"].as_array().unwrap().iter();
            let why = credentials.map(|said| said["why"].as_str().unwrap()).collect();
            (image["image"].as_str().unwrap(), image["state"].as_str().unwrap(), why)
        })
        .collect();
    assert_eq!(
        images,
        [
            (
                "ghcr.io/team/app:1",
                "served",
                vec!["key ghcr.io of Secret registries/ghcr answers", "its spec.images do not cover it"]
            ),
            (
                "busybox",
                "served",
                vec!["no key of Secret registries/ghcr answers", "its spec.images do not cover it"]
            ),
            ("::", "served", vec![]),
        ]
    );
    assert_eq!(run.code, 0);
}

#[rstest]
#[case::pod(pod("team-a", "ghcr.io/a").replace("\"name\":\"hello\"", "\"name\":\"hello\",\"labels\":{\"regcred.dev/inject\":\"disabled\"}"), "its label")]
#[case::namespace(pod("team-out", "ghcr.io/a"), "its namespace's label")]
#[case::system(pod("kube-system", "ghcr.io/a"), "keeps out of namespaces")]
fn a_pod_that_is_left_alone_is_told_why(#[case] pod: String, #[case] says: &str) {
    let run = explain(&pod, &cluster().replace("team-*", "*"), &[]);
    assert!(run.sheet()["leftAlone"].as_str().unwrap().contains(says), "{run:?}");
    assert_eq!((run.is("ghcr", "verdict"), run.code), ("never".to_owned(), 1));
}

#[test]
fn a_pod_of_the_state_is_explained_by_its_name_as_one_that_exists() {
    let files = Files::new();
    files.add("state.yaml", cluster()).add("pod.json", pod("team-a", "ghcr.io/a"));
    let run =
        files.explain(&["pod", "team-a/hello", "--state", "state.yaml", "--state", "pod.json", "-o", "json"]);
    assert_eq!(
        (run.is("ghcr", "verdict"), run.code, &run.sheet()["exists"]),
        ("lacking".to_owned(), 1, &json!(true))
    );
    let run =
        files.explain(&["pod", "hello", "-n", "team-b", "--state", "state.yaml", "--state", "pod.json"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("there is no pod hello of namespace team-b"), "{}", run.errors);
}

#[test]
fn the_text_is_aligned_and_ends_in_the_verdict() {
    let files = Files::new();
    files.add("state.yaml", cluster()).add("pod.json", pod("team-a", "ghcr.io/a"));
    let run = files.explain(&["-f", "pod.json", "--state", "state.yaml"]);
    assert_eq!(
        run.output,
        "pod team-a/hello\n  \
           image ghcr.io/a: it has, or is given, the pull Secret that it needs\n    \
             ghcr  yes      key ghcr.io of Secret registries/ghcr answers\n  \
           RegistryCredential ghcr (mode Enforce), pull Secret team-a/regcred-ghcr\n    \
             offered  yes             its spec names or selects the namespace\n    \
             copy     missing         it is not there yet and is created from Secret registries/ghcr\n    \
             verdict  would_add       it would be added\n  \
           nothing lacks; added: regcred-ghcr\n"
    );
}

#[rstest]
#[case::nothing(&[], "nothing to explain")]
#[case::kind_without_name(&["pod"], "required")]
#[case::another_kind(&["deployment", "x"], "invalid value")]
#[case::both(&["pod", "a/b", "-f", "x"], "cannot be used with")]
#[case::input_twice(&["-f", "-", "--state", "-"], "standard input can be read once")]
#[case::no_cluster(&["pod", "a/b"], "no way to a cluster")]
#[case::no_pod(&["-f", "state.yaml", "--state", "state.yaml"], "state.yaml:2: is no Pod")]
fn a_command_line_that_cannot_be_followed_says_how_it_could(#[case] arguments: &[&str], #[case] says: &str) {
    let files = Files::new();
    files.add("state.yaml", cluster());
    let run = files.explain(arguments);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains(says), "{}", run.errors);
}
