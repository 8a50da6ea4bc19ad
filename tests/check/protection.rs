//! Secrets in use, and what points to them.

use rstest::rstest;
use serde_json::{Value, json};

use super::command::{CANARY, Files, Run};

fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "garden-dev", "name": name},
        "immutable": true, "stringData": {"username": "john", "password": CANARY},
    })
}

/// A Shoot with a cache for docker.io that logs in with this Secret.
fn shoot(secret: &str) -> Value {
    json!({
        "apiVersion": "core.gardener.cloud/v1beta1", "kind": "Shoot",
        "metadata": {"namespace": "garden-dev", "name": "crazy-botany"},
        "spec": {
            "extensions": [{"type": "registry-cache", "providerConfig": {
                "apiVersion": "registry.extensions.gardener.cloud/v1alpha3", "kind": "RegistryConfig",
                "caches": [{"upstream": "docker.io", "secretReferenceName": "docker-creds"}],
            }}],
            "resources": [
                {"name": "docker-creds", "resourceRef": {"apiVersion": "v1", "kind": "Secret", "name": secret}},
            ],
        },
    })
}

fn binding(secret: (&str, &str)) -> Value {
    json!({
        "apiVersion": "security.gardener.cloud/v1alpha1", "kind": "CredentialsBinding",
        "metadata": {"namespace": "garden-dev", "name": "account"},
        "credentialsRef": {"apiVersion": "v1", "kind": "Secret", "namespace": secret.0, "name": secret.1},
    })
}

fn config(secret: &str) -> Value {
    json!({
        "apiVersion": "core.kyma-project.io/v1beta1", "kind": "RegistryCacheConfig",
        "metadata": {"namespace": "garden-dev", "name": "docker"},
        "spec": {"upstream": "docker.io", "secretReferenceName": secret},
    })
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object["metadata"][field] = value;
    object
}

fn without_namespace(mut object: Value) -> Value {
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

const GOING: &str = "2026-01-01T00:00:00Z";

fn going(object: Value) -> Value {
    with(object, "deletionTimestamp", GOING.into())
}

fn marked(secret: Value) -> Value {
    with(secret, "labels", json!({"regcred.dev/in-use": "true"}))
}

/// A Secret with the reservation of a Shoot that is about to be created.
fn reserved(secret: Value) -> Value {
    let claim = json!({"kind": "Shoot", "namespace": "garden-dev", "name": "crazy-botany", "uid": "1"});
    with(marked(secret), "annotations", json!({"reservation.regcred.dev/a": claim.to_string(), "a": "b"}))
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn check(object: &Value, state: &[Value], more: &[&str]) -> Run {
    let files = Files::with("object.json", object.to_string());
    files.add("state.json", list(state));
    files.check(&[&["-f", "object.json", "--state", "state.json", "-o", "json"], more].concat())
}

/// Why it is refused; empty if it is not.
fn refusal(run: &Run) -> String {
    let verdict = run.line();
    assert_eq!(run.code, i32::from(verdict["allowed"] == false), "{run:?}");
    verdict["message"].as_str().unwrap_or_default().to_owned()
}

const USED: &str = "Secret garden-dev/creds is still used by Shoot garden-dev/crazy-botany (spec.resources[0], \
    registry-cache upstream docker.io); point the Shoot at another Secret first";

#[rstest]
#[case::not_used(secret("creds"), vec![shoot("other")], "")]
#[case::used(secret("creds"), vec![shoot("creds")], USED)]
#[case::used_and_marked(marked(secret("creds")), vec![shoot("creds")], USED)]
#[case::marked_and_not_used(marked(secret("creds")), vec![shoot("other")], "")]
#[case::by_a_shoot_that_is_being_deleted(
    secret("creds"), vec![with(going(shoot("creds")), "finalizers", json!(["gardener"]))], USED
)]
#[case::by_a_shoot_that_gardener_has_done_with(secret("creds"), vec![going(shoot("creds"))], "")]
#[case::by_a_binding(
    secret("creds"), vec![binding(("garden-dev", "creds"))],
    "Secret garden-dev/creds is still used by CredentialsBinding garden-dev/account (credentialsRef); delete the CredentialsBinding first"
)]
#[case::by_a_request_of_kymas(
    secret("creds"), vec![config("creds")],
    "Secret garden-dev/creds is still used by RegistryCacheConfig garden-dev/docker (spec.secretReferenceName); point the \
     RegistryCacheConfig at another Secret first"
)]
#[case::going_already(going(secret("creds")), vec![shoot("creds")], "")]
#[case::by_a_shoot_elsewhere(secret("creds"), vec![with(shoot("creds"), "namespace", "garden-core".into())], "")]
#[case::where_no_one_is_asked(
    with(secret("creds"), "namespace", "kube-system".into()), vec![binding(("kube-system", "creds"))], ""
)]
#[case::by_who_could_not_be_asked(
    with(secret("creds"), "annotations", json!({"regcred.dev/allow-deletion": "x"})), vec![shoot("creds")],
    &format!("{USED}; its annotation regcred.dev/allow-deletion counts only for whoever may bypass secretprotections.regcred.dev")
)]
fn a_secret_may_be_deleted_if_nothing_in_the_state_uses_it(
    #[case] secret: Value,
    #[case] state: Vec<Value>,
    #[case] expected: &str,
) {
    let run = check(&secret, &state, &["--operation", "delete"]);
    assert_eq!(refusal(&run), expected);
    assert_eq!((&run.line()["warnings"], &*run.errors), (&json!([]), ""), "nothing is said twice");
    let [namespace, name] =
        ["namespace", "name"].map(|field| secret["metadata"][field].as_str().unwrap_or_default().to_owned());
    // Of many that are deleted at once the API server names none.
    let request = json!({
        "uid": "1", "operation": "DELETE", "namespace": namespace, "userInfo": {"username": "jane"},
        "kind": {"group": "", "version": "v1", "kind": "Secret"},
        "resource": {"group": "", "version": "v1", "resource": "secrets"}, "oldObject": secret,
    });
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let run = check(&review, &state, &[]);
    assert_eq!((refusal(&run), run.line()["name"].as_str()), (expected.to_owned(), Some(&*name)));
}

