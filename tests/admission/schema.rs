//! What the API server accepts as a `RegistryCredential`, and with which reason it refuses the rest.

use http::Method;
use serde_json::{Value, json};

use super::scene::{CREDENTIALS, Scene, secrets};
use super::talk::Answer;
use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{registry_credential, registry_secret};

/// A credential with these members in its spec besides a source; members that are there already are replaced.
fn credential(name: &str, spec: &Value) -> Value {
    let mut object = registry_credential(name, ("sources", "of-the-table"), json!({}));
    for (member, value) in spec.as_object().unwrap() {
        object["spec"][member] = value.clone();
    }
    object
}

async fn dry_run(scene: &Scene, object: &Value) -> Answer {
    let path = format!("{CREDENTIALS}?dryRun=All");
    scene.call(User::Admin, Method::POST, &path, Some(object)).await
}

/// The spec as the API server stores it: with what the schema adds where nothing is said.
fn stored(credential: &Value) -> Value {
    let mut spec = json!({"distribution": "OnDemand", "conflict": "Refuse", "mode": "Enforce"});
    for (member, value) in credential["spec"].as_object().unwrap() {
        spec[member] = value.clone();
    }
    spec
}

/// A spec for all namespaces with this one member more.
fn with(member: &str, value: Value) -> Value {
    let mut spec = json!({"namespaces": ["*"]});
    spec[member] = value;
    spec
}

fn image(pattern: &str) -> Value {
    with("images", json!([pattern]))
}

fn requirement(operator: &str, values: &Value) -> Value {
    json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}})
}

