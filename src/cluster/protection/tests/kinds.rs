//! Which kinds are served, and how long that is believed.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::server::Server;
use crate::cluster::protection::{Kinds, Trust};
use crate::model::reference::ReferrerKind::Shoot;

/// The version that is found; `None` if the kind is not served.
async fn version(kinds: &Kinds, trust: Trust) -> Option<String> {
    kinds.find(&Shoot, trust).await.unwrap().map(|resource| resource.api_version)
}

#[tokio::test(start_paused = true)]
async fn a_served_kind_is_remembered_until_it_is_said_not_to_be_served_so() {
    let server = Server::with_shoots("v1beta1");
    let inquiry = server.inquiry(&[]);
    let kinds = inquiry.kinds();
    for trust in [Trust::Remembered, Trust::Fresh] {
        assert_eq!(version(kinds, trust).await.as_deref(), Some("core.gardener.cloud/v1beta1"));
        sleep(Duration::from_hours(1)).await;
    }
    assert_eq!(server.requests("/apis").len(), 2, "of the group and of its version");
    server.serve("v1");
    assert_eq!(version(kinds, Trust::Fresh).await.as_deref(), Some("core.gardener.cloud/v1beta1"));
    kinds.forget(&Shoot);
    assert_eq!(version(kinds, Trust::Remembered).await.as_deref(), Some("core.gardener.cloud/v1"));
}

#[tokio::test(start_paused = true)]
async fn an_absent_kind_is_believed_for_a_while_by_who_risks_little() {
    let server = Server::default();
    let inquiry = server.inquiry(&[]);
    let kinds = inquiry.kinds();
    assert_eq!(version(kinds, Trust::Remembered).await, None);
    server.serve("v1beta1");
    sleep(Duration::from_secs(29)).await;
    assert_eq!(version(kinds, Trust::Remembered).await, None);
    assert_eq!(server.requests("/apis").len(), 1);
    sleep(Duration::from_secs(1)).await;
    assert!(version(kinds, Trust::Remembered).await.is_some());
}

#[tokio::test]
async fn an_absent_kind_is_not_believed_by_who_asks_anew() {
    let server = Server::default();
    let inquiry = server.inquiry(&[]);
    let kinds = inquiry.kinds();
    assert_eq!(version(kinds, Trust::Fresh).await, None);
    server.serve("v1beta1");
    assert!(version(kinds, Trust::Fresh).await.is_some());
}

#[tokio::test]
async fn a_group_that_cannot_be_asked_is_not_absent_and_nothing_is_remembered_of_that() {
    for path in ["/apis/core.gardener.cloud", "/apis/core.gardener.cloud/v1beta1"] {
        for code in [403, 429, 500, 503] {
            let server = Server::with_shoots("v1beta1");
            server.refuse(path, code, "not now");
            let inquiry = server.inquiry(&[]);
            let kinds = inquiry.kinds();
            assert!(kinds.find(&Shoot, Trust::Remembered).await.is_err(), "{path} {code}");
            server.serve("v1beta1");
            assert!(version(kinds, Trust::Remembered).await.is_some(), "{path} {code}");
        }
    }
}

#[tokio::test]
async fn the_newest_version_that_has_the_kind_is_taken() {
    let server = Server::with_shoots("v1alpha1");
    let version_of = |name| json!({"groupVersion": format!("core.gardener.cloud/{name}"), "version": name});
    let versions = ["v1alpha1", "v2", "v1"].map(version_of);
    server.say(
        "/apis/core.gardener.cloud",
        200,
        json!({"name": "core.gardener.cloud", "versions": versions}),
    );
    let others = json!({"groupVersion": "core.gardener.cloud/v1", "resources": []});
    server.say("/apis/core.gardener.cloud/v1", 200, others);
    let inquiry = server.inquiry(&[]);
    let kinds = inquiry.kinds();
    assert_eq!(version(kinds, Trust::Fresh).await.as_deref(), Some("core.gardener.cloud/v1alpha1"));
    let asked = server.requests("/apis/core.gardener.cloud/");
    let order = ["v2", "v1", "v1alpha1"].map(|name| format!("GET /apis/core.gardener.cloud/{name}"));
    assert_eq!(asked, order);
}
