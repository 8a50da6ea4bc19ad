//! An installation that is disturbed: cut off, or without a right. It is not the one of the other tests.

use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::scene::{Scene, pods, pull_secrets};
use crate::harness::credentials::pod;
use crate::harness::network::Mode;
use crate::harness::{Installation, background};

const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/regcred";

/// The installation for one test at a time. Its servers log all they can.
async fn scene() -> (Scene, MutexGuard<'static, ()>) {
    static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let turn = ONE_AT_A_TIME.lock().await;
    let start = async || {
        background::spawn(async { Installation::start(&["--log-level=trace"]).await }).await.expect("a start")
    };
    (Scene::enter_on(INSTALLATION.get_or_init(start).await).await, turn)
}

/// How often the API server went on without an answer of ours.
async fn passed_without_us(scene: &Scene) -> f64 {
    let webhook = [("name", "inject-pull-secrets.regcred.dev")];
    scene.control_plane().metrics().await.sum("apiserver_admission_webhook_fail_open_count", &webhook)
}

#[tokio::test]
async fn while_no_server_answers_pods_come_up_without_the_name_which_later_ones_get_and_the_copy_comes() {
    let (scene, _turn) = scene().await;
    let namespace = scene.namespace("down").await;
    let offer = scene.offer(&namespace).await;
    let before = passed_without_us(&scene).await;
    for mode in [Mode::Refused, Mode::BlackHole] {
        for replica in scene.installation().replicas() {
            replica.backend().set_mode(mode);
        }
        let name = format!("{mode:?}").to_lowercase();
        let answer = scene.create_pod(&pod(&namespace, &name, &[&offer.image()])).await;
        assert!(pull_secrets(&answer.object()).is_empty(), "{mode:?}");
    }
    assert!(passed_without_us(&scene).await - before > 1.5, "the API server went on twice");
    // Nobody was asked about these pods, but the controller sees them, and what they need.
    scene.secret(&namespace, &offer.copy()).await;
    for replica in scene.installation().replicas() {
        replica.backend().set_mode(Mode::Open);
    }
    let injected = async || {
        let name = crate::harness::control_plane::unique("open");
        let stored = scene.create_pod(&pod(&namespace, &name, &[&offer.image()])).await.object();
        (pull_secrets(&stored) == [offer.copy()]).then_some(())
    };
    scene.eventually("a pod with the pull Secret", injected).await;
    for name in ["refused", "blackhole"] {
        let stored = scene.get(&format!("{}/{name}", pods(&namespace))).await.unwrap();
        assert!(pull_secrets(&stored).is_empty(), "{name}: nothing can be added to a pod that is there");
    }
}

#[tokio::test]
async fn a_copy_that_it_may_not_create_comes_when_it_may() {
    let (scene, _turn) = scene().await;
    let namespace = scene.namespace("forbidden").await;
    let offer = scene.offer(&namespace).await;
    let role = scene.get(ROLE).await.unwrap();
    let mut less = role["rules"].clone();
    for rule in less.as_array_mut().unwrap().iter_mut().filter(|rule| rule["resources"] == json!(["secrets"]))
    {
        rule["verbs"] = json!(["get", "list", "watch"]);
    }
    scene.merge(ROLE, &json!({"rules": less})).await;
    let may_create = async || {
        let arguments =
            ["auth", "can-i", "create", "secrets", "--as=system:serviceaccount:regcred-system:regcred"];
        scene.control_plane().kubectl(&arguments).await.code == 0
    };
    scene.eventually("the loss of the right", async || (!may_create().await).then_some(())).await;

    let answer = scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await;
    let expected = format!("pull Secret {} will be created later: User ", offer.copy());
    assert!(answer.warnings[0].starts_with(&expected), "{:?}", answer.warnings);
    assert_eq!(pull_secrets(&answer.object()), [offer.copy()]);
    assert!(scene.secret_names(&namespace).await.is_empty());

    scene.merge(ROLE, &json!({"rules": role["rules"]})).await;
    scene.secret(&namespace, &offer.copy()).await;
}

#[tokio::test]
async fn no_log_tells_a_password_however_much_is_logged() {
    let (scene, _turn) = scene().await;
    let namespace = scene.namespace("traced").await;
    let offer = scene.offer(&namespace).await;
    scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    for replica in scene.installation().replicas() {
        let log = replica.log();
        assert!(log.contains("\"TRACE\""), "{}", replica.name());
        super::trace::assert_tells_no_password(replica.name(), &log);
    }
}
