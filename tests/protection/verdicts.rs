//! What kubectl says, and what stays.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::gardener::{credentials_binding, secret_binding, shoot};
use crate::harness::{Installation, User};
use crate::scene::{
    HELD, Kubectl, SOON, caching, credentials, eventually, installation, is_marked, mutable, reservations,
};

async fn kubectl(prefix: &str) -> Kubectl<'static> {
    Kubectl::new(installation().await.control_plane(), prefix).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_says_which_shoot_uses_the_secret_and_what_to_do() {
    let kubectl = kubectl("used").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.apply(&caching(namespace, "crazy-botany", "creds")).await.succeeded();
    let expected = format!(
        "Error from server (Forbidden): admission webhook \"secrets-in-use.regcred.dev\" denied the request: Secret \
         {namespace}/creds is still used by Shoot {namespace}/crazy-botany (spec.resources[0], registry-cache upstream \
         docker.io); point the Shoot at another Secret first\n"
    );
    assert_eq!(kubectl.delete_secret("creds").await.failed(), expected);
    let dry_run = kubectl.run(&["delete", "secret", "creds", "--dry-run=server"]).await.failed();
    assert_eq!(dry_run, expected);
}

/// The API server stores `managedFields` that no parser with a limit of depth reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_hard_to_read_stays_as_well_and_keeps_no_other_from_being_let_go() {
    let kubectl = kubectl("deep").await;
    let namespace = kubectl.namespace.as_str();
    let mut deep = credentials(namespace, "deep");
    let fields = (0..200).fold(json!({}), |fields, _| json!({"f:a": fields}));
    deep["metadata"]["managedFields"] = json!([{
        "manager": "somebody", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": fields},
    }]);
    kubectl.with(&["create"], &deep).await.succeeded();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    for (shoot_name, secret) in [("one", "deep"), ("two", "creds")] {
        kubectl.apply(&shoot(namespace, shoot_name, &[secret])).await.succeeded();
    }
    let told = kubectl.delete_secret("deep").await.failed();
    assert!(told.contains(&format!("is still used by Shoot {namespace}/one")), "{told}");
    kubectl.run(&["delete", "shoot", "two"]).await.succeeded();
    kubectl.until("creds", "unmarked", |secret| !is_marked(secret)).await;
    kubectl.run(&["delete", "shoot", "one"]).await.succeeded();
    let stays =
        kubectl.run(&["get", "secret", "deep", "-o", "json", "--show-managed-fields"]).await.succeeded();
    assert!(stays.contains(&"\"f:a\": {".to_owned()), "the API server has kept them: {stays}");
    kubectl.delete_secret("deep").await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_shoots_take_up_one_secret_at_once_and_five_are_named() {
    let kubectl = kubectl("fifty").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    let create = async |number: usize| {
        kubectl.with(&["create"], &shoot(namespace, &format!("shoot-{number:02}"), &["creds"])).await
    };
    for created in join_all((0..50).map(create)).await {
        created.succeeded();
    }
    let told = kubectl.delete_secret("creds").await.failed();
    assert_eq!(told.matches(&format!("Shoot {namespace}/shoot-")).count(), 5, "{told}");
    assert!(told.contains(" more; point them at another Secret first"), "{told}");
    let without = |secret: &Value| reservations(secret).is_empty();
    kubectl.until("creds", "without reservations", without).await;
    let told = kubectl.delete_secret("creds").await.failed();
    assert!(told.contains(" and 45 more; point them at another Secret first"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_cannot_take_up_what_is_missing_going_or_marked_to_go() {
    let kubectl = kubectl("missing").await;
    let namespace = kubectl.namespace.as_str();
    let missing = kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.failed();
    assert!(
        missing.contains(&format!("Secret {namespace}/creds (spec.resources[0]) does not exist")),
        "{missing}"
    );

    let mut secret = credentials(namespace, "creds");
    secret["metadata"]["finalizers"] = json!(["example.com/held"]);
    kubectl.apply(&secret).await.succeeded();
    kubectl.delete_secret("creds").await.succeeded();
    let going = kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.failed();
    assert!(going.contains("is being deleted"), "{going}");
    kubectl.patch("secret", "creds", &json!({"metadata": {"finalizers": []}})).await.succeeded();

    let mut secret = credentials(namespace, "creds");
    secret["metadata"]["annotations"] = json!({"regcred.dev/allow-deletion": "it goes"});
    kubectl.apply(&secret).await.succeeded();
    let marked = kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.failed();
    assert!(marked.contains("regcred.dev/allow-deletion"), "{marked}");
    assert!(!is_marked(&kubectl.secret("creds").await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_shoot_leaves_nothing_on_the_secret() {
    let kubectl = kubectl("dry-run").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.with(&["create", "--dry-run=server"], &caching(namespace, "shoot", "creds")).await.succeeded();
    let refused = kubectl.with(&["create", "--dry-run=server"], &caching(namespace, "shoot", "other")).await;
    assert!(refused.failed().contains("secrets \"other\" not found"));
    let secret = kubectl.secret("creds").await.unwrap();
    assert!(!is_marked(&secret) && reservations(&secret).is_empty(), "{secret}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_keeps_the_marks_and_gardeners_finalizer_stays_for_all_but_its_controller() {
    let kubectl = kubectl("replaced").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&mutable(namespace, "creds")).await.succeeded();
    kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.succeeded();
    kubectl.with(&["replace"], &mutable(namespace, "creds")).await.succeeded();
    assert!(is_marked(&kubectl.secret("creds").await.unwrap()));
    let unlabelled = json!({"metadata": {"labels": {"regcred.dev/in-use": null, "team": "b"}}});
    kubectl.patch("secret", "creds", &unlabelled).await.succeeded();
    let secret = kubectl.secret("creds").await.unwrap();
    assert!(is_marked(&secret) && secret["metadata"]["labels"]["team"] == "b", "{secret}");

    let finalizers = |names: Value| json!({"metadata": {"finalizers": names}});
    kubectl.patch("secret", "creds", &finalizers(json!([HELD, "example.com/held"]))).await.succeeded();
    let stripped = kubectl.patch("secret", "creds", &finalizers(json!(["example.com/held"]))).await.failed();
    assert!(stripped.contains(&format!("is still used by Shoot {namespace}/shoot")), "{stripped}");
    let strip = finalizers(json!(["example.com/held"]));
    kubectl.patch_as_controller("creds", &strip).await.succeeded();
    kubectl.patch("secret", "creds", &finalizers(json!([HELD]))).await.succeeded();
    kubectl.run(&["delete", "shoot", "shoot"]).await.succeeded();
    kubectl.patch("secret", "creds", &finalizers(json!([]))).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_that_matters_passes() {
    let kubectl = kubectl("passing").await;
    let namespace = kubectl.namespace.as_str();
    for name in ["creds", "going"] {
        kubectl.apply(&credentials(namespace, name)).await.succeeded();
    }
    let mut held = shoot(namespace, "shoot", &["creds", "going"]);
    held["metadata"]["finalizers"] = json!(["gardener"]);
    kubectl.apply(&held).await.succeeded();
    // Metadata of what is immutable.
    kubectl
        .patch("secret", "creds", &json!({"metadata": {"labels": {"a": "b"}, "finalizers": [HELD]}}))
        .await
        .succeeded();
    let settled = |secret: &Value| reservations(secret).is_empty();
    kubectl.until("going", "without reservations", settled).await;
    // A Shoot that is being deleted.
    kubectl.run(&["delete", "shoot", "shoot", "--wait=false"]).await.succeeded();
    let still = kubectl.delete_secret("creds").await.failed();
    assert!(still.contains("is still used by Shoot"), "its deletion needs the Secret: {still}");
    kubectl.patch("shoot", "shoot", &json!({"metadata": {"labels": {"a": "b"}}})).await.succeeded();
    kubectl.patch("shoot", "shoot", &json!({"metadata": {"finalizers": []}})).await.succeeded();
    // A Secret that is being deleted.
    let on_hold = json!({"metadata": {"finalizers": ["example.com/held"]}});
    kubectl.patch("secret", "going", &on_hold).await.succeeded();
    kubectl.delete_secret("going").await.succeeded();
    kubectl.delete_secret("going").await.succeeded();
    kubectl.patch("secret", "going", &json!({"metadata": {"finalizers": []}})).await.succeeded();
    assert!(kubectl.secret("going").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_many_stops_at_the_one_in_use() {
    let kubectl = kubectl("collection").await;
    let namespace = kubectl.namespace.as_str();
    for name in ["a-free", "b-used", "c-free"] {
        kubectl.apply(&credentials(namespace, name)).await.succeeded();
    }
    kubectl.apply(&shoot(namespace, "shoot", &["b-used"])).await.succeeded();
    let all = format!("/api/v1/namespaces/{namespace}/secrets");
    let told = kubectl.run(&["delete", "--raw", &all]).await.failed();
    assert!(told.contains(&format!("Secret {namespace}/b-used is still used by Shoot")), "{told}");
    let there = async |name: &str| kubectl.secret(name).await.is_some();
    assert_eq!((there("a-free").await, there("b-used").await, there("c-free").await), (false, true, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_once_its_shoot_is_gone_and_the_secret_stays_until_then() {
    let kubectl = kubectl("ending").await;
    let namespace = kubectl.namespace.as_str();
    for name in ["free", "used"] {
        kubectl.apply(&credentials(namespace, name)).await.succeeded();
    }
    let mut held = shoot(namespace, "shoot", &["used"]);
    held["metadata"]["finalizers"] = json!(["gardener"]);
    kubectl.apply(&held).await.succeeded();
    kubectl.run(&["delete", "namespace", namespace, "--wait=false"]).await.succeeded();
    let is_told = async || {
        let answer = kubectl.run(&["get", "namespace", namespace, "-o", "json"]).await.json();
        answer["status"]["conditions"].to_string().contains("is still used by Shoot")
    };
    eventually("the namespace says why it is still there", SOON, is_told).await;
    assert!(kubectl.secret("used").await.is_some());
    kubectl.patch("shoot", "shoot", &json!({"metadata": {"finalizers": []}})).await.succeeded();
    let gone = format!("namespace/{namespace}");
    kubectl.run(&["wait", "--for=delete", &gone, "--timeout=120s"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_hold_secrets_of_other_namespaces_used_or_not() {
    let kubectl = kubectl("bindings").await;
    let namespace = kubectl.namespace.as_str();
    let core = kubectl.control_plane.namespace("core").await;
    kubectl.apply(&credentials(&core, "account")).await.succeeded();
    let dangling = secret_binding(namespace, "dangling", (&core, "missing"));
    let told = kubectl.apply(&dangling).await.failed();
    assert!(told.contains(&format!("Secret {core}/missing (secretRef) does not exist")), "{told}");
    kubectl.apply(&secret_binding(namespace, "old", (&core, "account"))).await.succeeded();
    kubectl.apply(&credentials_binding(namespace, "new", (&core, "account"))).await.succeeded();
    let delete = ["delete", "secret", "account", "--namespace", &core, "--wait=false"];
    let told = kubectl.control_plane.kubectl(&delete).await.failed();
    for named in
        [format!("SecretBinding {namespace}/old (secretRef)"), format!("CredentialsBinding {namespace}/new")]
    {
        assert!(told.contains(&named), "{told}");
    }
    let mut unbound = shoot(namespace, "shoot", &[]);
    unbound["spec"]["secretBindingName"] = "nowhere".into();
    let warned = kubectl.apply(&unbound).await;
    assert!(warned.code == 0 && warned.stderr.contains("Warning: "), "{}", warned.stderr);
    for (kind, name) in [("secretbinding", "old"), ("credentialsbinding", "new")] {
        kubectl.run(&["delete", kind, name]).await.succeeded();
    }
    // They may have gone before the leader has looked at them once: then the watch must have shown that.
    let goes = async || kubectl.control_plane.kubectl(&delete).await.code == 0;
    eventually("the Secret may go, long before the reservations' time is over", SOON, goes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_that_goes_as_soon_as_it_has_come_holds_its_secret_no_longer() {
    let kubectl = kubectl("brief").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    for _ in 0..5 {
        kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.succeeded();
        kubectl.run(&["delete", "shoot", "shoot"]).await.succeeded();
    }
    let goes = async || kubectl.delete_secret("creds").await.code == 0;
    eventually("the Secret may go, long before the reservations' time is over", SOON, goes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kymas_request_for_a_registry_cache_holds_its_secret() {
    let kubectl = kubectl("kyma").await;
    let namespace = kubectl.namespace.as_str();
    let request = |secret: &str| {
        json!({
            "apiVersion": "core.kyma-project.io/v1beta1", "kind": "RegistryCacheConfig",
            "metadata": {"namespace": namespace, "name": "cache"},
            "spec": {"upstream": "docker.io", "secretReferenceName": secret},
        })
    };
    kubectl.apply(&mutable(namespace, "mutable")).await.succeeded();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    let refused = kubectl.apply(&request("mutable")).await.failed();
    assert!(refused.contains("should be immutable"), "{refused}");
    kubectl.apply(&request("creds")).await.succeeded();
    let told = kubectl.delete_secret("creds").await.failed();
    assert!(
        told.contains(&format!("RegistryCacheConfig {namespace}/cache (spec.secretReferenceName)")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_lets_a_secret_in_use_go() {
    let kubectl = kubectl("bypass").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.succeeded();
    let allow = json!({"metadata": {"annotations": {"regcred.dev/allow-deletion": "the Shoot is stuck"}}});
    kubectl.patch("secret", "creds", &allow).await.succeeded();
    let delete = ["delete", "secret", "creds", "--namespace", namespace, "--wait=false"];
    let told = kubectl.control_plane.kubectl_as(User::Developer, &delete).await.failed();
    assert!(told.contains("only for whoever may bypass secretprotections.regcred.dev"), "{told}");
    let rules =
        json!([{"apiGroups": ["regcred.dev"], "resources": ["secretprotections"], "verbs": ["bypass"]}]);
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
         "metadata": {"namespace": namespace, "name": "bypass"}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
         "metadata": {"namespace": namespace, "name": "bypass"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "bypass"},
         "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "developer"}]},
    ]});
    kubectl.apply(&objects).await.succeeded();
    let gone = kubectl.control_plane.kubectl_as(User::Developer, &delete).await;
    assert!(gone.code == 0 && gone.stderr.contains("Warning: "), "{}", gone.stderr);
    assert!(kubectl.secret("creds").await.is_none());
    let is_told = async || {
        let events = kubectl.run(&["get", "events", "-o", "json"]).await.succeeded();
        events.contains("ProtectionBypassed") && events.contains("Deleted by developer")
    };
    eventually("an Event tells who deleted it", SOON, is_told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_created_under_a_name_that_is_pointed_to_is_marked() {
    let kubectl = kubectl("again").await;
    let namespace = kubectl.namespace.as_str();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.succeeded();
    let allow = json!({"metadata": {"annotations": {"regcred.dev/allow-deletion": "to be written anew"}}});
    kubectl.patch("secret", "creds", &allow).await.succeeded();
    kubectl.delete_secret("creds").await.succeeded();
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    kubectl.until("creds", "marked", is_marked).await;
    let told = kubectl.delete_secret("creds").await.failed();
    assert!(told.contains("is still used by Shoot"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_come_later_and_what_points_to_secrets_from_before_are_found() {
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    control_plane.kubectl(&["delete", "validatingwebhookconfiguration", "regcred"]).await.succeeded();
    let kubectl = Kubectl::new(control_plane, "before").await;
    let namespace = kubectl.namespace.as_str();
    crate::harness::gardener::know_shoots(control_plane).await;
    kubectl.apply(&credentials(namespace, "creds")).await.succeeded();
    // A removed webhook is asked for about a second more.
    let is_created = async || kubectl.apply(&shoot(namespace, "shoot", &["creds"])).await.code == 0;
    eventually("a Shoot that nobody is asked about", SOON, is_created).await;
    // It looks for kinds that it does not know twice a minute.
    let is_found = async || is_marked(&kubectl.secret("creds").await.unwrap());
    eventually("the Secret is marked", SOON * 3, is_found).await;
    control_plane
        .kubectl(&["apply", "-k", crate::harness::overlays::manifests().to_str().unwrap()])
        .await
        .succeeded();
    let is_refused = async || {
        let told = kubectl.run(&["delete", "secret", "creds", "--dry-run=server"]).await;
        told.code != 0 && told.stderr.contains("is still used by Shoot")
    };
    eventually("its deletion is refused", SOON, is_refused).await;
}
