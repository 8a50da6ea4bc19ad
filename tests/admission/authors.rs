//! Who may write a `RegistryCredential`.

use serde_json::{Value, json};

use super::scene::{CREDENTIALS, Offer, Scene, secrets};
use crate::harness::User;
use crate::harness::control_plane::unique;
use crate::harness::credentials::{registry_credential, registry_secret};

/// A registry Secret in a namespace of its own, and a name for a credential that no one has written yet.
async fn secret_alone(scene: &Scene) -> Offer {
    let source = scene.namespace("authors").await;
    let credential = unique("authors");
    scene.create(&secrets(&source), &registry_secret(&source, "kept", &["authors.example"])).await;
    Offer { credential, registry: "authors.example".to_owned(), source: (source, "kept".to_owned()) }
}

fn document(offer: &Offer, namespaces: &[&str]) -> String {
    with(offer, json!({"namespaces": namespaces}))
}

fn with(offer: &Offer, spec: Value) -> String {
    let (source, secret) = (&*offer.source.0, &*offer.source.1);
    registry_credential(&offer.credential, (source, secret), spec).to_string()
}

/// Lets the author read that one Secret.
async fn let_read(scene: &Scene, offer: &Offer) {
    let (namespace, secret) = &offer.source;
    let of_group = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    let read_kept =
        json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]});
    let role = json!({"metadata": {"name": "read-kept"}, "rules": [read_kept]});
    scene.create(&format!("{of_group}/roles"), &role).await;
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": "read-kept"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "read-kept"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": User::Author.name()}],
    });
    scene.create(&format!("{of_group}/rolebindings"), &binding).await;
}

#[tokio::test]
async fn who_may_write_only_credentials_is_refused_until_they_may_read_the_secret() {
    let scene = Scene::enter().await;
    let offer = secret_alone(&scene).await;
    let document = document(&offer, &["team-a"]);
    let refusal = scene.control_plane().apply_as(User::Author, &document).await.failed();
    assert!(
        refusal.contains(&format!("user \"author\" may not get Secret {}/kept", offer.source.0)),
        "{refusal}"
    );
    assert!(refusal.contains("grant \"get\" on the Secret"), "{refusal}");
    assert!(refusal.contains("(Forbidden)") || refusal.contains("is forbidden"), "{refusal}");
    let path = format!("{CREDENTIALS}/{}", offer.credential);
    assert!(scene.get(&path).await.is_none());

    let_read(&scene, &offer).await;
    // The authorizer hears of a new binding a moment later.
    let admitted =
        async || (scene.control_plane().apply_as(User::Author, &document).await.code == 0).then_some(());
    scene.eventually("the author's credential", admitted).await;
    assert!(scene.get(&path).await.is_some());
}

#[tokio::test]
async fn metadata_may_be_changed_without_reading_the_secret_but_a_change_of_the_spec_is_judged_again() {
    let scene = Scene::enter().await;
    let offer = secret_alone(&scene).await;
    scene.control_plane().apply(&document(&offer, &["team-a"])).await;
    let label = ["label", "regcred", &offer.credential, "owner=author"];
    scene.control_plane().kubectl_as(User::Author, &label).await.succeeded();

    let same = scene.control_plane().apply_as(User::Author, &document(&offer, &["team-a"])).await;
    same.succeeded();
    let wider = scene.control_plane().apply_as(User::Author, &document(&offer, &["team-a", "team-b"])).await;
    let refusal = wider.failed();
    assert!(refusal.contains(&format!("may not get Secret {}/kept", offer.source.0)), "{refusal}");
    let delete = ["delete", "regcred", &offer.credential];
    scene.control_plane().kubectl_as(User::Author, &delete).await.succeeded();
}

/// A user who may write credentials, and read and update the Secrets of all namespaces.
const OVERWRITER: &str = "overwriter";

async fn let_overwrite(scene: &Scene) {
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let granted = json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "update"]},
        {"apiGroups": ["regcred.dev"], "resources": ["registrycredentials"], "verbs": ["*"]},
    ]);
    scene.create(roles, &json!({"metadata": {"name": OVERWRITER}, "rules": granted})).await;
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": OVERWRITER},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": OVERWRITER},
        "subjects": [{"apiGroup": group, "kind": "User", "name": OVERWRITER}],
    });
    scene.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
}

#[tokio::test]
async fn who_may_not_change_the_secrets_of_others_may_not_let_regcred_do_it() {
    let scene = Scene::enter().await;
    let offer = secret_alone(&scene).await;
    let_read(&scene, &offer).await;
    let refuse = with(&offer, json!({"namespaces": ["team-a"], "conflict": "Refuse"}));
    let admitted =
        async || (scene.control_plane().apply_as(User::Author, &refuse).await.code == 0).then_some(());
    scene.eventually("the author's credential", admitted).await;
    for conflict in ["Adopt", "Overwrite"] {
        let document = with(&offer, json!({"namespaces": ["team-a"], "conflict": conflict}));
        let refusal = scene.control_plane().apply_as(User::Author, &document).await.failed();
        let expected = format!(
            "user \"author\" may not update Secrets in all namespaces, which spec.conflict {conflict} lets regcred do"
        );
        assert!(refusal.contains(&expected), "{refusal}");
        assert!(
            refusal.contains("grant \"update\" on Secrets cluster-wide, or set conflict: Refuse"),
            "{refusal}"
        );
    }
    let_overwrite(&scene).await;
    for conflict in ["Adopt", "Overwrite"] {
        let document = with(&offer, json!({"namespaces": ["team-a"], "conflict": conflict}));
        let manifest = scene.control_plane().manifest(&document);
        let apply = ["apply", "-f", &manifest, &format!("--as={OVERWRITER}")];
        let admitted = async || (scene.control_plane().kubectl(&apply).await.code == 0).then_some(());
        scene.eventually("the credential of who may update all Secrets", admitted).await;
    }
}
