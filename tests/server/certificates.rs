//! The certificate and its changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;

use crate::harness::load::{Client, Target, at_rate};
use crate::kit::{
    Authority, Leaf, Mounted, NAME, Options, TestServer, der, eventually, issue, issue_for, issue_until,
    served, trusting,
};

const RELOADED: &str = "regcred_server_certificate_reloads_total{result=\"success\"}";
const REFUSED: &str = "regcred_server_certificate_reloads_total{result=\"failure\"}";

fn target(authority: &Authority, server: &TestServer) -> Target {
    let address = server.webhook;
    Target {
        address: Box::new(move || address),
        server_name: ServerName::try_from(NAME).unwrap(),
        tls: trusting(authority, &[b"http/1.1"]),
        path: "/length?timeout=3s".to_owned(),
        body: Bytes::from(vec![b' '; 6400]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_fail_no_request_and_the_newest_certificate_is_served() {
    let authority = Authority::new("the tests' authority");
    let mounted = Mounted::new(&issue(&authority));
    let mut options = Options::default();
    // Connections are renewed all the time, so that many handshakes meet the swaps.
    options.limits.connection_age = Duration::from_millis(200);
    options.limits.connection_age_jitter = Duration::from_millis(100);
    let server = TestServer::start(mounted.path(), options).await;
    let client = Client::new(target(&authority, &server));
    client.warm().await;
    let done = Arc::new(AtomicBool::new(false));
    let enough = Arc::clone(&done);
    let load = tokio::spawn({
        let client = Arc::clone(&client);
        async move { at_rate(&client, 100, |_| enough.load(Ordering::Relaxed)).await }
    });
    for swap in 1..=5 {
        let newest = issue(&authority);
        mounted.secret.update(&newest);
        server.metric_becomes(RELOADED, f64::from(swap)).await;
        assert_eq!(served(server.webhook, &authority).await, der(&newest.certificate));
    }
    done.store(true, Ordering::Relaxed);
    let report = load.await.unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.answered > 50, "{report}");
    assert!(report.connections_made > 40, "{report}");
    assert!((server.metric(REFUSED) - 0.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_that_cannot_be_served_keeps_the_one_before_it() {
    let authority = Authority::new("the tests' authority");
    let first = issue(&authority);
    let mounted = Mounted::new(&first);
    let server = TestServer::start(mounted.path(), Options::default()).await;
    let (other, expired) = (issue(&authority), issue_until(&authority, 2020));
    let bad = [
        ("a key of another certificate", &other.certificate, first.key.as_str()),
        ("an expired certificate", &expired.certificate, expired.key.as_str()),
        ("no certificate", &String::new(), other.key.as_str()),
        ("no PEM", &"-----BEGIN CERTIFICATE-----\n!\n".to_owned(), other.key.as_str()),
        ("no key", &other.certificate, "not a key"),
    ];
    for (count, (what, certificate, key)) in (1_u32..).zip(bad) {
        mounted.secret.update(&Leaf { certificate: certificate.clone(), key: key.to_owned() });
        server.metric_becomes(REFUSED, f64::from(count)).await;
        assert_eq!(served(server.webhook, &authority).await, der(&first.certificate), "{what}");
    }
    // A good one is taken after all of them.
    mounted.secret.update(&other);
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, der(&other.certificate));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_written_in_place_are_picked_up_and_half_of_it_is_not() {
    let authority = Authority::new("the tests' authority");
    let (first, second) = (issue(&authority), issue(&authority));
    let directory = tempfile::tempdir().unwrap();
    write_in_place(directory.path(), &first);
    let server = TestServer::start(directory.path(), Options::default()).await;
    // A writer that stops half-way leaves a torn pair.
    fs::write(directory.path().join("tls.crt"), &second.certificate).unwrap();
    server.metric_becomes(REFUSED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, der(&first.certificate));
    fs::write(directory.path().join("tls.key"), &second.key).unwrap();
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, der(&second.certificate));
    // Both at once are one change.
    write_in_place(directory.path(), &first);
    server.metric_becomes(RELOADED, 2.0).await;
    assert_eq!(served(server.webhook, &authority).await, der(&first.certificate));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nothing_announces_is_found_by_the_poll() {
    let authority = Authority::new("the tests' authority");
    let (first, second) = (issue(&authority), issue(&authority));
    let mounted = Mounted::new(&first);
    let options = Options { poll: Duration::from_millis(100), ..Options::default() };
    let server = TestServer::start(mounted.path(), options).await;
    // Below `..data` no event reaches the watch on the directory itself.
    write_in_place(&fs::canonicalize(mounted.path().join("..data")).unwrap(), &second);
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, der(&second.certificate));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_good_certificate_does_not_begin_and_says_what_to_do() {
    let authority = Authority::new("the tests' authority");
    let (good, expired) = (issue(&authority), issue_until(&authority, 2020));
    let mismatch = Leaf { key: issue(&authority).key, ..good.clone() };
    let broken = Leaf { certificate: "nothing".to_owned(), ..good.clone() };
    for (pair, expected) in [
        (mismatch, "does not belong to the certificate"),
        (expired, "expired at 2020-01-01T00:00:00Z; issue a new one"),
        (broken, "holds no usable certificate"),
    ] {
        let mounted = Mounted::new(&pair);
        let error =
            TestServer::try_start(mounted.path(), Options::default()).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("PRIVATE KEY"), "{error}");
    }
    let missing = TestServer::try_start(Path::new("/nowhere"), Options::default()).await.err().unwrap();
    assert!(missing.to_string().contains("--tls-directory"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_certificate_expires_is_not_ready_until_it_has_a_new_one() {
    let authority = Authority::new("the tests' authority");
    let mounted = Mounted::new(&issue_for(&authority, Duration::from_secs(2)));
    let options = Options { poll: Duration::from_millis(50), ..Options::default() };
    let server = TestServer::start(mounted.path(), options).await;
    assert!(server.readiness.missing().is_empty());
    eventually("the certificate has expired", || server.readiness.missing() == ["certificate"]).await;
    let fresh = issue(&authority);
    mounted.secret.update(&fresh);
    eventually("ready again", || server.readiness.missing().is_empty()).await;
    assert_eq!(served(server.webhook, &authority).await, der(&fresh.certificate));
}

fn write_in_place(directory: &Path, pair: &Leaf) {
    fs::write(directory.join("tls.crt"), &pair.certificate).unwrap();
    fs::write(directory.join("tls.key"), &pair.key).unwrap();
}