#[test]
fn reservations_in_files_hold_nothing_which_a_note_tells() {
    let says = "note: the reservations of Secret garden-dev/creds are taken to be over";
    let delete = ["--operation", "delete"];
    for (shoot, is_used) in [(shoot("creds"), true), (shoot("other"), false), (config("other"), false)] {
        let shoot = with(with(shoot, "uid", "1".into()), "resourceVersion", "5".into());
        let run = check(&reserved(secret("creds")), &[shoot], &delete);
        assert_eq!(refusal(&run), if is_used { USED } else { "" });
        assert!(run.errors.contains(says), "{run:?}");
    }
    let files = Files::with("new.json", marked(secret("creds")).to_string());
    files.add("old.json", reserved(secret("creds")).to_string());
    let update = ["-f", "new.json", "--operation", "update", "--old", "old.json", "-o", "json"];
    let run = files.check(&update);
    assert_eq!((refusal(&run), &run.line()["patch"]), (String::new(), &Value::Null), "nor when they go");
    let reservations =
        (0..200).map(|number| (format!("reservation.regcred.dev/{number}"), Value::from("{}"))).collect();
    let full = with(secret("creds"), "annotations", Value::Object(reservations));
    assert_eq!(refusal(&check(&shoot("creds"), &[full], &[])), "", "nor for who takes the Secret up");
}

#[rstest]
#[case::there(shoot("creds"), vec![secret("creds")], "")]
#[case::missing(
    shoot("creds"), vec![secret("other")],
    "failed to get secret garden-dev/creds for secretReferenceName docker-creds: secrets \"creds\" not found"
)]
#[case::going(shoot("creds"), vec![going(secret("creds"))], "is being deleted, for good")]
#[case::a_binding(
    binding(("garden-core", "creds")), vec![secret("creds")],
    "Secret garden-core/creds (credentialsRef) does not exist; create it first"
)]
#[case::a_request_of_kymas(config("creds"), vec![secret("creds")], "")]
#[case::a_request_of_kymas_for_none(config("creds"), vec![secret("other")], "does not exist; create it first")]
fn what_points_to_a_secret_is_judged_by_those_of_the_state(
    #[case] object: Value,
    #[case] state: Vec<Value>,
    #[case] expected: &str,
) {
    let is_as_expected = |run: &Run| {
        let refusal = refusal(run);
        assert_eq!(refusal.is_empty(), expected.is_empty(), "{refusal}");
        assert!(refusal.contains(expected), "{refusal}");
        assert_eq!((&run.line()["effects"], &*run.errors), (&json!([]), ""));
        assert_eq!(run.line()["namespace"], "garden-dev");
    };
    is_as_expected(&check(&object, &state, &[]));
    is_as_expected(&check(&without_namespace(object), &state, &["--namespace", "garden-dev"]));
}

