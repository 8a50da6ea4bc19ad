//! What is decided about objects of each kind and for each operation.

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{Files, cluster, files, judge, pod};

fn names(verdict: &Value) -> Vec<&str> {
    let operations = verdict["patch"].as_array().into_iter().flatten();
    let values = operations.flat_map(|operation| match &operation["value"] {
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    });
    values.map(|value| value["name"].as_str().unwrap()).collect()
}

#[test]
fn a_pod_that_needs_a_credential_gets_its_name_and_its_copy() {
    let verdict = judge(&pod("ghcr.io/team/app"));
    assert_eq!(
        verdict["patch"],
        json!([{"op": "add", "path": "/spec/imagePullSecrets", "value": [{"name": "regcred-ghcr"}]}])
    );
    assert_eq!(
        verdict["effects"],
        json!([{
            "action": "create", "apiVersion": "v1", "kind": "Secret", "namespace": "team-a", "name": "regcred-ghcr",
            "credential": "ghcr",
        }])
    );
    assert_eq!((&verdict["allowed"], &verdict["message"]), (&json!(true), &Value::Null));
}

#[test]
fn a_function_pod_that_is_named_later_keeps_its_secret_and_gets_ours_behind_it() {
    let verdict = judge(
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: set-namespace-, namespace: team-a}\n\
         spec:\n  imagePullSecrets: [{name: auth-secret}]\n\
         \x20 initContainers: [{name: tools, image: docker.io/nephio/wrapper:latest}]\n\
         \x20 containers: [{name: function, image: 'ghcr.io/private/set-namespace:v2'}]\n",
    );
    assert_eq!(
        verdict["patch"],
        json!([{"op": "add", "path": "/spec/imagePullSecrets/-", "value": {"name": "regcred-ghcr"}}])
    );
    assert_eq!(verdict["name"], "set-namespace-*");
}

#[rstest]
#[case::names_it_already("spec: {imagePullSecrets: [{name: regcred-ghcr}], containers: [{image: ghcr.io/a/b}]}", &[])]
#[case::init_container("spec: {initContainers: [{image: ghcr.io/a/b}]}", &["regcred-ghcr"])]
#[case::image_volume("spec: {volumes: [{image: {reference: ghcr.io/a/b}}]}", &["regcred-ghcr"])]
#[case::other_registry("spec: {containers: [{image: quay.io/a/b}]}", &[])]
#[case::no_spec("", &[])]
fn what_a_pod_names_decides(#[case] spec: &str, #[case] expected: &[&str]) {
    let verdict =
        judge(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: team-a}}\n{spec}\n"));
    assert_eq!(names(&verdict), expected);
}

#[rstest]
#[case::deployment("apps/v1", "Deployment")]
#[case::pod_template("v1", "PodTemplate")]
#[case::cron_job("batch/v1", "CronJob")]
#[case::unknown("example.com/v9", "Widget")]
fn what_is_no_pod_is_allowed_as_it_is(#[case] api_version: &str, #[case] kind: &str) {
    let verdict = judge(&format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a, namespace: team-a}}\n\
         spec: {{template: {{spec: {{containers: [{{name: a, image: ghcr.io/a/b}}]}}}}}}\n"
    ));
    assert_eq!(verdict["allowed"], true);
    assert_eq!(
        (&verdict["patch"], &verdict["warnings"], &verdict["effects"]),
        (&Value::Null, &json!([]), &json!([]))
    );
}

#[test]
fn a_pod_without_namespace_is_judged_in_the_given_one() {
    let files = files(&pod("ghcr.io/a/b").replace(", namespace: team-a", ""));
    let arguments = ["-f", "object.yaml", "--state", "state.yaml", "-o", "json"];
    let verdict = files.check(&arguments).line();
    assert_eq!((&verdict["namespace"], &verdict["patch"]), (&json!("default"), &Value::Null));
    let verdict = files.check(&[arguments.as_slice(), &["--namespace", "team-b"]].concat()).line();
    assert_eq!((verdict["namespace"].as_str(), names(&verdict)), (Some("team-b"), vec!["regcred-ghcr"]));
}

#[rstest]
#[case::fine("namespaces: ['*'], images: [ghcr.io/org/*]", None)]
#[case::scheme("namespaces: ['*'], images: ['https://ghcr.io']", Some("has no scheme"))]
#[case::tag("namespaces: ['*'], images: ['ghcr.io/a:1']", Some("no tag and no digest"))]
#[case::no_namespaces("images: [ghcr.io]", Some("spec names no namespaces"))]
#[case::wrong_type("namespaces: 1", Some("invalid type"))]
#[case::wrong_operator(
    "namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}",
    Some("unknown variant")
)]
fn a_credential_that_cannot_be_used_is_denied_with_a_sentence(
    #[case] fields: &str,
    #[case] says: Option<&str>,
) {
    let text = format!(
        "apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {{name: a}}\n\
         spec: {{secretRef: {{namespace: a, name: b}}, {fields}}}\n"
    );
    let run = files(&text).check(&["-f", "object.yaml", "-o", "json"]);
    let verdict = run.line();
    assert_eq!((run.code, &verdict["allowed"]), (i32::from(says.is_some()), &json!(says.is_none())));
    assert!(verdict["message"].as_str().unwrap_or_default().contains(says.unwrap_or_default()), "{verdict}");
    let deletion = files(&text).check(&["-f", "object.yaml", "-o", "json", "--operation", "delete"]);
    assert_eq!(deletion.code, 0, "what is wrong can be deleted");
}

