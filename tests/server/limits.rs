//! Limits of connections, time and load.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::kit::{
    Authority, Mounted, NAME, Options, TestServer, connect, exchange, issue, post, read_answer, trusting,
};

struct Bench {
    server: TestServer,
    authority: Authority,
    _secret: Mounted,
}

async fn start(change: impl FnOnce(&mut Options)) -> Bench {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let mut options = Options::default();
    change(&mut options);
    let server = TestServer::start(secret.path(), options).await;
    Bench { server, authority, _secret: secret }
}

impl Bench {
    async fn connect(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        connect(self.server.webhook, trusting(&self.authority, &[b"http/1.1"])).await.unwrap()
    }
}

/// How long until the server ends the connection, however it does.
async fn ends(stream: &mut (impl AsyncReadExt + Unpin)) -> Duration {
    let begun = Instant::now();
    let mut buffer = [0; 64];
    let ended = async { while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {} };
    timeout(Duration::from_secs(20), ended).await.expect("the server ends the connection");
    begun.elapsed()
}

fn about(time: Duration, expected_ms: u64) -> bool {
    let expected = Duration::from_millis(expected_ms);
    // Room above for a busy machine, hardly any below.
    time + Duration::from_millis(20) >= expected && time < expected + Duration::from_millis(1500)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_silent_in_the_handshake_is_dropped_at_the_limit() {
    let bench = start(|options| options.limits.handshake = Duration::from_millis(300)).await;
    let mut silent = TcpStream::connect(bench.server.webhook).await.unwrap();
    let time = ends(&mut silent).await;
    assert!(about(time, 300), "{time:?}");
    bench.server.metric_becomes("regcred_server_handshake_failures_total{reason=\"timeout\"}", 1.0).await;
    bench.server.metric_becomes("regcred_server_connections", 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_has_its_time_from_the_first_byte_while_idle_connections_live_on() {
    let bench = start(|options| options.limits.header = Duration::from_millis(500)).await;
    let mut idle = bench.connect().await;
    let mut slow = bench.connect().await;
    assert_eq!(exchange(&mut idle, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    assert_eq!(exchange(&mut slow, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    // Both stay idle for longer than a header may take.
    sleep(Duration::from_millis(900)).await;

    // Byte by byte: each comes soon after the one before it, the header as a whole too late.
    let trickle = async {
        let begun = Instant::now();
        for byte in post("/length", 0).bytes().cycle() {
            if slow.write_all(&[byte]).await.is_err() || slow.flush().await.is_err() {
                break;
            }
            let mut answer = [0; 1];
            if timeout(Duration::from_millis(20), slow.read(&mut answer)).await.is_ok() {
                break;
            }
        }
        begun.elapsed()
    };
    let time = trickle.await;
    assert!(about(time, 500), "{time:?}");
    bench
        .server
        .metric_becomes("regcred_server_connections_broken_total{reason=\"header_timeout\"}", 1.0)
        .await;
    assert_eq!(exchange(&mut idle, post("/length", 0).as_bytes()).await.unwrap().status, 200);

    // A client that stops within its first header is dropped at the same time.
    let mut stopped = bench.connect().await;
    stopped.write_all(b"POST /len").await.unwrap();
    let time = ends(&mut stopped).await;
    assert!(about(time, 500), "{time:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_ended_in_order_at_its_limit() {
    let bench = start(|options| {
        options.limits.idle = Duration::from_millis(400);
        options.limits.idle_jitter = Duration::ZERO;
    })
    .await;
    let mut unused = bench.connect().await;
    let mut used = bench.connect().await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(exchange(&mut used, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    let mut rest = Vec::new();
    let begun = Instant::now();
    // An end of TLS's own, which a client can tell from an attack.
    assert_eq!(used.read_to_end(&mut rest).await.unwrap(), 0);
    assert!(about(begun.elapsed(), 400), "{:?}", begun.elapsed());
    assert_eq!(unused.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_has_its_time() {
    let bench = start(|options| options.limits.body = Duration::from_millis(300)).await;
    for path in ["/length", "/length?timeout=30s"] {
        let mut stream = bench.connect().await;
        let begun = Instant::now();
        let answer = exchange(&mut stream, (post(path, 10) + "12345").as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert!(about(begun.elapsed(), 300), "{:?}", begun.elapsed());
    }
    let count = "regcred_server_bodies_refused_total{reason=\"too_slow\"}";
    assert!((bench.server.metric(count) - 2.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_connection_ends_with_an_answer_that_says_so() {
    let bench = start(|options| {
        options.limits.connection_age = Duration::from_millis(300);
        options.limits.connection_age_jitter = Duration::ZERO;
    })
    .await;
    let mut stream = bench.connect().await;
    let young = exchange(&mut stream, post("/length", 0).as_bytes()).await.unwrap();
    assert_eq!((young.status, young.header("connection")), (200, None));
    sleep(Duration::from_millis(400)).await;
    // Old and idle it was left open; only its next answer ends it.
    let old = exchange(&mut stream, post("/length", 0).as_bytes()).await.unwrap();
    assert_eq!((old.status, old.header("connection")), (200, Some("close")));
    assert!(ends(&mut stream).await < Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_cap_are_closed_at_once_and_a_free_place_is_used_again() {
    let bench = start(|options| options.limits.connections = 2).await;
    let first = bench.connect().await;
    let mut second = bench.connect().await;
    let third = connect(bench.server.webhook, trusting(&bench.authority, &[b"http/1.1"])).await;
    let error = third.expect_err("the third is refused");
    let refused = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(refused.contains(&error.kind()), "{error:?}");
    assert!((bench.server.metric("regcred_server_connections_refused_total") - 1.0).abs() < 0.5);
    assert_eq!(exchange(&mut second, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    drop(first);
    bench.server.metric_becomes("regcred_server_connections", 1.0).await;
    let mut next = bench.connect().await;
    assert_eq!(exchange(&mut next, post("/length", 0).as_bytes()).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_source_has_no_more_than_its_share_of_connections() {
    let bench = start(|options| options.limits.connections_of_one_source = 1).await;
    let _first = bench.connect().await;
    assert!(connect(bench.server.webhook, trusting(&bench.authority, &[b"http/1.1"])).await.is_err());
    // The whole network 127.0.0.0/8 is this machine.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(bench.server.webhook).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from(NAME).unwrap();
    let connector = tokio_rustls::TlsConnector::from(trusting(&bench.authority, &[b"http/1.1"]));
    let mut other = connector.connect(name, stream).await.unwrap();
    assert_eq!(exchange(&mut other, post("/length", 0).as_bytes()).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews_beyond_the_cap_are_told_at_once_to_come_again() {
    let bench = start(|options| options.limits.requests = 1).await;
    let mut busy = bench.connect().await;
    let mut shed = bench.connect().await;
    busy.write_all(post("/slow", 0).as_bytes()).await.unwrap();
    bench.server.metric_becomes("regcred_server_requests_in_flight", 1.0).await;
    let begun = Instant::now();
    let answer = exchange(&mut shed, (post("/length", 5) + "12345").as_bytes()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    // Its connection is kept: the client comes again on it.
    assert_eq!(answer.header("connection"), None);
    assert_eq!(read_answer(&mut busy).await.unwrap().body, "slow");
    assert_eq!(exchange(&mut shed, (post("/length", 5) + "12345").as_bytes()).await.unwrap().body, "5");
    let count = "regcred_server_requests_shed_total{reason=\"requests\"}";
    assert!((bench.server.metric(count) - 1.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_bodies_together_stay_within_their_memory() {
    let bench = start(|options| options.limits.body_memory = 64 * 1024).await;
    let mut holds = bench.connect().await;
    let mut shed = bench.connect().await;
    holds.write_all((post("/slow", 60_000) + &" ".repeat(60_000)).as_bytes()).await.unwrap();
    bench.server.metric_becomes("regcred_server_requests_in_flight", 1.0).await;
    let request = post("/length", 10_000) + &" ".repeat(10_000);
    let answer = exchange(&mut shed, request.as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(read_answer(&mut holds).await.unwrap().status, 200);
    let answer = exchange(&mut bench.connect().await, request.as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "10000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_http_1_is_spoken() {
    let bench = start(|_| {}).await;
    let refused = connect(bench.server.webhook, trusting(&bench.authority, &[b"h2"])).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    bench
        .server
        .metric_becomes("regcred_server_handshake_failures_total{reason=\"no_common_protocol\"}", 1.0)
        .await;
    for protocols in [&[&b"h2"[..], b"http/1.1"][..], &[b"http/1.1"]] {
        let stream = connect(bench.server.webhook, trusting(&bench.authority, protocols)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    // A client that names no protocol, such as a simple probe, is served as well.
    let mut stream = connect(bench.server.webhook, trusting(&bench.authority, &[])).await.unwrap();
    assert_eq!(exchange(&mut stream, post("/length", 0).as_bytes()).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_handshakes_are_counted_by_their_reason() {
    let bench = start(|_| {}).await;
    let stranger = Authority::new("the tests' authority");
    let distrust = connect(bench.server.webhook, trusting(&stranger, &[b"http/1.1"])).await;
    assert!(distrust.is_err());
    let mut plain = TcpStream::connect(bench.server.webhook).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    ends(&mut plain).await;
    drop(TcpStream::connect(bench.server.webhook).await.unwrap());
    for reason in ["certificate_rejected", "not_tls", "closed"] {
        let count = format!("regcred_server_handshake_failures_total{{reason=\"{reason}\"}}");
        bench.server.metric_becomes(&count, 1.0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_strangers_do_not_slow_the_reviews_of_others() {
    let bench = start(|_| {}).await;
    let mut strangers = Vec::new();
    for _ in 0..200 {
        let mut half_open = TcpStream::connect(bench.server.webhook).await.unwrap();
        half_open.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        strangers.push(half_open);
    }
    let mut stream = bench.connect().await;
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(exchange(&mut stream, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(strangers);
}