#[tokio::test]
async fn what_has_no_meaning_is_refused_with_the_reason() {
    let scene = Scene::enter().await;
    let long = "n".repeat(246);
    let table = [
        (
            "short",
            json!({}),
            "name the namespaces: set namespaces (['*'] for all) or namespaceSelector ({} for all)",
        ),
        ("short", json!({"namespaces": []}), "name the namespaces"),
        ("short", json!({"namespaceSelector": null}), "name the namespaces"),
        ("short", json!({"excludeNamespaces": ["*"]}), "name the namespaces"),
        ("short", json!({"namespaces": ["Team-A"]}), "spec.namespaces[0] in body should match"),
        ("short", json!({"namespaces": ["-team"]}), "spec.namespaces[0] in body should match"),
        ("short", json!({"namespaces": ["team-[ab]"]}), "spec.namespaces[0] in body should match"),
        ("short", json!({"namespaces": [""]}), "spec.namespaces[0]"),
        (
            "short",
            with("excludeNamespaces", json!(["a.b"])),
            "spec.excludeNamespaces[0] in body should match",
        ),
        ("short", image("https://ghcr.io/org"), "an image pattern has no scheme: write ghcr.io/org"),
        ("short", image("ghcr.io/Org"), "an image pattern has no upper-case letter"),
        ("short", image("ghcr.io/an org"), "an image pattern has no blank"),
        ("short", image("ghcr.io/org\n"), "an image pattern has no blank"),
        ("short", image("ghcr.io/o*g"), "* may stand only as a trailing /*"),
        ("short", image("ghcr.io/*/app"), "* may stand only as a trailing /*"),
        ("short", image("ghcr.io/org/app*"), "* may stand only as a trailing /*"),
        ("short", image("ghcr.io/org/**"), "* may stand only as a trailing /*"),
        ("short", image("ghcr.io/org/app:1"), "an image pattern has no tag and no digest"),
        ("short", image("ghcr.io/org/app@sha256:00"), "an image pattern has no tag and no digest"),
        ("short", image(""), "spec.images[0]"),
        ("short", requirement("Is", &json!(["a"])), "Unsupported value: \"Is\""),
        (
            "short",
            requirement("In", &json!([])),
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
        ("short", requirement("Exists", &json!(["a"])), "In and NotIn need values"),
        ("short", with("copyName", json!("Upper")), "spec.copyName in body should match"),
        ("short", with("copyName", json!("a..b")), "spec.copyName in body should match"),
        ("short", with("copyName", json!("-a")), "spec.copyName in body should match"),
        ("short", with("copyName", json!("c".repeat(254))), "spec.copyName"),
        (&*long, json!({"namespaces": ["*"]}), "set copyName or shorten the name"),
        (&*long, with("copyName", Value::Null), "set copyName or shorten the name"),
        ("short", with("secretRef", json!({"namespace": "a"})), "spec.secretRef.name: Required value"),
        ("short", with("secretRef", json!({"namespace": "", "name": "b"})), "spec.secretRef.namespace"),
        (
            "short",
            with("secretRef", json!({"namespace": "my ns", "name": "b"})),
            "spec.secretRef.namespace in body should match",
        ),
        (
            "short",
            with("secretRef", json!({"namespace": "a/../b", "name": "b"})),
            "spec.secretRef.namespace in body should match",
        ),
        (
            "short",
            with("secretRef", json!({"namespace": "a", "name": "b/c"})),
            "spec.secretRef.name in body should match",
        ),
        ("short", with("distribution", json!("Lazy")), "spec.distribution: Unsupported value: \"Lazy\""),
        ("short", with("conflict", json!("overwrite")), "spec.conflict: Unsupported value: \"overwrite\""),
        ("short", with("mode", json!("Off")), "spec.mode: Unsupported value: \"Off\""),
        (
            "short",
            with("moduleLabels", json!({})),
            "spec.moduleLabels in body should have at least 1 properties",
        ),
        ("short", with("moduleLabels", json!({"a": 1})), "spec.moduleLabels.a"),
        ("short", with("moduleLabels", json!({"a": "b c"})), "spec.moduleLabels.a in body should match"),
        ("short", with("moduleLabels", json!({"a b": "c"})), "a label key is a name of at most 63 letters"),
        ("short", with("mode", json!(true)), "spec.mode"),
    ];
    let mut wrong = Vec::new();
    for (name, spec, reason) in table {
        let answer = dry_run(&scene, &credential(name, &spec)).await;
        let message = answer.body["message"].as_str().unwrap_or_default();
        if answer.code != 422 || !message.contains(reason) {
            wrong.push(format!("{spec}: {} {message:?} instead of {reason:?}", answer.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_has_a_meaning_is_accepted() {
    let scene = Scene::enter().await;
    let long = "n".repeat(246);
    let table = [
        ("short", json!({"namespaces": ["*"]})),
        ("short", json!({"namespaces": ["team-a", "team-?", "*-dev", "0"]})),
        ("short", json!({"namespaceSelector": {}})),
        (
            "short",
            json!({"namespaceSelector": {"matchLabels": {"team": "a"}}, "excludeNamespaces": ["team-*"]}),
        ),
        ("short", requirement("NotIn", &json!(["a", "b"]))),
        ("short", requirement("DoesNotExist", &json!([]))),
        ("short", image("ghcr.io")),
        ("short", image("ghcr.io/org/team")),
        ("short", image("ghcr.io/org/*")),
        ("short", image("*.azurecr.io/org")),
        ("short", image("registry.example:5000/org")),
        ("short", image("docker.io/library")),
        ("short", with("copyName", json!("pull-secret.v1"))),
        ("short", with("copyName", json!("c".repeat(253)))),
        ("short", with("secretRef", json!({"namespace": "a", "name": "pull-secret.v1"}))),
        (&*"n".repeat(245), json!({"namespaces": ["*"]})),
        (&*long, with("copyName", json!("short"))),
        ("short", with("distribution", json!("OnDemand"))),
        ("short", with("distribution", json!("Eager"))),
        ("short", with("conflict", json!("Refuse"))),
        ("short", with("conflict", json!("Adopt"))),
        ("short", with("conflict", json!("Overwrite"))),
        ("short", with("mode", json!("Enforce"))),
        (
            "short",
            with("moduleLabels", json!({"operator.kyma-project.io/oci-registry-cred": "ghcr", "a": ""})),
        ),
        ("short", with("mode", json!("Audit"))),
    ];
    let mut wrong = Vec::new();
    for (name, spec) in table {
        let answer = dry_run(&scene, &credential(name, &spec)).await;
        if answer.code != 201 || answer.body["spec"] != stored(&credential(name, &spec)) {
            wrong.push(format!("{spec}: {} {}", answer.code, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_misspelt_field_is_refused_by_kubectl_and_never_stored() {
    let scene = Scene::enter().await;
    let misspelt = credential("misspelt", &with("exludeNamespaces", json!(["team-a"])));
    let refusal = scene.control_plane().apply_as(User::Admin, &misspelt.to_string()).await.failed();
    assert!(refusal.contains("unknown field \"spec.exludeNamespaces\""), "{refusal}");
    let object = dry_run(&scene, &misspelt).await.object();
    assert_eq!(object["spec"], stored(&credential("misspelt", &json!({"namespaces": ["*"]}))));
}

#[tokio::test]
async fn kubectl_get_regcred_prints_where_the_secret_comes_from() {
    let scene = Scene::enter().await;
    let (name, sources) = (unique("printed"), scene.namespace("printed").await);
    scene.create(&secrets(&sources), &registry_secret(&sources, "kept", &["printed.example"])).await;
    let spec = json!({"namespaces": ["printed"]});
    scene.create(CREDENTIALS, &registry_credential(&name, (&sources, "kept"), spec)).await;
    let printed = scene.control_plane().kubectl(&["get", "regcred", &name, "-o", "wide"]).await.succeeded();
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(&lines[0][lines[0].len() - 3..], ["NAMESPACE", "SECRET", "MESSAGE"]);
    assert_eq!(lines[1][0], name);
    assert!(lines[1].windows(2).any(|pair| pair == [&*sources, "kept"]), "{printed}");
    let explained = scene.control_plane().kubectl(&["explain", "regcred.spec.images"]).await.succeeded();
    assert!(explained.contains("Narrows the images it is for"), "{explained}");
}