#[rstest]
#[case::labelled("labels: {operator.kyma-project.io/oci-registry-cred: a}", "team-a", &[
    "Lifecycle Manager passes over a Secret of type Opaque: write a new one, of kubernetes.io/dockerconfigjson",
    "Lifecycle Manager before 2024 wants label operator.kyma-project.io/managed-by: lifecycle-manager",
])]
#[case::not_labelled("labels: {a: b}", "team-a", &[])]
#[case::where_regcred_keeps_out("labels: {operator.kyma-project.io/oci-registry-cred: a}", "kube-system", &[])]
fn a_secret_that_modules_are_pulled_with_is_warned_of(
    #[case] labels: &str,
    #[case] namespace: &str,
    #[case] warnings: &[&str],
) {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, {labels}}}\ntype: Opaque\n\
         data:\n  a: |\n    aHVudGVy\n    Mg==\n"
    );
    let run = files(&secret).check(&["-f", "object.yaml", "-n", namespace, "-o", "json"]);
    let verdict = run.line();
    assert_eq!((&verdict["allowed"], &verdict["namespace"]), (&json!(true), &json!(namespace)));
    assert_eq!(verdict["warnings"], json!(warnings));
    let elsewhere =
        files(&secret).check(&["-f", "object.yaml", "-n", namespace, "--namespaces=b", "-o", "json"]);
    assert_eq!(elsewhere.line()["warnings"], json!([]), "regcred is not asked about it");
}

/// The API server has made one of both before it asks.
#[rstest]
#[case::text("stringData: {.dockerconfigjson: '{\"auths\":{}}'}")]
#[case::text_before_data(
    "data: {.dockerconfigjson: e30=}\nstringData: {.dockerconfigjson: '{\"auths\":{}}'}"
)]
#[case::broken_lines("data:\n  .dockerconfigjson: |\n    eyJhdXRocyI6\n    e319\n")]
#[case::nothing("stringData: {.dockerconfigjson: null}")]
fn a_secret_of_a_file_is_judged_as_it_would_be_stored(#[case] content: &str) {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: a\n  namespace: team-a\n  \
         labels: {{operator.kyma-project.io/oci-registry-cred: a, operator.kyma-project.io/managed-by: lifecycle-manager}}\n\
         {content}\n"
    );
    let files = files(&secret);
    let told = files.check(&["-f", "object.yaml", "-o", "json"]).line();
    let warning = "this Secret has credentials for no registry: modules would be pulled without any";
    assert_eq!(told["warnings"], json!([warning]));
    files.add("old.yaml", "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: a\n  \
        namespace: team-a\n  \
        labels: {operator.kyma-project.io/oci-registry-cred: a, operator.kyma-project.io/managed-by: lifecycle-manager}\n\
        stringData: {.dockerconfigjson: '{\"auths\":{}}'}\n");
    let update = ["-f", "object.yaml", "--old", "old.yaml", "--operation=update", "-o", "json"];
    let changed = files.check(&update).line();
    let is_empty = content.contains("null");
    assert_eq!(
        changed["warnings"],
        if is_empty { json!([warning]) } else { json!([]) },
        "it stays as it was"
    );
}

/// Where regcred is limited to some namespaces it looks for the Secrets of a module in these alone.
#[rstest]
#[case::everywhere(&[], "")]
#[case::there(&["--namespaces=kcp-system,other"], "")]
#[case::elsewhere(&["--namespaces=other"], "no Secret that regcred can see has the labels a=b")]
fn a_modules_secret_is_looked_for_where_the_server_looks(#[case] more: &[&str], #[case] warning: &str) {
    let template = "apiVersion: operator.kyma-project.io/v1beta2\nkind: ModuleTemplate\nmetadata: {name: m, namespace: x}\n\
        spec: {descriptor: {component: {name: k.io/m, repositoryContexts: [{baseUrl: ghcr.io}], resources: [\n  \
        {name: raw-manifest, access: {type: localBlob}, labels: [{name: oci-registry-cred, value: {a: b}}]}\n]}}}\n";
    let secret = "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: s\n  namespace: kcp-system\n  \
        labels: {a: b, operator.kyma-project.io/managed-by: lifecycle-manager}\n\
        stringData: {.dockerconfigjson: '{\"auths\":{\"ghcr.io\":{\"auth\":\"dTpw\"}}}'}\n";
    let files = files(template);
    files.add("state.yaml", secret);
    let run = files.check(&[&["-f", "object.yaml", "--state", "state.yaml", "-o", "json"], more].concat());
    let expected: Vec<&str> = Some(warning).into_iter().filter(|warning| !warning.is_empty()).collect();
    assert_eq!(run.line()["warnings"], json!(expected), "{}", run.errors);
}

