//! A real API server, asked with the rights of whoever runs the command.

use serde_json::json;

use super::command::{Run, refs};
use crate::harness::control_plane::Options;
use crate::harness::credentials::registry_secret;
use crate::harness::gardener::{credentials_binding, know_shoots, secret_binding, shoot};
use crate::harness::modules::{KEY, know_manifests, know_modules, manifest};
use crate::harness::{ControlPlane, User};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_asked_with_the_rights_of_whoever_runs_the_command() {
    let control_plane =
        ControlPlane::start(Options { controller_manager: false, ..Options::default() }).await;
    let asked = |user: User, secret: &str| -> Run { refs(&control_plane.kubeconfig(user), &[secret]) };

    let run = asked(User::Admin, "garden-dev/creds");
    assert_eq!((run.code, &*run.errors), (0, ""), "a cluster that knows no such kinds has no users: {run:?}");

    know_shoots(&control_plane).await;
    for namespace in ["garden-dev", "garden-core"] {
        control_plane.kubectl(&["create", "namespace", namespace]).await.succeeded();
    }
    let mut bound = shoot("garden-dev", "bound", &[]);
    bound["spec"]["credentialsBindingName"] = "account".into();
    let objects = [
        shoot("garden-dev", "user", &["other", "creds"]),
        bound,
        secret_binding("garden-core", "account", ("garden-core", "account")),
        credentials_binding("garden-dev", "account", ("garden-core", "account")),
    ];
    for object in objects {
        control_plane.apply(&object.to_string()).await;
    }
    let run = asked(User::Admin, "garden-dev/creds");
    assert_eq!(
        (run.code, &*run.output),
        (1, "Secret garden-dev/creds is in use:\n  Shoot garden-dev/user (spec.resources[1])\n"),
        "{run:?}"
    );
    let run = asked(User::Admin, "garden-core/account");
    assert_eq!(
        (run.code, &*run.output),
        (
            1,
            "Secret garden-core/account is in use:\n  \
             SecretBinding garden-core/account (secretRef)\n  \
             CredentialsBinding garden-dev/account (credentialsRef), named by Shoot garden-dev/bound \
             (spec.credentialsBindingName)\n"
        ),
        "{run:?}"
    );
    assert_eq!(asked(User::Admin, "garden-core/creds").code, 0, "a name is of one namespace");

    let mut secret = registry_secret("garden-dev", "creds", &["ghcr.io"]);
    secret["metadata"]["labels"] = json!({KEY: "modules"});
    control_plane.apply(&secret.to_string()).await;
    know_modules(&control_plane).await;
    know_manifests(&control_plane).await;
    control_plane.apply(&manifest("garden-core", "installed", "modules").to_string()).await;
    let run = asked(User::Admin, "garden-dev/creds");
    let selects = "Manifest garden-core/installed (spec.install.source.credSecretSelector, selects ";
    assert!(run.code == 1 && run.output.contains(selects), "{run:?}");
    assert!(run.output.contains("Shoot garden-dev/user (spec.resources[1])\n"), "{run:?}");
    assert_eq!(
        asked(User::Admin, "garden-core/account").errors,
        "",
        "a Secret that is not there has no labels"
    );

    let run = asked(User::Stranger, "garden-dev/creds");
    assert_eq!((run.code, &*run.output), (2, ""));
    assert!(run.errors.contains("you may not list SecretBindings"), "{}", run.errors);
}
