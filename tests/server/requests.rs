//! What is asked of a request before its handler sees it, and what the client is told.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::kit::{
    Answer, Authority, Mounted, NAME, Options, TestServer, connect, exchange, issue, post, read_answer,
    trusting,
};

const MIB: usize = 1024 * 1024;

struct Bench {
    server: TestServer,
    tls: Arc<ClientConfig>,
    _secret: Mounted,
}

impl Bench {
    async fn new() -> Self {
        let authority = Authority::new("the tests' authority");
        let secret = Mounted::new(&issue(&authority));
        let server = TestServer::start(secret.path(), Options::default()).await;
        Self { server, tls: trusting(&authority, &[b"http/1.1"]), _secret: secret }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        connect(self.server.webhook, Arc::clone(&self.tls)).await.unwrap()
    }

    async fn send(&self, request: &[u8]) -> Answer {
        exchange(&mut self.connect().await, request).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn method_type_and_path_are_judged_before_the_body_is_read() {
    let bench = Bench::new().await;
    // None of these sends its body: an answer shows that it was not waited for.
    for (method, path, kind, length, status) in [
        ("GET", "/length", "application/json", 0, 405),
        ("PUT", "/length", "application/json", 9, 405),
        ("DELETE", "/length", "application/json", 0, 405),
        ("POST", "/length", "text/plain", 9, 415),
        ("POST", "/length", "application/yaml", 9, 415),
        ("POST", "/length", "application/json", 8 * MIB, 413),
        ("POST", "/nowhere", "application/json", 9, 404),
        ("GET", "/nowhere", "application/json", 0, 404),
    ] {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = bench.send(request.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path} {kind}");
        assert!(answer.body.ends_with('\n') && answer.body.len() > 10, "{}", answer.body);
        assert_eq!(answer.header("allow"), (status == 405).then_some("POST"));
        // Without its body the connection cannot go on, and says so.
        assert_eq!(answer.header("connection"), (length > 0).then_some("close"), "{method} {path} {kind}");
    }
    let count = "regcred_server_request_duration_seconds_count{code=\"404\",path=\"other\"}";
    assert!((bench.server.metric(count) - 2.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_whose_body_came_along_keeps_its_connection() {
    let bench = Bench::new().await;
    let mut stream = bench.connect().await;
    for (request, status) in [
        (post("/nowhere", 5) + "12345", 404),
        (post("/length", 5).replace("application/json", "text/plain") + "12345", 415),
        (post("/length", 5) + "12345", 200),
    ] {
        let answer = exchange(&mut stream, request.as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (status, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_reach_the_handler_whole_up_to_the_limit() {
    let bench = Bench::new().await;
    let mut stream = bench.connect().await;
    for length in [0, 1, 1_900_000, 2_100_000, 6 * MIB, 7 * MIB] {
        let mut request = post("/length", length).into_bytes();
        request.resize(request.len() + length, b' ');
        let answer = exchange(&mut stream, &request).await.unwrap();
        assert_eq!((answer.status, answer.body), (200, length.to_string()));
    }
    let mut request = post("/length", 7 * MIB + 1).into_bytes();
    request.resize(request.len() + 7 * MIB + 1, b' ');
    let answer = exchange(&mut stream, &request).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_may_have_parameters_and_bodies_may_be_chunked() {
    let bench = Bench::new().await;
    let head = post("/length", 5).replace("application/json", "Application/JSON; charset=utf-8");
    assert_eq!(bench.send((head + "12345").as_bytes()).await.status, 200);
    let head = post("/length", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let answer = bench.send((head + "3\r\n123\r\n2\r\n45\r\n0\r\n\r\n").as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "5"));
}

/// Writes the whole body before it reads: the client that a reset would hit hardest.
async fn send_then_read(stream: TlsStream<TcpStream>, head: String, chunked: bool) -> io::Result<Answer> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let piece = vec![b' '; MIB];
    writer.write_all(head.as_bytes()).await?;
    for _ in 0..100 {
        if chunked {
            writer.write_all(b"100000\r\n").await?;
        }
        writer.write_all(&piece).await?;
        if chunked {
            writer.write_all(b"\r\n").await?;
        }
    }
    writer.flush().await?;
    let answer = read_answer(&mut reader).await?;
    let mut rest = Vec::new();
    // After the answer comes the goodbye of TLS, and no reset.
    assert_eq!(reader.read_to_end(&mut rest).await?, 0);
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_are_refused_with_an_answer_and_no_reset() {
    let bench = Bench::new().await;
    let head = post("/length", 100 * MIB);
    let answer = send_then_read(bench.connect().await, head, false).await.unwrap();
    assert_eq!(answer.status, 413);
    let head = post("/length", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let answer = send_then_read(bench.connect().await, head, true).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    let count = "regcred_server_bodies_refused_total{reason=\"too_large\"}";
    assert!((bench.server.metric(count) - 2.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handler_gets_the_requests_own_deadline_less_a_margin() {
    let bench = Bench::new().await;
    for (path, most) in [("/deadline?timeout=3s", 2800), ("/deadline?timeout=1s", 800), ("/deadline", 9800)] {
        let left: u32 = bench.send(post(path, 0).as_bytes()).await.body.parse().unwrap();
        assert!((most - 100..=most).contains(&left), "{path}: {left}");
    }
    // A handler that keeps no deadline is ended when nobody waits any more.
    assert_eq!(bench.send(post("/stuck?timeout=1s", 0).as_bytes()).await.status, 504);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_one_answer_and_the_connection_lives_on() {
    let bench = Bench::new().await;
    let mut stream = bench.connect().await;
    let answer = exchange(&mut stream, post("/panics", 0).as_bytes()).await.unwrap();
    assert_eq!(answer.status, 500);
    assert!((bench.server.metric("regcred_server_handler_panics_total") - 1.0).abs() < 0.5);
    let answer = exchange(&mut stream, (post("/panics", 1) + "1").as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "no panic"));
    assert!(bench.server.metric("regcred_server_requests_in_flight").abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_beyond_their_limits_are_refused_with_an_answer() {
    let bench = Bench::new().await;
    let large =
        post("/length", 0).replace("\r\n\r\n", &format!("\r\nX-Large: {}\r\n\r\n", "x".repeat(40_000)));
    assert_eq!(bench.send(large.as_bytes()).await.status, 431);
    let many = post("/length", 0).replace("\r\n\r\n", &format!("\r\n{}\r\n", "X-Many: x\r\n".repeat(200)));
    assert_eq!(bench.send(many.as_bytes()).await.status, 431);
    assert_eq!(bench.send(b"NONSENSE\r\n\r\n").await.status, 400);
    bench.server.metric_becomes("regcred_server_connections_broken_total{reason=\"bad_request\"}", 3.0).await;
}
