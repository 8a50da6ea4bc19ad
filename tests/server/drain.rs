//! The end of a server, and the change from one to the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use regcred::server::Ended;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::load::{Client, Target, at_rate};
use crate::kit::{
    Authority, Mounted, NAME, Options, TestServer, connect, eventually, exchange, issue, plain, post,
    read_answer, trusting,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_is_unready_at_once_and_still_answers_through_the_pause() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let options = Options { drain_pause: Duration::from_secs(2), ..Options::default() };
    let server = TestServer::start(secret.path(), options).await;
    let tls = trusting(&authority, &[b"http/1.1"]);
    let mut open = connect(server.webhook, Arc::clone(&tls)).await.unwrap();
    assert_eq!(exchange(&mut open, post("/length", 0).as_bytes()).await.unwrap().header("connection"), None);
    let mut idle = connect(server.webhook, Arc::clone(&tls)).await.unwrap();

    server.shutdown.request();
    eventually("not ready", || !server.readiness.missing().is_empty()).await;
    let answer = plain(server.admin, "GET", "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not ready: draining\n"));
    let answer = exchange(&mut open, post("/length", 0).as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    let mut new = connect(server.webhook, Arc::clone(&tls)).await.unwrap();
    let answer = exchange(&mut new, post("/length", 0).as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));

    // A review under way when the pause ends is answered.
    let mut late = connect(server.webhook, Arc::clone(&tls)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1600)).await;
    late.write_all(post("/slow", 0).as_bytes()).await.unwrap();
    let answer = read_answer(&mut late).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    // The idle connection is ended last, in order.
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(server.webhook).await.is_err());
    drop((open, new, late, idle));
    assert_eq!(server.ended().await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_taken_just_before_the_listener_closes_is_served() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let options = Options { drain_pause: Duration::ZERO, ..Options::default() };
    let server = TestServer::start(secret.path(), options).await;
    let mut unused = connect(server.webhook, trusting(&authority, &[b"http/1.1"])).await.unwrap();
    server.shutdown.request();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(TcpStream::connect(server.webhook).await.is_err());
    let answer = exchange(&mut unused, post("/length", 0).as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    drop(unused);
    assert_eq!(server.ended().await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_answered_within_the_drain_is_cut() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let options = Options {
        drain_pause: Duration::ZERO,
        drain_timeout: Duration::from_millis(300),
        ..Options::default()
    };
    let server = TestServer::start(secret.path(), options).await;
    let mut stuck = connect(server.webhook, trusting(&authority, &[b"http/1.1"])).await.unwrap();
    stuck.write_all(post("/stuck", 0).as_bytes()).await.unwrap();
    server.metric_becomes("regcred_server_requests_in_flight", 1.0).await;
    server.shutdown.request();
    assert_eq!(server.ended().await, Ended::Cut { connections: 1 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_to_stop_ends_at_once() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let options = Options { drain_pause: Duration::from_mins(1), ..Options::default() };
    let server = TestServer::start(secret.path(), options).await;
    let mut stuck = connect(server.webhook, trusting(&authority, &[b"http/1.1"])).await.unwrap();
    stuck.write_all(post("/stuck", 0).as_bytes()).await.unwrap();
    server.metric_becomes("regcred_server_requests_in_flight", 1.0).await;
    let begun = Instant::now();
    server.shutdown.request();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.shutdown.request();
    assert_eq!(server.ended().await, Ended::Cut { connections: 1 });
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// Requests a second through the change. While a server stops each of them costs a handshake: about a millisecond
/// of this process without optimisation. So few leave room on a busy machine, which this is not to measure.
const RATE: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_servers_under_load_fails_no_request() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let options = || Options { drain_pause: Duration::from_secs(1), ..Options::default() };
    let mut server = TestServer::start(secret.path(), options()).await;
    // The cluster's network: where new connections go. It learns late that a server is stopping.
    let endpoint: Arc<ArcSwap<SocketAddr>> = Arc::new(ArcSwap::from_pointee(server.webhook));
    let client = Client::new(Target {
        address: Box::new({
            let endpoint = Arc::clone(&endpoint);
            move || **endpoint.load()
        }),
        server_name: ServerName::try_from(NAME).unwrap(),
        tls: trusting(&authority, &[b"http/1.1"]),
        path: "/length?timeout=3s".to_owned(),
        body: Bytes::from(vec![b' '; 6400]),
    });
    client.warm().await;
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (client, done) = (Arc::clone(&client), Arc::clone(&done));
        async move { at_rate(&client, RATE, |_| done.load(Ordering::Relaxed)).await }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let next = TestServer::start(secret.path(), options()).await;
        server.shutdown.request();
        tokio::time::sleep(Duration::from_millis(500)).await;
        endpoint.store(Arc::new(next.webhook));
        assert_eq!(server.ended().await, Ended::Drained);
        server = next;
    }
    done.store(true, Ordering::Relaxed);
    let report = load.await.unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.answered > 250, "{report}");
}
