//! The admin port.

use crate::kit::{Authority, Mounted, Options, TestServer, issue, issue_until, plain};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_names_what_is_missing() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let server = TestServer::start(secret.path(), Options::default()).await;
    assert_eq!(plain(server.admin, "GET", "/readyz").await.status, 200);

    let namespaces = server.readiness.part("namespaces");
    let credentials = server.readiness.part("credentials");
    let answer = plain(server.admin, "GET", "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not ready: credentials, namespaces\n"));
    credentials.ready();
    let answer = plain(server.admin, "GET", "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not ready: namespaces\n"));
    // Alive all the time: a restart would not bring what is missing.
    assert_eq!(plain(server.admin, "GET", "/livez").await.status, 200);
    namespaces.ready();
    assert_eq!(plain(server.admin, "GET", "/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_answers_each_path_and_refuses_the_rest() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue_until(&authority, 2099));
    let server = TestServer::start(secret.path(), Options::default()).await;
    for (method, path, status) in [
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/version", 200),
        ("POST", "/livez", 405),
        ("DELETE", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/debug/pprof", 404),
    ] {
        assert_eq!(plain(server.admin, method, path).await.status, status, "{method} {path}");
    }
    let version = plain(server.admin, "GET", "/version").await;
    assert_eq!(version.header("content-type"), Some("application/json"));
    let version: serde_json::Value = serde_json::from_str(&version.body).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let metrics = plain(server.admin, "GET", "/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(metrics.body.contains("regcred_server_certificate_not_after_timestamp_seconds 4070908800"));
}