#[test]
fn the_steps_of_a_rotation_are_judged_from_files() {
    let files = Files::with("secrets.json", list(&[secret("v1"), secret("v2")]));
    files.add("old.json", shoot("v1").to_string());
    let to = |name: &str| {
        files.add("new.json", without_namespace(shoot(name)).to_string());
        let update = ["-f", "new.json", "--operation", "update", "--old", "old.json", "-n", "garden-dev"];
        refusal(&files.check(&[&update[..], &["--state", "secrets.json", "-o", "json"]].concat()))
    };
    assert_eq!(to("v2"), "");
    assert!(to("v3").ends_with("secrets \"v3\" not found"));
    let delete = |name: &str| refusal(&check(&secret(name), &[shoot("v2")], &["--operation", "delete"]));
    assert_eq!((delete("v1").is_empty(), delete("v2").is_empty()), (true, false));
}

#[rstest]
#[case::secrets(shoot("creds"), &[], "note: --state holds no Secret, so there is none to point to")]
#[case::referrers(
    secret("creds"), &["--operation", "delete"],
    "note: --state holds nothing that could point to a Secret, so each may be deleted"
)]
fn a_state_without_what_decides_is_told(#[case] object: Value, #[case] more: &[&str], #[case] says: &str) {
    let run =
        check(&object, &[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})], more);
    assert!(run.errors.contains(says), "{run:?}");
}

#[test]
fn a_binding_to_something_else_than_a_secret_is_there() {
    let mut shoot = shoot("creds");
    shoot["spec"]["credentialsBindingName"] = "account".into();
    let mut identity = binding(("garden-dev", "identity"));
    identity["credentialsRef"]["kind"] = "WorkloadIdentity".into();
    let dangling = json!(["spec.credentialsBindingName: there is no CredentialsBinding garden-dev/account"]);
    for (state, warnings) in [(vec![identity, secret("creds")], json!([])), (vec![secret("creds")], dangling)]
    {
        assert_eq!(check(&shoot, &state, &[]).line()["warnings"], warnings);
    }
}

#[test]
fn where_regcred_has_no_rights_nothing_keeps_a_secret() {
    let scope = ["--operation", "delete", "--namespaces=garden-core"];
    assert_eq!(refusal(&check(&secret("creds"), &[shoot("creds")], &scope)), "");
    let core = with(secret("creds"), "namespace", "garden-core".into());
    assert_eq!(
        refusal(&check(&core, &[binding(("garden-core", "creds"))], &scope)),
        "",
        "seen from elsewhere"
    );
}

/// Whoever asks is nobody, so no controller of Gardener's either.
#[test]
fn what_holds_a_secret_in_use_is_not_taken_off() {
    let old = with(marked(secret("creds")), "finalizers", json!(["gardener.cloud/reference-protection"]));
    let files = Files::with("old.json", old.to_string());
    files.add("state.json", list(&[shoot("creds")]));
    let update = |new: &Value| {
        files.add("new.json", new.to_string());
        let update = ["-f", "new.json", "--operation", "update", "--old", "old.json", "-o", "json"];
        files.check(&[&update[..], &["--state", "state.json"]].concat())
    };
    assert_eq!(refusal(&update(&marked(secret("creds")))), USED);
    let kept = with(secret("creds"), "finalizers", old["metadata"]["finalizers"].clone());
    let run = update(&kept);
    let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"regcred.dev/in-use": "true"}}]);
    assert_eq!((refusal(&run), &run.line()["patch"]), (String::new(), &label), "the label is put back");
}

#[test]
fn help_tells_how_secrets_in_use_are_judged() {
    let help = Files::new().check(&["--help"]).output;
    for says in [
        "--operation delete -f secret.yaml --state cluster/",
        "-f shoot.yaml --state secrets/",
        "reservations",
    ] {
        assert!(help.contains(says), "{help}");
    }
}