#[test]
fn a_deletion_takes_its_names_from_the_object_that_goes() {
    let run = files(&pod("ghcr.io/a/b")).check(&["-f", "object.yaml", "--operation", "delete", "-o", "json"]);
    let verdict = run.line();
    assert_eq!(
        (&verdict["namespace"], &verdict["name"], &verdict["operation"], &verdict["patch"]),
        (&json!("team-a"), &json!("hello"), &json!("delete"), &Value::Null)
    );
}

#[test]
fn an_ephemeral_container_is_judged_as_the_update_that_adds_it() {
    let debugged =
        pod("nginx").replace("}]}", "}], ephemeralContainers: [{name: d, image: ghcr.io/a/debug}]}");
    let files = files(&debugged);
    files.add("old/pod.yaml", pod("nginx"));
    let arguments = ["-f", "object.yaml", "--state", "state.yaml", "--operation", "update", "-o", "json"];
    let verdict = files.check(&[arguments.as_slice(), &["--old", "old"]].concat()).line();
    assert_eq!(verdict["operation"], "update");
    assert!(verdict["warnings"][0].as_str().unwrap().contains("needs pull Secret regcred-ghcr"), "{verdict}");

    let unchanged = files.check(&[arguments.as_slice(), &["--old", "object.yaml"]].concat()).line();
    assert_eq!(unchanged["warnings"], json!([]));
}

#[test]
fn an_update_of_an_object_that_is_not_there_is_an_input_error() {
    let files = files(&pod("nginx"));
    files.add("old.yaml", pod("nginx").replace("hello", "other"));
    let run = files.check(&["-f", "object.yaml", "--operation", "update", "--old", "old.yaml"]);
    assert_eq!(run.code, 2);
    assert!(
        run.errors.contains("object.yaml:1: an update of Pod team-a/hello needs the object as it is now"),
        "{}",
        run.errors
    );
}

fn review(object: &Value, fields: &Value) -> Value {
    let mut request = json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "team-a", "operation": "CREATE", "userInfo": {"username": "admin"}, "object": object,
    });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

fn judge_review(text: &str) -> Value {
    let files = Files::with("state.yaml", cluster());
    files.add("review.json", text);
    files.check(&["-f", "review.json", "--state", "state.yaml", "--operation", "delete", "-o", "json"]).line()
}

#[rstest]
#[case::creation(json!({"name": "hello"}), "create", &["regcred-ghcr"], 0)]
#[case::mirror_of_a_node(
    json!({"userInfo": {"username": "system:node:a", "groups": ["system:nodes"]}}), "create", &[], 0
)]
#[case::mirror_of_somebody(json!({"userInfo": {"username": "someone"}}), "create", &[], 1)]
#[case::dry_run(json!({"dryRun": true}), "create", &["regcred-ghcr"], 1)]
#[case::other_operation(json!({"operation": "UPDATE"}), "update", &[], 0)]
fn a_recorded_review_is_judged_as_it_is(
    #[case] fields: Value,
    #[case] operation: &str,
    #[case] expected: &[&str],
    #[case] warnings: usize,
) {
    let mut object = json!({
        "metadata": {"name": "hello"},
        "spec": {"containers": [{"name": "a", "image": "ghcr.io/a/b"}]},
    });
    if fields.get("userInfo").is_some() {
        object["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    }
    let review = review(&object, &fields);
    let verdict = judge_review(&review.to_string());
    assert_eq!((names(&verdict), verdict["operation"].as_str()), (expected.to_vec(), Some(operation)));
    assert_eq!((verdict["namespace"].as_str(), verdict["name"].as_str()), (Some("team-a"), Some("hello")));
    assert_eq!(verdict["warnings"].as_array().unwrap().len(), warnings);

    let in_a_list = json!({"apiVersion": "v1", "kind": "List", "items": [review]});
    assert_eq!(judge_review(&in_a_list.to_string())["patch"], verdict["patch"]);
}

#[test]
fn a_review_that_the_server_could_not_read_is_answered_as_by_the_server() {
    let twice = review(&json!({}), &json!({}))
        .to_string()
        .replace("\"namespace\"", "\"namespace\":\"x\",\"namespace\"");
    let verdict = judge_review(&twice);
    assert_eq!((&verdict["allowed"], &verdict["namespace"]), (&json!(true), &json!("team-a")));
    assert_eq!(verdict["warnings"], json!(["regcred could not read this request and left it as it is"]));
    let twice =
        review(&json!({"spec": {}}), &json!({})).to_string().replace("\"spec\"", "\"spec\":{},\"spec\"");
    assert!(judge_review(&twice)["warnings"][0].as_str().unwrap().contains("could not read this pod"));
}
