//! The certificate and its changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;

use crate::kit::{Authority, MountedSecret, NAME, Options, Pair, TestServer, served};
use crate::load::{Client, Target, at_rate};

const RELOADED: &str = "regcred_server_certificate_reloads_total{result=\"success\"}";
const REFUSED: &str = "regcred_server_certificate_reloads_total{result=\"failure\"}";

fn target(authority: &Authority, server: &TestServer) -> Target {
    let address = server.webhook;
    Target {
        address: Box::new(move || address),
        server_name: ServerName::try_from(NAME).unwrap(),
        tls: authority.client(&[b"http/1.1"]),
        path: "/length?timeout=3s".to_owned(),
        body: Bytes::from(vec![b' '; 6400]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_fail_no_request_and_the_newest_certificate_is_served() {
    let authority = Authority::new();
    let secret = MountedSecret::new(&authority.issue());
    let mut options = Options::default();
    // Connections are renewed all the time, so that many handshakes meet the swaps.
    options.limits.connection_age = Duration::from_millis(100);
    options.limits.connection_age_jitter = Duration::from_millis(100);
    let server = TestServer::start(secret.path(), options).await;
    let client = Client::new(target(&authority, &server));
    client.warm().await;
    let done = Arc::new(AtomicBool::new(false));
    let enough = Arc::clone(&done);
    let load = tokio::spawn({
        let client = Arc::clone(&client);
        async move { at_rate(&client, 300, |_| enough.load(Ordering::Relaxed)).await }
    });
    for swap in 1..=5 {
        let newest = authority.issue();
        secret.swap(&newest.certificate, &newest.key);
        server.metric_becomes(RELOADED, f64::from(swap)).await;
        assert_eq!(served(server.webhook, &authority).await, newest.der);
    }
    done.store(true, Ordering::Relaxed);
    let report = load.await.unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.answered > 100, "{report}");
    assert!(report.connections_made > 50, "{report}");
    assert!((server.metric(REFUSED) - 0.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_that_cannot_be_served_keeps_the_one_before_it() {
    let authority = Authority::new();
    let first = authority.issue();
    let secret = MountedSecret::new(&first);
    let server = TestServer::start(secret.path(), Options::default()).await;
    let (other, expired) = (authority.issue(), authority.issue_until(2020));
    let bad = [
        (
            "a key of another certificate",
            &other.certificate,
            first.key.as_str(),
        ),
        (
            "an expired certificate",
            &expired.certificate,
            expired.key.as_str(),
        ),
        ("no certificate", &String::new(), other.key.as_str()),
        (
            "no PEM",
            &"-----BEGIN CERTIFICATE-----\n!\n".to_owned(),
            other.key.as_str(),
        ),
        ("no key", &other.certificate, "not a key"),
    ];
    for (count, (what, certificate, key)) in (1_u32..).zip(bad) {
        secret.swap(certificate, key);
        server.metric_becomes(REFUSED, f64::from(count)).await;
        assert_eq!(served(server.webhook, &authority).await, first.der, "{what}");
    }
    // A good one is taken after all of them.
    secret.swap(&other.certificate, &other.key);
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, other.der);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_written_in_place_are_picked_up_and_half_of_it_is_not() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    let directory = tempfile::tempdir().unwrap();
    write_in_place(directory.path(), &first);
    let server = TestServer::start(directory.path(), Options::default()).await;
    // A writer that stops half-way leaves a torn pair.
    fs::write(directory.path().join("tls.crt"), &second.certificate).unwrap();
    server.metric_becomes(REFUSED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, first.der);
    fs::write(directory.path().join("tls.key"), &second.key).unwrap();
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, second.der);
    // Both at once are one change.
    write_in_place(directory.path(), &first);
    server.metric_becomes(RELOADED, 2.0).await;
    assert_eq!(served(server.webhook, &authority).await, first.der);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nothing_announces_is_found_by_the_poll() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    let secret = MountedSecret::new(&first);
    let options = Options {
        poll: Duration::from_millis(100),
        ..Options::default()
    };
    let server = TestServer::start(secret.path(), options).await;
    // Below `..data` no event reaches the watch on the directory itself.
    write_in_place(&fs::canonicalize(secret.path().join("..data")).unwrap(), &second);
    server.metric_becomes(RELOADED, 1.0).await;
    assert_eq!(served(server.webhook, &authority).await, second.der);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_good_certificate_does_not_begin_and_says_what_to_do() {
    let authority = Authority::new();
    let (good, expired) = (authority.issue(), authority.issue_until(2020));
    let mismatch = Pair {
        key: authority.issue().key,
        ..good.clone()
    };
    let broken = Pair {
        certificate: "nothing".to_owned(),
        ..good.clone()
    };
    for (pair, expected) in [
        (mismatch, "does not belong to the certificate"),
        (expired, "expired at 2020-01-01T00:00:00Z; issue a new one"),
        (broken, "holds no usable certificate"),
    ] {
        let secret = MountedSecret::new(&pair);
        let error = TestServer::try_start(secret.path(), Options::default())
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("PRIVATE KEY"), "{error}");
    }
    let missing = TestServer::try_start(Path::new("/nowhere"), Options::default())
        .await
        .err()
        .unwrap();
    assert!(missing.to_string().contains("--tls-directory"), "{missing}");
}

fn write_in_place(directory: &Path, pair: &Pair) {
    fs::write(directory.join("tls.crt"), &pair.certificate).unwrap();
    fs::write(directory.join("tls.key"), &pair.key).unwrap();
}
